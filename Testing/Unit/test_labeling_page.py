"""The page of the labeling, and what of the drafts was changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_segmentation import grid, pet_ct

from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_nrrd import segmentation_nrrd
from CIMLSegmentLib.results.segmentation_result import SegmentationResult
from CIMLSegmentLib.task.regions import region_masks
from MDALSelectorLib.__main__ import main
from MDALSelectorLib.labeling.changes import note_changes
from MDALSelectorLib.labeling.page import labeling_progress
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.cohort import patterns_for
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import (
    new_saved_label,
    note_saved_label,
    saved_labels,
)
from MultimodalImagingLib.images.draft_changes import DraftChanges, draft_changes
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.rounds import Round, append_round

ON = grid((10, 10, 10))
DRAFT = np.zeros((10, 10, 10), dtype=np.uint8)
DRAFT[2:6, 2:6, 2:6] = 1  # 64 voxels


def segmentation(values: np.ndarray) -> bytes:
    return segmentation_nrrd(region_masks(values, pet_ct()), ON, pet_ct())


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    generator = np.random.default_rng(0)  # cases with equal images would be of one patient
    for name in ("a", "b", "c", "d"):
        (tmp_path / "cohort" / name).mkdir(parents=True)
        for modality in ("pet", "ct"):
            image = generator.normal(size=(10, 10, 10)).astype(np.float32)
            write_volume(tmp_path / "cohort" / name / f"{modality}.nii.gz", Volume(image, ON))
    return open_record(tmp_path / "cohort")


def save(
    record: CohortRecord, case_id: str, values: np.ndarray, *, began: str, reader: str = "ab"
) -> Path:
    place = reader_label_place(case_id, reader, record)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(segmentation(values))
    label = new_saved_label(case_id, reader, place, record)
    note_saved_label(record, replace(label, began=began, looking_s=90.0, drawing_s=45.0))
    return place


def draft(record: CohortRecord, case_id: str) -> Path:
    model = {"model_id": "0123456789abcdef", "step": 400}
    result = SegmentationResult(case_id, pet_ct(), "PET", Volume(DRAFT, ON), model=model)
    return write_result(result, record.results / "round-1-01234567-400")


def test_changed_voxels_and_dice_are_those_of_the_masks(record: CohortRecord) -> None:
    final = DRAFT.copy()
    final[2] = 0  # 16 voxels less
    final[6, 2:4, 2:6] = 1  # 8 more
    place = save(record, "a", final, began="pet-ct 01234567-400")
    before = draft(record, "a") / "segmentation.seg.nrrd"
    assert draft_changes(before, place) == DraftChanges(24, 2 * 48 / (64 + 56))
    assert draft_changes(before, before) == DraftChanges(0, 1.0)


def test_the_record_is_told_once_of_labels_that_began_as_a_draft(record: CohortRecord) -> None:
    for case_id in ("a", "b", "c"):
        draft(record, case_id)
    save(record, "a", DRAFT, began="pet-ct 01234567-400")
    save(record, "b", DRAFT, began="")
    save(record, "d", DRAFT, began="pet-ct 01234567-400")  # its draft is gone
    edited = save(record, "c", DRAFT, began="pet-ct 01234567-400")
    edited.write_bytes(segmentation(np.zeros_like(DRAFT)))  # in another program
    note_changes(record, NullReporter())
    labels = saved_labels(record)
    found = {label.case_id: (label.changed_voxels, label.draft_dice) for label in labels}
    assert found == {"a": (0, 1.0), "b": (None, None), "c": (None, None), "d": (None, None)}
    revision = record.read_states().revision
    note_changes(record, NullReporter())
    assert record.read_states().revision == revision


def test_the_command_writes_a_page_that_says_whether_to_go_on(record: CohortRecord) -> None:
    for reader, values in (("ab", DRAFT), ("cd", np.roll(DRAFT, 1, axis=2))):
        save(record, "a", values, began="", reader=reader)
    assert main(["agreement", str(record.folder.parent)]) == 0
    record.set_evaluation({"b": "x"}, seed=0)
    record.change_states({"c": CaseState.SKIPPED})
    names = [f"test-{i}" for i in range(8)]
    for number, n in enumerate((8, 16, 24, 32), start=1):
        labels = tuple(f"case-{i}" for i in range(n))
        dice = {name: {"GTV": 0.8 - n**-0.5 + 0.01 * i} for i, name in enumerate(names)}
        model = f"models/round-{number}"
        append_round(record, Round(number, labels, model, f"id-{number}", "2026-01-01", dice))
    assert main(["report", str(record.folder.parent)]) == 0
    page = (record.folder / "labeling.html").read_text(encoding="utf-8")
    for text in (
        "4 cases: 1 labeled, 1 skipped, 1 still to label",
        "evaluation set: 1 case, 0 labeled",
        "more labels for +1 point (90 % interval",
        "No model was trained on them",
        "1.5 min per case without one (45 s of drawing; 2 timed).",
        "Between readers, Lesion: Dice 0.750",
    ):
        assert text in " ".join(page.split())


def test_cases_that_came_with_a_label_or_follow_a_test_case_are_not_left(tmp_path: Path) -> None:
    (tmp_path / "label.nii.gz").touch()
    given = Case("a", "a", {}, label=ImageFile(tmp_path / "label.nii.gz"))
    others = (Case("b", "b", {}), Case("c1", "c", {}), Case("c2", "c", {}))
    patterns = patterns_for(tmp_path)
    cohort = Cohort(tmp_path, "case-folders", (), (given, *others), (), patterns)
    record = open_record(tmp_path)
    record.set_evaluation({"c1": ""}, seed=0)
    found = labeling_progress(cohort, record)
    assert (found.n_labeled, found.n_left, found.n_evaluation) == (1, 1, 1)


def test_a_record_without_rounds_says_that_nothing_can_be_foretold(tmp_path: Path) -> None:
    cases = (Case("a", "a", {}),)
    cohort = Cohort(tmp_path, "case-folders", (), cases, (), patterns_for(tmp_path))
    found = labeling_progress(cohort, CohortRecord(tmp_path / ".crossmodal"))
    assert found.n_left == 1
    assert found.advice.sentence.startswith("No extrapolation is possible yet")
