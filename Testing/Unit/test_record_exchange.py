"""Exports and imports of a record: equal after a round trip, and nothing of two people is lost."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from MDALSelectorLib.exchange.record_content import JSON_NAME, read_content
from MDALSelectorLib.exchange.record_export import content_of, export_record
from MDALSelectorLib.exchange.record_merge import Merged, merge_content
from MultimodalImagingLib.cohorts.labelled_cases import label_place
from MultimodalImagingLib.cohorts.reader_labels import consensus_place, reader_label_place
from MultimodalImagingLib.cohorts.reading_plan import RereadingPlan, read_plan, write_plan
from MultimodalImagingLib.cohorts.saved_labels import (
    new_saved_label,
    note_saved_label,
    saved_labels,
)
from MultimodalImagingLib.errors import CrossModalError, UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import append_event, read_history
from MultimodalImagingLib.record.label_set_file import LabelSet, read_label_set, write_label_set
from MultimodalImagingLib.record.readers import CONSENSUS
from MultimodalImagingLib.record.rounds import Round, append_round, read_rounds

ROUND = Round(
    1, ("a",), "models/one", "1c0ffee5", "2026-11-30T10:00:00+00:00", {"t": {"WT": 0.5}}, 3
)


def made(folder: Path) -> CohortRecord:
    return open_record(folder, folder=folder / "record")


def save(record: CohortRecord, case: str, reader: str, text: str, *, blinded: bool = False) -> Path:
    place = (
        consensus_place(case, record)
        if reader == CONSENSUS
        else reader_label_place(case, reader, record, is_blinded=blinded)
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    label = new_saved_label(case, reader, place, record, is_blinded=blinded)
    note_saved_label(
        record, replace(label, looking_s=61.5, drawing_s=20.25, began="m", draft_dice=0.9)
    )
    return place


@pytest.fixture
def full(tmp_path: Path) -> CohortRecord:
    """A record with everything that a record may hold."""
    record = made(tmp_path / "one")
    record.change_states(
        {"a": CaseState.SUGGESTED, "Ärzte, 1": CaseState.SKIPPED}, note='say "no"\n'
    )
    record.set_evaluation({"t": "site 1", "u": ""}, seed=1)
    record.claim("b", "bo", purpose="re-read")
    save(record, "a", "ana", "label of ana")
    save(record, "a", "bo", "label of bo")
    save(record, "a", "ana", "blinded", blinded=True)
    save(record, "a", CONSENSUS, "both")
    save(record, "Ärzte, 1", "Ana B.", "with an odd name")
    label_place("old+1", record).write_text("of an earlier version")
    (record.labels / "older.nii.gz").write_bytes(b"of a still earlier one")
    append_event(record, "opened", "a", reader="ana", details={"why": None, "n": 1.5})
    append_round(record, ROUND)
    return record


def merged(record: CohortRecord, folder: Path, *, may_replace: bool = False) -> Merged:
    return merge_content(record, read_content(folder), folder, may_replace=may_replace)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in (folder / "labels").rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_round_trip_gives_the_same_record(full: CohortRecord, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    exported = export_record(full, out, NullReporter())
    (out / JSON_NAME).unlink() if kind == "csv" else (out / "cases.csv").unlink()
    other = made(tmp_path / "two")
    assert merged(other, out).conflicts == []
    assert files(other.folder) == files(full.folder)
    assert other.read_states() == replace(full.read_states(), revision=1)
    assert read_rounds(other) == read_rounds(full)
    assert read_history(other)[:-1] == exported.history
    assert read_history(other)[-1].event == "imported"
    again = merged(other, out)
    assert (again.n_labels, again.n_states, again.n_events, again.conflicts) == (0, 0, 0, [])
    assert content_of(other).labels == exported.labels


def test_what_two_people_did_comes_together(full: CohortRecord, tmp_path: Path) -> None:
    other = made(tmp_path / "two")
    other.change_states({"b": CaseState.SUGGESTED, "c": CaseState.SKIPPED}, note="no T1")
    full.change_states({"b": CaseState.CHECK_PAIRING})
    mine = save(other, "a", "cem", "label of cem")
    export_record(full, tmp_path / "out", NullReporter())
    assert merged(other, tmp_path / "out").conflicts == []
    states = other.read_states()
    assert set(states.labels["a"]) == {"ana", "bo", "cem", "ana~blinded", CONSENSUS}
    assert states.of("b") is CaseState.CHECK_PAIRING
    assert states.of("c") is CaseState.SKIPPED
    assert mine.read_text() == "label of cem"
    assert states.of("a") is CaseState.LABELLED


def test_what_differs_is_named_and_left(full: CohortRecord, tmp_path: Path) -> None:
    export_record(full, tmp_path / "out", NullReporter())
    other = made(tmp_path / "two")
    mine = save(other, "a", "ana", "another label of ana")
    other.change_states({"Ärzte, 1": CaseState.CONFIRMED})
    other.set_evaluation({"t": "site 9"}, seed=1)
    append_round(other, replace(ROUND, n_drafts=9))
    found = merged(other, tmp_path / "out")
    texts = "\n".join(found.conflicts)
    assert len(found.conflicts) == 4
    assert "The label of ana for case a is another label here" in texts
    assert "The group of case t for testing is 'site 9' here and 'site 1' in the export" in texts
    assert "Round 1 is" in texts
    assert mine.read_text() == "another label of ana"
    assert other.read_states().of("Ärzte, 1") is CaseState.CONFIRMED
    assert read_rounds(other)[0].n_drafts == 9


def test_a_state_that_a_person_set_is_not_overwritten(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "two")
    one.change_states({"a": CaseState.SKIPPED}, note="moved")
    one.change_states({"b": CaseState.SKIPPED}, note="moved")
    other.change_states({"a": CaseState.LABELLED})
    other.change_states({"b": CaseState.SKIPPED}, note="cut off")
    export_record(one, tmp_path / "out", NullReporter())
    found = merged(other, tmp_path / "out")
    assert [text.split(" is ")[0] for text in found.conflicts] == [
        "The state of case a",
        "The state of case b",
    ]
    assert other.read_states().of("a") is CaseState.LABELLED
    assert other.read_states().entries["b"].note == "cut off"
    replaced = merged(other, tmp_path / "out", may_replace=True)
    assert len(replaced.replaced) == 2
    assert other.read_states().entries["b"].note == "moved"


def test_a_label_that_is_replaced_is_kept_aside(full: CohortRecord, tmp_path: Path) -> None:
    export_record(full, tmp_path / "out", NullReporter())
    other = made(tmp_path / "two")
    mine = save(other, "a", "ana", "another label of ana")
    found = merged(other, tmp_path / "out", may_replace=True)
    assert found.conflicts == []
    assert mine.read_text() == "label of ana"
    (kept,) = (other.folder / "replaced").rglob("*.seg.nrrd")
    assert kept.read_text() == "another label of ana"
    noted = other.read_states().labels["a"]["ana"]
    assert noted == full.read_states().labels["a"]["ana"]


def test_an_export_whose_labels_are_damaged_or_gone_adds_the_rest(
    full: CohortRecord, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_record(full, out, NullReporter())
    (out / "labels" / "a" / "ana.seg.nrrd").write_text("half")
    (out / "labels" / "a" / "bo.seg.nrrd").unlink()
    other = made(tmp_path / "two")
    found = merged(other, out)
    assert [text.split(" was ")[0] for text in found.conflicts] == [
        "The label of ana for case a",
        "The label of bo for case a",
    ]
    assert set(other.read_states().labels["a"]) == {"ana~blinded", CONSENSUS}
    assert not reader_label_place("a", "ana", other).exists()


def test_a_label_of_another_program_is_exported_as_it_is(
    full: CohortRecord, tmp_path: Path
) -> None:
    reader_label_place("a", "bo", full).write_text("edited")
    reader_label_place("a", "ana", full).unlink()
    warnings: list[str] = []

    class Told(NullReporter):
        def warning(self, text: str) -> None:
            warnings.append(text)

    export_record(full, tmp_path / "out", Told())
    assert any("ana for case a was saved at" in text for text in warnings)
    assert any("bo for case a was changed in another program" in text for text in warnings)
    other = made(tmp_path / "two")
    assert merged(other, tmp_path / "out").conflicts == []
    assert reader_label_place("a", "bo", other).read_text() == "edited"


def test_cases_that_a_model_knows_are_not_set_aside(full: CohortRecord, tmp_path: Path) -> None:
    export_record(full, tmp_path / "out", NullReporter())
    other = made(tmp_path / "two")
    append_round(other, replace(ROUND, labels=("t",), model_id="x"))
    found = merged(other, tmp_path / "out")
    assert any("a model was trained on it here" in text for text in found.conflicts)
    assert set(other.read_states().evaluation) == {"u"}


@pytest.mark.parametrize("path", ["../secret.seg.nrrd", "/etc/hostname"])
def test_an_export_reads_and_writes_nothing_outside(
    full: CohortRecord, tmp_path: Path, path: str
) -> None:
    out = tmp_path / "out"
    export_record(full, out, NullReporter())
    (tmp_path / "secret.seg.nrrd").write_text("secret")
    document = json.loads((out / JSON_NAME).read_text())
    document["labels"][0]["path"] = path
    (out / JSON_NAME).write_text(json.dumps(document))
    with pytest.raises(UsageError, match="not in its folder"):
        merged(made(tmp_path / "two"), out)


@pytest.mark.parametrize("reader", ["../x", "a/b", ""])
def test_an_odd_reader_leads_nowhere(full: CohortRecord, tmp_path: Path, reader: str) -> None:
    out, two = tmp_path / "out", made(tmp_path / "two")
    export_record(full, out, NullReporter())
    document = json.loads((out / JSON_NAME).read_text())
    for row in document["labels"]:
        row["reader"] = reader
    (out / JSON_NAME).write_text(json.dumps(document))
    with suppress(UsageError):
        merged(two, out)
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"record"}
    assert not (two.folder / "x.seg.nrrd").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "x", "version": 1}'])
def test_what_is_no_export_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / JSON_NAME).write_text(text)
    with pytest.raises(UsageError, match="Expected an export of a record"):
        read_content(tmp_path)


def test_a_folder_that_is_there_is_not_replaced(full: CohortRecord, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export_record(full, tmp_path / "out", NullReporter())
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(
    full: CohortRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full_disk)
    with pytest.raises(CrossModalError, match="No space left"):
        export_record(full, tmp_path / "out", NullReporter())
    assert not (tmp_path / "out").exists()
    assert len(saved_labels(full)) == 5


def test_a_case_whose_label_is_missing_stays_to_be_labeled(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "two")
    save(one, "a", "ana", "label")
    save(one, "b", "ana", "label")
    export_record(one, tmp_path / "out", NullReporter())
    (tmp_path / "out" / "labels" / "a" / "ana.seg.nrrd").write_text("half")
    assert len(merged(other, tmp_path / "out").conflicts) == 1
    states = other.read_states()
    assert (states.of("a"), states.of("b")) == (CaseState.UNLABELLED, CaseState.LABELLED)


def test_a_reader_in_other_capitals_is_not_a_second_one(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "two")
    save(one, "a", "ANA", "label")
    save(other, "a", "ana", "label")
    export_record(one, tmp_path / "out", NullReporter())
    merged(other, tmp_path / "out")
    assert list(other.read_states().labels["a"]) == ["ana"]


def test_what_was_decided_for_the_cohort_is_exchanged(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "two")
    labels, plan = LabelSet(names=("Tumor", "Node")), RereadingPlan(0.2, 3)
    write_label_set(one, labels)
    write_plan(one, plan)
    export_record(one, tmp_path / "out", NullReporter())
    assert merged(other, tmp_path / "out").conflicts == []
    assert (read_label_set(other), read_plan(other)) == (labels, plan)
    write_label_set(other, LabelSet(names=("Tumor",)))
    write_plan(other, RereadingPlan(0.5, 3))
    texts = merged(other, tmp_path / "out").conflicts
    assert [text.split(" here")[0] for text in texts] == [
        "The labels to draw are Tumor",
        "50% of the labeled cases are read again",
    ]
    assert read_label_set(other) == LabelSet(names=("Tumor",))
