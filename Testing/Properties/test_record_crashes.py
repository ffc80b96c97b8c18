"""Any sequence of operations by two writers, with a crash between any two operations on files.

A crash is an exception that nothing in the program handles, raised in place of the n-th call that
changes something on the disk, or in the middle of it where it writes; what was written before
stays, as after a kill. After each step the record must be valid, and what was reported as done must
be there.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from record_check import check_record

from MDALSelectorLib.exchange.record_content import read_content
from MDALSelectorLib.exchange.record_export import export_record
from MDALSelectorLib.exchange.record_merge import merge_content
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record import locks
from MultimodalImagingLib.record.atomic_files import atomic_path
from MultimodalImagingLib.record.case_states import SavedLabel
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import append_event, history_problem, read_history
from MultimodalImagingLib.record.rounds import Round, append_round, read_rounds

CASES, READERS = ("a", "Ä b"), ("ana", "bo")
AT = "2026-11-30T10:00:00+00:00"
# Calls that change something on a disk: what atomic files, locks, folders and history are made of.
CHANGES = ((os, "open"), (os, "write"), (os, "fsync"), (os, "utime"), (Path, "replace"))
CHANGES += ((Path, "rename"), (Path, "unlink"), (Path, "mkdir"), (Path, "write_bytes"))
CHANGES += ((shutil, "copyfile"), (io, "open"))
OPEN, COPY, SYNC = io.open, shutil.copyfile, os.fsync
WRITES = (os.write, Path.write_bytes)


class Crash(BaseException):
    """The process is gone: nobody handles this."""


def _mode(_file: object, mode: str = "r", *_arguments: object, **_options: object) -> str:
    return mode


def _do_half(original: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """Leave of a write what a kill in the middle of it leaves; do nothing else by half."""
    if original in WRITES:
        target, data = arguments
        original(target, data[: len(data) // 2])
    elif original is OPEN and "w" in _mode(*arguments):
        OPEN(arguments[0], "wb").close()
    elif original is COPY:
        OPEN(arguments[1], "wb").close()


class Calls:
    """Count what changes something, and crash in place of the call after so many."""

    def __init__(self, after: int | None) -> None:
        self.n, self._after, self._is_half = 0, after, False

    def guarded(self, original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if original is OPEN and not set("wax+") & set(_mode(*arguments, **options)):
                return original(*arguments, **options)  # it only reads
            if self._after is None or self.n < self._after or self._is_half:
                self.n += 1
                # A kill loses nothing that was written, synced or not.
                return None if original is SYNC else original(*arguments, **options)
            if self.n == self._after:
                self._is_half = True
                _do_half(original, arguments)
                self._is_half = False
            self.n = self._after + 1  # nothing works any more
            raise Crash

        return call


@contextmanager
def crashing(after: int | None, told: Counter[str], name: str) -> Iterator[None]:
    """Crash in place of the call after so many that change something; nothing works any more then.

    What runs while the crash passes (the tidying of `finally`) does not happen in a kill either.
    How it ended, and how many calls there were, is counted in `told`.
    """
    calls, end = Calls(after), "refused"
    with pytest.MonkeyPatch.context() as patch:
        for owner, attribute in CHANGES:
            patch.setattr(owner, attribute, calls.guarded(getattr(owner, attribute)))
        try:
            yield
            end = "done"
        except Crash:
            end = "crashed"
        except CohortError:  # claimed by the other one, locked, different
            pass
    told[f"{name} {end}"] += 1
    told[f"calls of {name}"] = max(told[f"calls of {name}"], calls.n)


# How many calls each operation makes at most, to crash anywhere in it; `run` checks them.
N_CALLS = {"save": 36, "claim": 26, "release": 26, "skip": 26, "set aside": 26, "end round": 20}
N_CALLS |= {"note": 12, "exchange": 200}


def moments(name: str) -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), st.integers(0, N_CALLS[name] - 1))


class Writers(RuleBasedStateMachine):
    """Two people who label two cases, on records that they share, with exports now and then."""

    def __init__(self, told: Counter[str] | None = None) -> None:
        super().__init__()
        self.told = Counter[str]() if told is None else told
        self.folder = Path(tempfile.mkdtemp())
        self.record = open_record(self.folder, folder=self.folder / "record")
        self.other = open_record(self.folder, folder=self.folder / "other")
        self.promised: dict[tuple[str, str], set[int]] = {}
        self.states: dict[str, CaseState] = {}
        self.n_events = self.n_exports = self.number = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.save_whole(self.other, "a", "ana", 10**6)
        append_event(self.record, "opened", "a")
        self.n_events = 1

    def save_whole(self, record: CohortRecord, case: str, reader: str, number: int) -> SavedLabel:
        place = reader_label_place(case, reader, record)
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(place) as unfinished:
            unfinished.write_bytes(b"label %d" % number)
        saved = new_saved_label(case, reader, place, record)
        note_saved_label(record, replace(saved, looking_s=1))
        return saved

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=moments("save"))
    def save(self, case: str, reader: str, crash: int | None) -> None:
        self.number += 1
        possible = self.promised.setdefault((case, reader), {0})
        possible.add(self.number)  # a crash may come before or after it is there
        with crashing(crash, self.told, "save"):
            self.save_whole(self.record, case, reader, self.number)
            self.promised[case, reader] = {self.number}
            self.told[f"saves of {reader}"] += 1
            self.states[case] = CaseState.LABELLED

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=moments("claim"))
    def claim(self, case: str, reader: str, crash: int | None) -> None:
        with crashing(crash, self.told, "claim"):
            self.record.claim(case, reader)
            assert self.record.read_states().claims[case].reader == reader

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=moments("release"))
    def release(self, case: str, reader: str, crash: int | None) -> None:
        with crashing(crash, self.told, "release"):
            self.record.release(case, reader)
            assert case not in self.record.read_states().claims

    @rule(case=st.sampled_from(CASES), crash=moments("skip"))
    def skip(self, case: str, crash: int | None) -> None:
        known = self.states.pop(case, None)
        with crashing(crash, self.told, "skip"):
            self.record.change_states({case: CaseState.SKIPPED}, note="why")
            self.states[case] = CaseState.SKIPPED
        if known is self.record.read_states().of(case):
            self.states[case] = known

    @rule(case=st.sampled_from(CASES), crash=moments("set aside"))
    def set_aside(self, case: str, crash: int | None) -> None:
        with crashing(crash, self.told, "set aside"):
            self.record.set_evaluation({case: "group"}, seed=1)
            assert self.record.read_states().evaluation[case] == "group"

    @rule(number=st.integers(1, 3), crash=moments("end round"))
    def end_round(self, number: int, crash: int | None) -> None:
        new = Round(number, (), "models/m", "m", AT)
        with crashing(crash, self.told, "end round"):
            append_round(self.record, new)
            assert new in read_rounds(self.record)

    @rule(crash=moments("note"))
    def note(self, crash: int | None) -> None:
        with crashing(crash, self.told, "note"):
            append_event(self.record, "opened", "a")
            self.n_events += 1

    @rule(crash=moments("exchange"), back=st.booleans())
    def exchange(self, crash: int | None, back: bool) -> None:
        source, target = (self.record, self.other) if back else (self.other, self.record)
        self.n_exports += 1
        folder = self.folder / f"export-{self.n_exports}"
        if not back:
            self.promised.setdefault(("a", "ana"), {0}).add(10**6)
        with crashing(crash, self.told, "exchange"):
            export_record(source, folder, NullReporter())
            merge_content(target, read_content(folder), folder, may_replace=False)
            if not back:
                assert "ana" in target.read_states().labels["a"]

    @invariant()
    def the_record_is_valid(self) -> None:
        for record in (self.record, self.other):
            check_record(record, reads_voxels=False)

    @invariant()
    def what_was_reported_is_there(self) -> None:
        for (case, reader), numbers in self.promised.items():
            place = reader_label_place(case, reader, self.record)
            if not place.exists():
                assert 0 in numbers
            else:
                assert int(place.read_bytes().split()[1]) in numbers
                self.told["promises kept"] += len(numbers) == 1
        states = self.record.read_states()
        for case, state in self.states.items():
            assert states.of(case) in (state, CaseState.LABELLED)
        opened = [event for event in read_history(self.record) if event.event == "opened"]
        assert len(opened) >= self.n_events
        history_problem(self.record)


@pytest.fixture(autouse=True)
def every_crash_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let locks be those of processes that ended: here they all are of one that goes on."""
    monkeypatch.setattr(locks, "_may_run", lambda _owner: False)
    # Nor does anybody wait until a lock that was cut in the middle is old enough.
    monkeypatch.setattr(locks, "_silence_s", lambda _path: math.inf)


