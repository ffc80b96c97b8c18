"""Labels of several readers: a file each, one of which counts, noted with checksum and times."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from MDALSelectorLib.exchange.record_export import content_of
from MultimodalImagingLib.cohorts.label_maps import label_map_place
from MultimodalImagingLib.cohorts.labelled_cases import (
    is_labelled,
    label_place,
    label_that_counts,
    reader_labels,
    record_of_label,
)
from MultimodalImagingLib.cohorts.reader_labels import (
    EARLIER,
    consensus_place,
    folder_name,
    reader_label_place,
)
from MultimodalImagingLib.cohorts.saved_labels import (
    changed_elsewhere,
    new_saved_label,
    note_saved_label,
    saved_labels,
)
from MultimodalImagingLib.errors import CohortError, CrossModalError, UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.atomic_files import atomic_path
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import FILE_NAME, read_history
from MultimodalImagingLib.record.readers import CONSENSUS

CASES = ["STS_019", "case 1", "a+b", "a%2Bb", "Ärzte", " x", "x.", ".x", "..", ".", "con", "NUL.1"]
CASES += ["a.nii.gz", "a.seg.nrrd", "a"]


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    return open_record(tmp_path)


def save(
    record: CohortRecord, case: str, reader: str, content: str = "", *, is_blinded: bool = False
) -> Path:
    """Write a label as a reader does, a second after all earlier ones."""
    place = reader_label_place(case, reader, record, is_blinded=is_blinded)
    if reader == CONSENSUS:
        place = consensus_place(case, record)
    return note(record, case, reader, place, content, is_blinded=is_blinded)


def note(
    record: CohortRecord, case: str, reader: str, place: Path, content: str, *, is_blinded: bool
) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content or f"{case} {reader} {is_blinded}")
    saved = new_saved_label(case, reader, place, record, is_blinded=is_blinded)
    second = len(read_history(record))
    note_saved_label(record, replace(saved, at=f"2026-11-30T10:00:{second:02d}+00:00"))
    return place


def consensus(record: CohortRecord, case: str) -> Path:
    place = consensus_place(case, record)
    return note(record, case, CONSENSUS, place, "", is_blinded=False)


def counts(record: CohortRecord, case: str) -> Path | None:
    found = label_that_counts(case, None, record)
    return None if found is None else found.path


@pytest.mark.parametrize("case", CASES)
def test_a_readers_label_is_that_of_its_case_and_of_no_other(
    record: CohortRecord, case: str
) -> None:
    place = save(record, case, "ana")
    assert place.resolve().is_relative_to((record.labels / folder_name(case)).resolve())
    assert place.resolve().parent.parent == record.labels.resolve()
    for name in CASES:
        assert is_labelled(name, None, record, None) == (name == case)
    assert record_of_label(place) == record
    assert [label.path for label in saved_labels(record)] == [
        place.relative_to(record.folder).as_posix()
    ]


def test_places_differ_and_hold_on_every_disk(record: CohortRecord) -> None:
    folders = [folder_name(case) for case in CASES]
    assert len({name.casefold() for name in folders}) == len(CASES)
    for name in folders:
        assert name.strip(" .") == name
        assert name.split(".")[0].casefold() not in ("con", "nul")
    assert reader_label_place("a", "CON", record).name == "%43ON.seg.nrrd"
    assert reader_label_place("a", "A+B", record).name == "A%2BB.seg.nrrd"


def test_saving_notes_state_checksum_times_and_history(record: CohortRecord) -> None:
    place = reader_label_place("a", "ana", record)
    place.parent.mkdir(parents=True)
    place.write_text("label")
    new = new_saved_label("a", "ana", place, record)
    saved = replace(new, looking_s=60, drawing_s=40.5, began="m1", changed_voxels=3, draft_dice=0.9)
    states = note_saved_label(record, saved, note="Began as a draft of the model m1.")
    assert states.of("a") is CaseState.LABELLED
    assert record.read_states() == states
    assert states.entries["a"].note == "Began as a draft of the model m1."
    assert saved_labels(record) == (saved,)
    event = read_history(record)[-1]
    assert (event.event, event.case, event.reader) == ("saved", "a", "ana")
    assert event.details["draft_dice"] == 0.9


def test_times_of_a_reader_add_up_and_a_reader_keeps_one_file(record: CohortRecord) -> None:
    for name in ("Ana", "ana", "ANA"):
        place = reader_label_place("a", name, record)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(name)
        saved = new_saved_label("a", name, place, record)
        note_saved_label(record, replace(saved, looking_s=10, drawing_s=4))
    (label,) = saved_labels(record)
    assert (label.looking_s, label.drawing_s) == (30, 12)
    assert [path.name for path in (record.labels / "a").iterdir()] == ["Ana.seg.nrrd"]


def test_what_was_saved_last_counts_then_the_consensus(record: CohortRecord) -> None:
    ana = save(record, "a", "ana")
    bo = save(record, "a", "bo")
    os.utime(ana, (2e9, 2e9))  # as copying does
    assert counts(record, "a") == bo
    blinded = save(record, "a", "ana", is_blinded=True)
    assert counts(record, "a") == bo
    ana = save(record, "a", "ana")
    assert counts(record, "a") == ana
    agreed = consensus(record, "a")
    save(record, "a", "bo")
    assert counts(record, "a") == agreed
    assert blinded.read_text() == "a ana True"
    assert reader_labels("a", record) == {"ana": ana, "bo": bo}


def test_a_blinded_reading_counts_if_there_is_nothing_else(record: CohortRecord) -> None:
    blinded = save(record, "a", "ana", is_blinded=True)
    assert counts(record, "a") == blinded


def test_a_label_of_an_earlier_version_is_kept_and_read(record: CohortRecord) -> None:
    earlier = label_place("a", record)
    earlier.parent.mkdir(parents=True)
    earlier.write_text("earlier")
    assert reader_labels("a", record) == {EARLIER: earlier}
    assert counts(record, "a") == earlier
    mine = save(record, "a", "ana")
    assert counts(record, "a") == mine
    assert reader_labels("a", record) == {"ana": mine, EARLIER: earlier}
    assert earlier.read_text() == "earlier"
    assert record_of_label(earlier) == record


def test_a_file_that_no_note_tells_of_is_a_label(record: CohortRecord) -> None:
    """A crash came between writing the file and noting it."""
    older = save(record, "a", "ana")
    newer = reader_label_place("a", "bo", record)
    newer.write_text("whole")
    assert counts(record, "a") == newer
    os.utime(newer, (1e9, 1e9))
    assert counts(record, "a") == older
    unfinished = older.with_name(".unfinished-0123abcd-x.seg.nrrd")
    unfinished.write_text("half")
    assert set(reader_labels("a", record)) == {"ana", "bo"}


def test_a_label_edited_in_another_program_is_noticed(record: CohortRecord) -> None:
    place, other = save(record, "a", "ana"), save(record, "b", "ana")
    assert changed_elsewhere(record) == ()
    place.write_text("edited in another program")
    assert [label.case_id for label in changed_elsewhere(record)] == ["a"]
    other.unlink()
    assert [label.case_id for label in changed_elsewhere(record)] == ["a", "b"]
    save(record, "a", "ana", "saved again")
    assert [label.case_id for label in changed_elsewhere(record)] == ["b"]


def test_a_record_that_cannot_be_written_says_where_the_label_is(record: CohortRecord) -> None:
    place = save(record, "a", "ana")
    (record.folder / FILE_NAME).unlink()
    (record.folder / FILE_NAME).mkdir()
    with pytest.raises(CrossModalError, match=rf"saved in .*{place.name}\. But: The history"):
        note_saved_label(record, new_saved_label("a", "ana", place, record))


def test_a_label_outside_of_the_record_is_refused(record: CohortRecord, tmp_path: Path) -> None:
    (tmp_path / "x.seg.nrrd").write_text("")
    with pytest.raises(CohortError, match="Save it again"):
        new_saved_label("a", "ana", tmp_path / "x.seg.nrrd", record)
    with pytest.raises(CohortError, match="Save it again"):
        new_saved_label("a", "ana", reader_label_place("a", "ana", record), record)
    with pytest.raises(UsageError, match="name of a reader"):
        reader_label_place("a", "../ana", record)


def test_the_label_that_a_case_came_with_comes_last(record: CohortRecord) -> None:
    given = ImageFile(Path("given.nii.gz"))
    assert label_that_counts("a", given, record) == given
    place = save(record, "a", "ana")
    assert label_that_counts("a", given, record) == ImageFile(place)


def test_labels_that_cannot_be_looked_at_are_not_taken_for_none(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(record, "a", "ana")

    def fails(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fails)
    for look in (lambda: counts(record, "a"), lambda: is_labelled("a", None, record, None)):
        with pytest.raises(CohortError, match="Check the connection to the disk"):
            look()


@pytest.mark.parametrize("case", ["И" * 75, "病" * 50, "x" * 150, "И" * 36])
def test_long_names_in_any_letters_have_a_place(record: CohortRecord, case: str) -> None:
    """Names of cases may have 150 bytes; on the disk a letter may take nine."""
    place = save(record, case, "病" * 20)
    save(record, f"{case[:-1]}y", "ana")
    assert is_labelled(case, None, record, None)
    assert counts(record, case) == place
    assert {label.case_id for label in content_of(record).labels} == {case, f"{case[:-1]}y"}
    with atomic_path(label_map_place(case, record)) as unfinished:
        unfinished.write_bytes(b"map")


def test_who_saved_last_counts_whatever_their_clock_says(record: CohortRecord) -> None:
    for at, reader in (("2026-11-30T10:00:00+00:00", "ana"), ("2020-01-01T00:00:00", "bo")):
        place = reader_label_place("a", reader, record)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(reader)
        new = new_saved_label("a", reader, place, record)
        note_saved_label(record, replace(new, at=at))
        assert counts(record, "a") == place
    assert record.read_states().labels["a"]["bo"].at == "2026-11-30T10:00:00.001+00:00"
