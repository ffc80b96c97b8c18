"""Where files of a cohort and of its record are."""

from __future__ import annotations

from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase


def test_files_are_relative_to_the_folder_or_to_that_of_the_manifest(tmp_path: Path) -> None:
    row = FoundCase("A", files={"CT": "A/ct.nii.gz"})
    assert CohortFiles(str(tmp_path)).images(row) == {"CT": ImageFile(tmp_path / "A" / "ct.nii.gz")}
    manifest = tmp_path / "cohort.csv"
    assert CohortFiles(str(manifest)).root == tmp_path


def test_a_part_of_a_four_dimensional_file_is_known_by_its_number(tmp_path: Path) -> None:
    row = FoundCase("A", files={"T1": "a.nii.gz#2", "T2": "odd#name.nii.gz"})
    images = CohortFiles(str(tmp_path)).images(row)
    assert images["T1"] == ImageFile(tmp_path / "a.nii.gz", 2)
    assert images["T2"] == ImageFile(tmp_path / "odd#name.nii.gz")


def test_paths_outside_the_cohort_are_kept(tmp_path: Path) -> None:
    row = FoundCase("A", files={"CT": "/elsewhere/ct.nii.gz"})
    path = CohortFiles(str(tmp_path)).images(row)["CT"].path
    assert path == Path("/elsewhere/ct.nii.gz")


def test_labels_made_here_come_before_those_of_the_cohort(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path), str(tmp_path / "record"))
    row = FoundCase("A", label="A/seg.nii.gz")
    assert files.label(FoundCase("A")) is None
    assert files.label(row) == ImageFile(tmp_path / "A" / "seg.nii.gz")
    own = tmp_path / "record" / "labels" / "A.seg.nrrd"
    own.parent.mkdir(parents=True)
    own.touch()
    assert files.label(row) == ImageFile(own)


def test_looking_at_a_record_does_not_create_it(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path), str(tmp_path / "record"))
    assert files.states() == {}
    assert files.latest_run() is None
    assert list(tmp_path.iterdir()) == []


def test_states_are_kept_in_the_record(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path), str(tmp_path / "record"))
    files.change_states({"A": CaseState.SKIPPED})
    assert files.states() == {"A": CaseState.SKIPPED}
    assert files.record.folder == tmp_path / "record"


def test_a_skipped_case_keeps_its_reason_and_gets_its_state_back(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path))
    files.change_states({"A": CaseState.SUGGESTED})
    files.skip("A", "PET is cut off")
    entry = files.state_entry("A")
    assert entry is not None
    assert (entry.state, entry.note, entry.former) == (
        CaseState.SKIPPED,
        "PET is cut off",
        CaseState.SUGGESTED,
    )
    files.skip("A", "again")
    assert files.undo_skip("A") is CaseState.SUGGESTED
    files.skip("B", "")
    assert files.undo_skip("B") is CaseState.UNLABELLED
    with pytest.raises(CohortError, match="B is not 'skipped' any more"):
        files.undo_skip("B")


def test_a_note_that_is_no_text_is_refused(tmp_path: Path) -> None:
    files = CohortFiles(str(tmp_path))
    files.skip("A", "why")
    path = files.record.folder / "cases.json"
    path.write_text(path.read_text().replace('"why"', "7"))
    with pytest.raises(CohortError, match="the note 7 is no text"):
        files.states()


def test_without_a_folder_of_its_own_the_record_lies_in_the_cohort(tmp_path: Path) -> None:
    assert CohortFiles(str(tmp_path)).record.folder == tmp_path / ".crossmodal"


def test_the_last_finished_run_is_found(tmp_path: Path) -> None:
    for name in ("001-DiverseMD", "002-MaxMD"):
        (tmp_path / "record" / "runs" / name).mkdir(parents=True)
        (tmp_path / "record" / "runs" / name / "selection.json").touch()
    (tmp_path / "record" / "runs" / "003-Random").mkdir()
    run = CohortFiles(str(tmp_path), str(tmp_path / "record")).latest_run()
    assert run == tmp_path / "record" / "runs" / "002-MaxMD"
