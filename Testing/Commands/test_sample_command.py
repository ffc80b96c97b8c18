"""Sample data: made on the spot, whole or not at all, and kept when they are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib import synthetic_cohort
from MDALSelectorLib.__main__ import main
from MDALSelectorLib.commands.sample import MARKER, N_CASES
from MDALSelectorLib.synthetic_cohort import draw_factors, make_case
from MDALSelectorLib.synthetic_patient import MODALITIES, make_patient
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.geometry import resample
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume


@pytest.fixture(scope="module")
def patient():
    return make_patient()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "patient"
    assert main(["sample", "patient", "--output", str(folder)]) == 0
    return folder


def result(capsys) -> dict[str, str]:
    lines = capsys.readouterr().out.splitlines()
    return json.loads(lines[-1])


def test_the_patient_is_read_as_it_was_made(folder, patient, capsys):
    assert main(["sample", "patient", "--output", str(folder), "--events"]) == 0
    found = result(capsys)
    for modality, volume in patient[0].items():
        read = read_volume(ImageFile(Path(found[modality])))
        np.testing.assert_allclose(read.array, volume.array, rtol=1e-5)
        assert read.grid.size == volume.grid.size


def test_a_sample_that_is_there_is_kept(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert main(["sample", "patient", "--output", str(folder)]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_another_sample_does_not_replace_it(folder, capsys):
    assert main(["sample", "cohort", "--output", str(folder)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_sample_that_lost_a_file_is_named(folder, tmp_path, capsys):
    (tmp_path / MARKER).write_bytes((folder / MARKER).read_bytes())
    assert main(["sample", "patient", "--output", str(tmp_path)]) == 2
    assert "lacks synthetic-patient_PET.nii.gz. Remove" in capsys.readouterr().err


def test_every_modality_has_a_grid_of_its_own_and_shows_the_tumor_in_its_way(patient):
    images, tumor = patient
    assert tuple(images) == MODALITIES
    assert len({volume.grid for volume in images.values()}) == len(MODALITIES)
    inside = {
        name: volume.array[resample(tumor, volume.grid, interpolation="nearest").array > 0]
        for name, volume in images.items()
    }
    shown = {name: float(np.median(values)) for name, values in inside.items()}
    volume_ml = tumor.array.sum() * np.prod(tumor.grid.spacing_mm) / 1000
    assert 50 < volume_ml < 200
    assert 3 < shown["PET"] < 12  # SUV
    assert 20 < shown["CT"] < 60  # HU: soft tissue
    assert 200 < shown["T1"] < 450  # like muscle, darker than fat at 1000


def test_hot_voxels_are_those_of_the_tumor(patient):
    images, tumor = patient
    pet = images["PET"]
    inside = resample(tumor, pet.grid, interpolation="nearest").array > 0
    hot = pet.array > 3.5  # half of the tumor's uptake
    assert (hot & inside).sum() > 0.9 * hot.sum()


def test_another_seed_is_another_patient(patient):
    other = make_patient(seed=1)[0]
    assert not np.array_equal(other["CT"].array, patient[0]["CT"].array)


def test_the_sample_cohort_has_few_faults(tmp_path, monkeypatch):
    case = make_case(draw_factors(np.random.default_rng(0)))
    monkeypatch.setattr(synthetic_cohort, "make_case", lambda _factors: (dict(case[0]), case[1]))
    assert main(["sample", "cohort", "--output", str(tmp_path / "sample")]) == 0
    cohort = find_cohort(tmp_path / "sample" / "cohort")
    lacking = [c.case_id for c in cohort.cases if len(c.images) < len(case[0])]
    assert (len(cohort.cases), lacking) == (N_CASES, ["case-002"])
    rows = (tmp_path / "sample" / "factors.csv").read_text(encoding="utf-8").splitlines()[1:]
    faults = [row.split(",")[-1] for row in rows]
    assert sorted(filter(None, faults)) == ["T2 is 15 mm off", "lacks T1"]