def run(n: int, steps: int) -> Counter[str]:
    """Run so many sequences of so many steps, and return how often what happened in them."""
    from hypothesis.stateful import run_state_machine_as_test

    told = Counter[str]()
    chosen = settings(
        max_examples=n,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Writers(told), settings=chosen)
    for name, n_most in N_CALLS.items():
        assert told[f"{name} done"] > 0, name
        assert told[f"{name} crashed"] > 0, name
        assert told[f"calls of {name}"] <= n_most, name
    assert all(told[f"saves of {reader}"] for reader in READERS)
    return told


def test_any_sequence_with_crashes_leaves_a_valid_record() -> None:
    told = run(30, 20)
    assert told["promises kept"] > 30


@pytest.mark.evidence
def test_many_sequences_with_crashes_leave_a_valid_record() -> None:
    told = run(400, 40)
    assert told["promises kept"] > 1000


def test_every_moment_of_a_save_may_be_the_last(tmp_path: Path) -> None:
    """The same without chance: each call of a save, of a first save, and of a claim in turn."""
    record = open_record(tmp_path, folder=tmp_path / "record")
    machine = Writers()
    try:
        machine.record = record
        machine.save_whole(record, "a", "ana", 1)
        machine.promised, machine.number = {("a", "ana"): {1}}, 1
        moment, is_done = 0, False
        while not is_done:
            new = f"new {moment}"  # of which no file is there yet
            for case in ("a", new):
                machine.save(case, "ana", moment)
                for lock in record.folder.glob("*.lock*"):  # each begins as the first did
                    lock.unlink()
            machine.claim(new, "ana", moment)
            machine.the_record_is_valid()
            machine.what_was_reported_is_there()
            moment += 1
            is_done = all(len(machine.promised[case, "ana"]) == 1 for case in ("a", new))
        assert moment > 10  # so many were there to crash in
    finally:
        machine.teardown()
