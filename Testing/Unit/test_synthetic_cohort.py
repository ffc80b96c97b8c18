from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MDALSelectorLib.synthetic_cohort import (
    LABELS,
    MODALITIES,
    draw_factors,
    make_case,
    write_cohort,
)
from MultimodalImagingLib.errors import UsageError


def test_same_factors_give_the_same_case() -> None:
    factors = draw_factors(np.random.default_rng(5))
    first, second = make_case(factors), make_case(factors)
    for modality in MODALITIES:
        np.testing.assert_array_equal(first[0][modality].array, second[0][modality].array)
    np.testing.assert_array_equal(first[1].array, second[1].array)


def test_lesion_parts_have_the_contrast_of_clinical_sequences() -> None:
    images, label = make_case(draw_factors(np.random.default_rng(1)))
    mean = {
        (modality, part): images[modality].array[label.array == value].mean()
        for modality in MODALITIES
        for part, value in LABELS.items()
    }
    assert mean["T1c", "enhancing"] > 1.3 * mean["T1c", "necrosis"]
    assert mean["FLAIR", "edema"] > 1.3 * mean["FLAIR", "necrosis"]


def test_outside_of_the_head_is_zero() -> None:
    images, label = make_case(draw_factors(np.random.default_rng(2)))
    for volume in images.values():
        assert volume.array[0, 0, 0] == 0
    assert label.array[images["T1"].array == 0].max() == 0


def test_cohort_holds_the_known_faults_and_the_answer_key(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, n_cases=12, seed=3)
    with (tmp_path / "factors.csv").open(encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert len(rows) == 12
    assert not (cohort / "case-002" / "case-002_t1.nii.gz").exists()
    assert rows["case-002"]["known fault"] == "lacks T1"

    def read(case: str, modality: str) -> np.ndarray:
        path = cohort / case / f"{case}_{modality}.nii.gz"
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))

    assert rows["case-004"]["known fault"] == "FLAIR of case-008"
    heads = {m: read("case-004", m) > 0 for m in ("t1", "flair")}
    other = read("case-008", "t1") > 0
    assert not np.array_equal(heads["t1"], heads["flair"])
    np.testing.assert_array_equal(heads["flair"], other)


def test_too_few_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 12 cases"):
        write_cohort(tmp_path, n_cases=5, seed=0)


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "factors.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"factors\.csv"):
        write_cohort(tmp_path, n_cases=12, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["factors.csv"]
