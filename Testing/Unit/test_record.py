from __future__ import annotations

import json
import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record import cohort_record as record_module
from MultimodalImagingLib.record import states_file
from MultimodalImagingLib.record.cohort_record import CaseState, default_record_folder, open_record


def test_a_case_without_an_entry_is_unlabeled(tmp_path: Path) -> None:
    assert open_record(tmp_path).read_states().of("a") is CaseState.UNLABELLED


def test_states_survive_and_say_who_and_when(tmp_path: Path) -> None:
    open_record(tmp_path).change_states({"a": CaseState.SUGGESTED, "b": CaseState.LABELLED})
    states = open_record(tmp_path).read_states()
    assert states.of("a") is CaseState.SUGGESTED
    assert states.of("b") is CaseState.LABELLED
    assert states.entries["a"].by
    assert states.entries["a"].at.endswith("+00:00")


def test_changing_one_state_keeps_the_others(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    record.change_states({"a": CaseState.LABELLED})
    record.change_states({"b": CaseState.SKIPPED})
    assert record.read_states().of("a") is CaseState.LABELLED
    assert record.read_states().revision == 2


def test_a_second_writer_gets_an_error_and_does_not_overwrite(tmp_path: Path) -> None:
    mine, theirs = open_record(tmp_path), open_record(tmp_path)
    seen = mine.read_states().revision
    theirs.change_states({"a": CaseState.LABELLED})
    with pytest.raises(CohortError, match=r"Case a was set to 'labelled' by .* Refresh the list"):
        mine.change_states({"a": CaseState.SKIPPED}, seen_revision=seen)
    assert mine.read_states().of("a") is CaseState.LABELLED


def test_a_second_writer_of_other_cases_is_not_held_up(tmp_path: Path) -> None:
    mine, theirs = open_record(tmp_path), open_record(tmp_path)
    seen = mine.read_states().revision
    theirs.change_states({"a": CaseState.LABELLED})
    mine.change_states({"b": CaseState.SKIPPED}, seen_revision=seen)
    assert mine.read_states().of("a") is CaseState.LABELLED


def _mark_cases(folder: Path, name: str) -> None:
    for index in range(10):
        open_record(folder).change_states({f"{name}{index}": CaseState.LABELLED})


def test_no_state_is_lost_when_several_processes_write(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_mark_cases, args=(tmp_path, name)) for name in "xyz"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(open_record(tmp_path).read_states().entries) == 30


def test_the_lock_of_a_dead_process_of_this_computer_is_removed(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    owner = {"host": socket.gethostname(), "pid": 2**22 + 1, "user": "gone"}
    (record.folder / "cases.lock").write_text(json.dumps(owner), encoding="utf-8")
    record.change_states({"a": CaseState.LABELLED})
    assert record.read_states().of("a") is CaseState.LABELLED


def test_the_lock_of_a_living_process_is_respected_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "LOCK_WAIT_S", 0.1)
    record = open_record(tmp_path)
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "user": "ana"}
    (record.folder / "cases.lock").write_text(json.dumps(owner), encoding="utf-8")
    with pytest.raises(CohortError, match=r"is being written by ana on .* Try again"):
        record.change_states({"a": CaseState.LABELLED})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}"),
        '{"format": 99, "cases": {}, "revision": 1}',
        '{"format": 1, "cases": [], "revision": 1}',
        '{"format": 1, "cases": {}, "revision": "1"}',
        '{"format": 1, "cases": {"a": {"state": "odd", "by": "", "at": ""}}, "revision": 1}',
    ],
)
def test_an_unreadable_state_file_is_an_explained_error(tmp_path: Path, text: str) -> None:
    record = open_record(tmp_path)
    (record.folder / "cases.json").write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match="Restore it from a backup"):
        record.read_states()


def test_a_cohort_without_write_permission_has_its_record_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, home = tmp_path / "cohort", tmp_path / "home"
    cohort.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    cohort.chmod(0o555)
    try:
        assert default_record_folder(cohort).is_relative_to(home)
    finally:
        cohort.chmod(0o755)
    assert default_record_folder(cohort) == cohort / ".crossmodal"


def test_a_record_folder_that_cannot_be_made_is_an_explained_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="Choose another"):
        open_record(tmp_path, folder=tmp_path / "file" / "record")


def test_run_folders_are_numbered_and_never_reused(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    assert record.new_run_folder("MaxMD").name == "001-MaxMD"
    assert record.new_run_folder("DiverseMD").name == "002-DiverseMD"


def test_a_record_that_cannot_be_made_or_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(UsageError, match="cannot be created"):
        open_record(tmp_path, folder=tmp_path / "file" / "record")
    with pytest.raises(UsageError, match="not writable"):
        open_record(tmp_path, folder=tmp_path / "closed")
    assert (tmp_path / "file").read_text() == "mine"


def test_states_of_an_earlier_version_are_read_and_written_as_this_one(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    old = {"state": "skipped", "by": "ana", "at": "2026-01-01T00:00:00+00:00"}
    content = {"format": 1, "revision": 7, "cases": {"a": old}}
    (record.folder / "cases.json").write_text(json.dumps(content), encoding="utf-8")
    states = record.change_states({"b": CaseState.CONFIRMED})
    assert (states.revision, states.of("a"), states.claims) == (8, CaseState.SKIPPED, {})
    assert record.read_states() == states
    assert json.loads((record.folder / "cases.json").read_text())["format"] == 2


def test_an_entry_is_a_line(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    record.change_states(dict.fromkeys("abc", CaseState.SUGGESTED))
    before = (record.folder / "cases.json").read_text().splitlines()
    record.change_states({"b": CaseState.LABELLED})
    after = (record.folder / "cases.json").read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 2  # the revision and the case


def test_a_change_that_changes_nothing_is_not_written(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    states = record.change_states({"a": CaseState.LABELLED})
    assert record.update(lambda current: current) == states


def test_what_is_remembered_of_a_record_is_what_its_file_says(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    for name in ("a", "\u00c4", "A\u0308"):  # the last one is the same letter, written otherwise
        written = record.change_states({name: CaseState.SKIPPED}, note=f"about {name}")
        record.claim("a", "ana")
        states_file._PARSED.clear()
        fresh = record.read_states()
        assert fresh.of(same_name(name)) is CaseState.SKIPPED
        assert fresh.entries[same_name(name)] == written.entries[same_name(name)]
        assert record.read_states() is fresh
        assert states_file.states_text(fresh) == (record.folder / "cases.json").read_text("utf-8")


def test_a_change_by_another_program_is_seen_though_time_and_size_are_the_same(
    tmp_path: Path,
) -> None:
    record = open_record(tmp_path)
    record.change_states({"a": CaseState.SKIPPED}, note="one")
    path = record.folder / "cases.json"
    before = path.stat()
    path.write_text(path.read_text().replace('"one"', '"two"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert record.read_states().entries["a"].note == "two"
