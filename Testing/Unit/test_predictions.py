from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from exports import Desk, make_desk
from phantoms import AFFINE, save_nifti

from CIMLSegmentLib.results.segmentation_result import read_result
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalSlicerLib.case_results import newest_result
from MultimodalSlicerLib.cohort_files import CohortFiles

CASES = ("a1", "b2", "c3")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_desk(tmp_path_factory.mktemp("imports") / "desk", CASES).folder


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Desk:
    return Desk(Path(shutil.copytree(template, tmp_path / "desk")))


@pytest.fixture
def predictions(desk: Desk) -> Path:
    """What nnU-Net leaves: label maps with its own numbers, and the description of its training."""
    folder = desk.folder / "predicted"
    labels = {"background": 0, "enhancing": 1, "edema": 2, "core": 3}
    for case in CASES[:2]:
        truth = voxels(desk.folder / "truth" / f"{case}.nii.gz")
        values = np.select([truth == 4, truth == 2, truth == 1], [1, 2, 3]).astype(np.uint8)
        save_nifti(folder / f"{case}.nii.gz", values)
    for name, content in {"dataset": {"labels": labels}, "plans": {}}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def take_over(desk: Desk, predictions: Path, *words: object) -> int:
    return desk.run("import", predictions, "--cohort", desk.cohort, *words)


def test_predictions_become_drafts_by_the_names_of_their_labels(
    desk: Desk, predictions: Path
) -> None:
    assert take_over(desk, predictions, "--name", "nnU-Net 501") == 0
    record = CohortRecord(desk.folder / "record")
    for case in CASES[:2]:
        result = read_result(record.results / "nnU-Net 501" / case)
        assert np.array_equal(
            voxels(result.label_map), voxels(desk.folder / "truth" / f"{case}.nii.gz")
        )
        assert (result.primary, result.case_id) == ("FLAIR", case)
        assert result.model == {"name": "nnU-Net 501"}
        assert result.volumes_ml["whole"] > result.volumes_ml["enhancing"] > 0


def test_a_draft_is_offered_by_the_panel_and_is_no_label(desk: Desk, predictions: Path) -> None:
    assert take_over(desk, predictions) == 0
    record = CohortRecord(desk.folder / "record")
    cohort = find_cohort(desk.cohort)
    assert labelled_cases(cohort, record, None) == ()
    assert record.read_states().of("a1") is CaseState.UNLABELLED
    files = CohortFiles(str(desk.cohort), str(record.folder))
    assert newest_result("a1", files) == record.results / "predicted" / "a1"
    assert newest_result("c3", files) is None


def test_a_prediction_on_another_grid_is_refused_by_name(
    desk: Desk, predictions: Path, capsys
) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 4.0
    values = voxels(predictions / "b2.nii.gz")
    save_nifti(predictions / "b2.nii.gz", values, affine=moved)
    assert take_over(desk, predictions) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert "Case b2 is not taken over: Expected the prediction on the grid of FLAIR" in text
    folders = (desk.folder / "record" / "results" / "predicted").iterdir()
    assert [folder.name for folder in folders] == ["a1"]


def test_files_of_no_case_are_named(desk: Desk, predictions: Path, capsys) -> None:
    shutil.copyfile(predictions / "a1.nii.gz", predictions / "elsewhere.nii.gz")
    assert take_over(desk, predictions) == 0
    assert "belong to no case: elsewhere.nii.gz" in " ".join(capsys.readouterr().err.split())


def test_older_results_stay_unless_asked(desk: Desk, predictions: Path, capsys) -> None:
    assert take_over(desk, predictions) == 0
    folder = desk.folder / "record" / "results" / "predicted" / "a1"
    before = (folder / "result.json").stat().st_mtime_ns
    assert take_over(desk, predictions) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (folder / "result.json").stat().st_mtime_ns == before
    assert take_over(desk, predictions, "--overwrite") == 0
    assert (folder / "result.json").stat().st_mtime_ns != before


def test_a_folder_without_a_match_is_refused(desk: Desk, tmp_path: Path, capsys) -> None:
    save_nifti(tmp_path / "other" / "zz.nii.gz", np.ones((24, 24, 24), np.uint8))
    assert take_over(desk, tmp_path / "other") == 2
    assert "zz.nii.gz" in capsys.readouterr().err
    assert take_over(desk, tmp_path / "absent") == 2


def test_what_was_exported_comes_back_the_same(desk: Desk) -> None:
    """nnU-Net that predicts the labels themselves: from `labelsTr` to drafts."""
    desk.label(*CASES)
    assert desk.run("export", desk.cohort, "--nnunet", desk.output) == 0
    folder = desk.folder / "predicted by nnU-Net"
    shutil.copytree(desk.output / "labelsTr", folder)
    shutil.copy(desk.output / "dataset.json", folder)
    assert take_over(desk, folder) == 0
    for case in CASES:
        result = read_result(desk.folder / "record" / "results" / folder.name / case)
        truth = voxels(desk.folder / "truth" / f"{case}.nii.gz")
        assert np.array_equal(voxels(result.label_map), truth)


@pytest.mark.parametrize("name", ["..", "../labels", "a/b", "a\\b"])
def test_a_name_that_leads_out_of_the_results_is_refused(
    desk: Desk, predictions: Path, capsys, name: str
) -> None:
    before = sorted(desk.folder.rglob("*"))
    assert take_over(desk, predictions, "--name", name) == 2
    assert "Choose another name" in capsys.readouterr().err
    made = set(desk.folder.rglob("*")) - set(before)
    assert not any("result" in path.name or path.suffix == ".nrrd" for path in made)
