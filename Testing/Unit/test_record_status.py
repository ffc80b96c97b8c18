"""What `status` says: how far it is, who is at it, what to look at, what to do next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from record_writer import GRID, write_segmentation

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.exchange.record_status import record_status
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.label_maps import label_map_place, write_label_map
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.rounds import Round, append_round


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    for case in ("a", "b", "c"):
        for modality in ("t1", "flair"):
            (tmp_path / "cohort" / case).mkdir(parents=True, exist_ok=True)
            array = np.random.default_rng(ord(case)).normal(size=GRID.array_shape)
            volume = Volume(array.astype(np.float32), GRID)
            write_volume(tmp_path / "cohort" / case / f"{modality}.nii.gz", volume)
    return find_cohort(tmp_path / "cohort")


@pytest.fixture
def record(cohort: Cohort) -> CohortRecord:
    return open_record(cohort.root)


def save(record: CohortRecord, case: str, number: int) -> Path:
    place = reader_label_place(case, "ana", record)
    write_segmentation(place, number)
    saved = new_saved_label(case, "ana", place, record)
    note_saved_label(record, replace(saved, looking_s=90, drawing_s=30, began="m"))
    return place


def test_what_is_next_follows_the_labeling(cohort: Cohort, record: CohortRecord) -> None:
    assert "select cases" in record_status(cohort, record).next_step
    record.change_states({"a": CaseState.SUGGESTED, "b": CaseState.SUGGESTED})
    assert "label the 2 suggested cases" in record_status(cohort, record).next_step
    save(record, "a", 1)
    save(record, "b", 2)
    record.set_evaluation({"b": "site 1"}, seed=1)
    assert "train on 1 label" in record_status(cohort, record).next_step
    append_round(record, Round(1, ("a",), "models/m", "m", "2026", {"b": {"WT": 0.5}}, 1))
    assert "select cases" in record_status(cohort, record).next_step
    record.change_states({"c": CaseState.SKIPPED})
    status = record_status(cohort, record)
    assert status.next_step.startswith("nothing")
    record.claim("c", "bo")
    text = "\n".join(record_status(cohort, record).lines())
    assert "3 cases: 2 labeled, 1 skipped" in text
    assert "Set aside for testing: 1, 1 of them labeled" in text
    assert "Claimed: c by bo on" in text
    assert "Reader ana: 2 labels, 2 begun as drafts; 1.5 min per case, 0.5 drawing" in text
    assert "Round 1: 1 label, mean Dice 0.500 on 1 evaluation case (models/m)" in text
    assert record_status(cohort, record).to_json()["claims"]["c"]["is_live"]


def test_what_is_not_as_it_was_saved_is_named(cohort: Cohort, record: CohortRecord) -> None:
    place = save(record, "a", 1)
    write_label_map("a", record, GRID)
    assert record_status(cohort, record).problems == ()
    save(record, "a", 2)
    assert "made from an earlier label of case a" in record_status(cohort, record).problems[0]
    write_label_map("a", record, GRID)
    label_map_place("a", record).write_bytes(b"drawn elsewhere")
    write_segmentation(place, 9)
    record.change_states({"z": CaseState.SKIPPED})
    texts = "\n".join(record_status(cohort, record).problems)
    assert "The label of ana for case a was changed in another program" in texts
    assert "The label map a.nii.gz was changed in another program" in texts
    assert "1 case that the cohort cohort does not have: z" in texts
    place.unlink()
    assert "is not in the record any more" in record_status(cohort, record).problems[0]


def test_a_list_suggests_what_may_be_and_says_what_becomes_of_the_rest(
    cohort: Cohort, record: CohortRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.set_evaluation({"a": "site 1"}, seed=1)
    record.change_states({"b": CaseState.CONFIRMED})
    save(record, "c", 1)
    (tmp_path / "list.csv").write_text("uid\na\nb\nb\nc\nd\n")
    assert main(["import", str(cohort.root), str(tmp_path / "list.csv")]) == 0
    states, said = record.read_states(), "".join(capsys.readouterr())
    assert [states.of(case) for case in "abc"] == [
        CaseState.UNLABELLED,
        CaseState.SUGGESTED,
        CaseState.LABELLED,
    ]
    assert record.confirmed_cases() == {"b"}
    for text in ("kept for testing and not suggested: a", "stays labeled: c", "once: b", "d"):
        assert text in said


def test_a_cohort_whose_disk_is_gone_is_not_one_without_labels(
    cohort: Cohort, record: CohortRecord, tmp_path: Path
) -> None:
    save(record, "a", 1)
    cohort.root.rename(tmp_path / "elsewhere")
    with pytest.raises(CohortError, match="Connect its disk"):
        record.read_states()
