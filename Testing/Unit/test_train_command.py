from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.commands.training_labels import known_to_run
from CIMLSegmentLib.model.model import load_model
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import open_record
from MultimodalImagingLib.record.selection_file import (
    cases_labelled_before,
    suggested_cases,
    write_selection_content,
)

GRID = Grid((6, 5, 4), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, Volume(values, GRID))


@pytest.fixture
def cohort_folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for case in "abc":
        for modality in ("flair", "t1"):
            image = generator.normal(size=GRID.array_shape).astype(np.float32)
            write(tmp_path / "cohort" / case / f"{modality}.nii.gz", image)
    label = np.ones(GRID.array_shape, dtype=np.uint8)
    write(tmp_path / "cohort" / "a" / "seg.nii.gz", label)
    return tmp_path / "cohort"


def test_labels_of_the_record_come_before_those_of_the_cohort(cohort_folder: Path) -> None:
    record = open_record(cohort_folder)
    label = np.ones(GRID.array_shape, dtype=np.uint8)
    for case in "ab":
        write(record.labels / f"{case}.nii.gz", label)
    found = {c.case_id: c.label for c in labelled_cases(find_cohort(cohort_folder), record, None)}
    assert sorted(found) == ["a", "b"]
    assert all(file is not None and file.path.parent == record.labels for file in found.values())


def test_label_files_of_the_cohort_are_found(cohort_folder: Path) -> None:
    record = open_record(cohort_folder)
    found = labelled_cases(find_cohort(cohort_folder), record, None)
    assert [case.case_id for case in found] == ["a"]


def test_a_folder_of_labels_is_the_only_source_if_it_is_given(
    cohort_folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "mine" / "c.nii.gz", np.ones(GRID.array_shape, dtype=np.uint8))
    record = open_record(cohort_folder)
    found = labelled_cases(find_cohort(cohort_folder), record, tmp_path / "mine")
    assert [case.case_id for case in found] == ["c"]
    with pytest.raises(UsageError, match="Correct --labels"):
        labelled_cases(find_cohort(cohort_folder), record, tmp_path / "nowhere")


def test_label_files_of_no_case_are_told_and_none_at_all_is_refused(
    cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = np.ones(GRID.array_shape, dtype=np.uint8)
    for name in ("c_seg", "x1"):
        write(tmp_path / "mine" / f"{name}.nii.gz", label)
    arguments = ["train", str(cohort_folder), "--task", "single-target", "--primary", "T1"]
    arguments += ["--output", str(tmp_path / "model"), "--steps", "0", "--labels"]
    assert main([*arguments, str(tmp_path / "mine")]) == 2
    output = " ".join(capsys.readouterr().err.split())
    assert "1 file belongs to no case in" in output
    assert "x1.nii.gz" in output
    assert "1 of 3 cases have a label map" in output
    (tmp_path / "mine" / "c_seg.nii.gz").unlink()
    assert main([*arguments, str(tmp_path / "mine")]) == 2
    assert "named like the cases" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--task", "nothing-of-that-name"), "nothing-of-that-name"),
        (("--task", "single-target", "--primary", "PET"), "Give --primary one of FLAIR, T1."),
        (("--task", "single-target", "--primary", "T1", "--spacing", "-1"), "--spacing above 0"),
        (("--task", "single-target", "--primary", "T1", "--steps", "0"), "n_steps above 0"),
        (("--task", "single-target", "--settings", "nothing.json"), "nothing.json"),
    ],
)
def test_wrong_options_are_explained_and_exit_with_2(
    cohort_folder: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["train", str(cohort_folder), "--output", str(tmp_path / "model"), *options]
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "model").exists()


def write_selection_of(run: Path, *, suggested: str, labelled: str) -> Path:
    cases = [
        {"rank": rank, "case": case, "suggested": case in suggested, "labelled": case in labelled}
        for rank, case in enumerate("cab", start=1)
    ]
    run.mkdir()
    write_selection_content(run, {"cases": cases})
    return run


