"""The history: lines are only added, and a crash costs at most the line that was being written."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record import history
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import (
    FILE_NAME,
    append_event,
    history_problem,
    read_history,
)


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    return open_record(tmp_path)


def test_events_come_back_in_their_order(record: CohortRecord) -> None:
    assert read_history(record) == ()
    written = [
        append_event(record, "opened", "a", reader="ana"),
        append_event(record, "closed", "Ärzte\n1", details={"looking_s": 1.5, "why": "“x”"}),
    ]
    assert list(read_history(record)) == written
    assert history_problem(record) == ""
    with pytest.raises(ValueError, match="Expected one of opened"):
        append_event(record, "thought")


def test_a_line_that_a_crash_cut_is_named_and_costs_no_other(record: CohortRecord) -> None:
    append_event(record, "opened", "a")
    path = record.folder / FILE_NAME
    whole = path.read_bytes()
    for length in range(1, len(whole) - 1):
        path.write_bytes(whole + whole[:length])
        append_event(record, "closed", "b")
        assert [event.event for event in read_history(record)] == ["opened", "closed"]
    assert "1 line of" in history_problem(record)


def test_a_whole_line_without_its_end_is_an_event(record: CohortRecord) -> None:
    append_event(record, "opened", "a")
    path = record.folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:-1])
    append_event(record, "closed", "a")
    assert [event.event for event in read_history(record)] == ["opened", "closed"]


@pytest.mark.parametrize("line", ["[]", "{}", "1", '{"at": 1}', "\xff", '{"at":"","by":""'])
def test_a_line_that_is_no_event_is_left_out(record: CohortRecord, line: str) -> None:
    path = record.folder / FILE_NAME
    path.write_bytes(line.encode("latin1") + b"\n")
    append_event(record, "opened")
    assert len(read_history(record)) == 1
    assert "1 line of" in history_problem(record)


def _append(folder: Path, name: str) -> None:
    for index in range(40):
        append_event(open_record(folder), "opened", f"{name}{index}", details={"x": "y" * 2000})


def test_no_event_is_lost_when_several_processes_write(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(tmp_path, name)) for name in "xy"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    record = open_record(tmp_path)
    assert len(read_history(record)) == 80
    assert history_problem(record) == ""


def test_what_a_user_decides_on_a_case_stands_in_the_history(record: CohortRecord) -> None:
    record.change_states({"a": CaseState.SUGGESTED})
    record.change_states({"a": CaseState.SKIPPED}, note="no contrast", reader="ana")
    record.change_states({"a": CaseState.SKIPPED})
    record.change_states({"a": CaseState.SUGGESTED})
    record.change_states({"a": CaseState.CONFIRMED})
    record.change_states({"b": CaseState.CONFIRMED, "c": CaseState.SUGGESTED})
    record.change_states({"a": CaseState.LABELLED})
    found = read_history(record)
    assert [event.event for event in found] == ["skipped", "unskipped", "confirmed", "confirmed"]
    assert record.confirmed_cases() == {"a", "b"}
    assert (found[0].reader, found[0].details) == ("ana", {"note": "no contrast"})


def test_a_history_that_cannot_be_written_is_an_explained_error(record: CohortRecord) -> None:
    (record.folder / FILE_NAME).mkdir()
    with pytest.raises(CrossModalError, match="labels and states are kept"):
        record.change_states({"a": CaseState.SKIPPED})
    assert record.read_states().of("a") is CaseState.SKIPPED


def test_a_line_is_plain_json(record: CohortRecord) -> None:
    append_event(record, "opened", "a", reader="ana")
    line = json.loads((record.folder / FILE_NAME).read_text(encoding="utf-8"))
    assert set(line) == {"at", "reader", "by", "event", "case", "details"}


def test_two_writers_keep_their_lines_on_a_drive_that_does_not_append(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On network drives both look for the end of the file, and then write to the same place."""
    look = history._ends_with_a_line

    def look_long(descriptor: int) -> bool:
        found = look(descriptor)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(os, "O_APPEND", 0)
    monkeypatch.setattr(history, "_ends_with_a_line", look_long)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda case: append_event(record, "opened", case), "abc"))
    assert {event.case for event in read_history(record)} == {*"abc"}
    assert not (record.folder / "history.lock").exists()