def test_only_cases_that_a_run_suggested_or_knew_as_labelled_are_trained_on(
    cohort_folder: Path, tmp_path: Path
) -> None:
    label = np.ones(GRID.array_shape, dtype=np.uint8)
    for case in "abc":
        write(tmp_path / "mine" / f"{case}.nii.gz", label)
    cohort = find_cohort(cohort_folder)
    cases = labelled_cases(cohort, open_record(cohort_folder), tmp_path / "mine")
    run = write_selection_of(tmp_path / "run", suggested="c", labelled="b")
    assert [c.case_id for c in known_to_run(cases, run, NullReporter())] == ["b", "c"]
    assert suggested_cases(run) == ("c",)
    assert cases_labelled_before(run) == ("b",)


def test_a_run_without_any_label_says_what_to_label(
    cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_selection_of(tmp_path / "run", suggested="bc", labelled="")
    arguments = ["--task", "single-target", "--primary", "FLAIR", "--output", str(tmp_path / "m")]
    assert main(["train", str(cohort_folder), *arguments, "--suggested-by", str(run)]) == 2
    text = capsys.readouterr().err.replace("\n", " ")
    assert "has a label map: b, c." in text
    assert not (tmp_path / "m").exists()


def test_a_folder_that_is_no_run_is_refused(
    cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--task", "single-target", "--primary", "FLAIR", "--output", str(tmp_path / "m")]
    assert main(["train", str(cohort_folder), *arguments, "--suggested-by", str(tmp_path)]) == 2
    assert "mdal-selector select" in capsys.readouterr().err.replace("\n", " ")
    (tmp_path / "selection.json").write_text("{")
    assert main(["train", str(cohort_folder), *arguments, "--suggested-by", str(tmp_path)]) == 2
    assert "truncated" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("side", ["0", "-32", "15", "big"])
def test_a_patch_that_is_none_is_refused(side: str, tmp_path: Path) -> None:
    arguments = ["train", str(tmp_path), "--task", "pet-ct", "--output", str(tmp_path / "m")]
    with pytest.raises(SystemExit):
        main([*arguments, "--largest-patch", side])


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    output = tmp_path / "locked" / "model"
    arguments = ["train", str(cohort_folder), "--task", "single-target", "--primary", "T1"]
    assert main([*arguments, "--output", str(output), "--record", str(tmp_path / "record")]) == 2
    assert "locked may not be written" in capsys.readouterr().err.replace("\n", " ")
    assert not output.exists()
    assert not (tmp_path / "record").exists()


def test_settings_of_a_file_count_before_the_plan(cohort_folder: Path, tmp_path: Path) -> None:
    settings = {"network": {"gate": "dot-product"}, "training": {"patience": 3, "accumulation": 2}}
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    arguments = ["train", str(cohort_folder), "--task", "single-target", "--primary", "T1"]
    arguments += ["--steps", "1", "--device", "cpu", "--output", str(tmp_path / "model")]
    assert main([*arguments, "--settings", str(tmp_path / "mine.json")]) == 0
    description = load_model(tmp_path / "model").description
    assert description.network.gate == "dot-product"
    assert (description.training.patience, description.training.accumulation) == (3, 2)
    assert description.training.n_steps == 1


def test_unknown_settings_are_explained(
    cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(cohort_folder), "--task", "single-target", "--primary", "T1"]
    arguments += ["--device", "cpu", "--output", str(tmp_path / "model")]
    for content, sentence in (
        ({"net": {}}, "Unknown key 'net' in the settings mine.json"),
        ({"network": {"gates": "spatial"}}, "did you mean 'gate'"),
    ):
        (tmp_path / "mine.json").write_text(json.dumps(content))
        assert main([*arguments, "--settings", str(tmp_path / "mine.json")]) == 2
        assert sentence in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "model").exists()
