"""Any sequence of operations by two writers, with a crash between any two operations on files.

A crash is an exception that nothing in the program handles, raised in place of the n-th call that
changes something on the disk, or in the middle of it where it writes; what was written before
stays, as after a kill. After each step the record must be valid, and what was reported as done must
be there.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

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
OPEN = io.open
WRITES = (os.write, Path.write_bytes)


class Crash(BaseException):
    """The process is gone: nobody handles this."""


def _mode(_file: object, mode: str = "r", *_arguments: object, **_options: object) -> str:
    return mode


@contextmanager
def crashing(after: int | None) -> Iterator[None]:
    """Crash in place of the call after so many that change something; nothing works any more then.

    What runs while the crash passes (the tidying of `finally`) does not happen in a kill either.
    """
    n_calls, is_half = [0], [False]

    def guarded(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if original is OPEN and not set("wax+") & set(_mode(*arguments, **options)):
                return original(*arguments, **options)  # it only reads
            if after is None or n_calls[0] < after or is_half[0]:
                n_calls[0] += 1
                return original(*arguments, **options)
            if n_calls[0] == after and original in WRITES:
                target, data = arguments
                is_half[0] = True
                original(target, data[: len(data) // 2])
                is_half[0] = False
            n_calls[0] = after + 1
            raise Crash

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in CHANGES:
            patch.setattr(owner, name, guarded(getattr(owner, name)))
        with suppress(Crash, CohortError):  # claimed by the other one, locked, different
            yield


MOMENTS = st.one_of(st.none(), st.integers(0, 40))


class Writers(RuleBasedStateMachine):
    """Two people who label two cases, on records that they share, with exports now and then."""

    def __init__(self) -> None:
        super().__init__()
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

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=MOMENTS)
    def save(self, case: str, reader: str, crash: int | None) -> None:
        self.number += 1
        possible = self.promised.setdefault((case, reader), {0})
        possible.add(self.number)  # a crash may come before or after it is there
        with crashing(crash):
            self.save_whole(self.record, case, reader, self.number)
            self.promised[case, reader] = {self.number}
            self.states[case] = CaseState.LABELLED

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=MOMENTS)
    def claim(self, case: str, reader: str, crash: int | None) -> None:
        with crashing(crash):
            self.record.claim(case, reader)
            assert self.record.read_states().claims[case].reader == reader

    @rule(case=st.sampled_from(CASES), reader=st.sampled_from(READERS), crash=MOMENTS)
    def release(self, case: str, reader: str, crash: int | None) -> None:
        with crashing(crash):
            self.record.release(case, reader)
            assert case not in self.record.read_states().claims

    @rule(case=st.sampled_from(CASES), crash=MOMENTS)
    def skip(self, case: str, crash: int | None) -> None:
        known = self.states.pop(case, None)
        with crashing(crash):
            self.record.change_states({case: CaseState.SKIPPED}, note="why")
            self.states[case] = CaseState.SKIPPED
        if known is self.record.read_states().of(case):
            self.states[case] = known

    @rule(case=st.sampled_from(CASES), crash=MOMENTS)
    def set_aside(self, case: str, crash: int | None) -> None:
        with crashing(crash):
            self.record.set_evaluation({case: "group"}, seed=1)
            assert self.record.read_states().evaluation[case] == "group"

    @rule(number=st.integers(1, 3), crash=MOMENTS)
    def end_round(self, number: int, crash: int | None) -> None:
        new = Round(number, (), "models/m", "m", AT)
        with crashing(crash):
            append_round(self.record, new)
            assert new in read_rounds(self.record)

    @rule(crash=MOMENTS)
    def note(self, crash: int | None) -> None:
        with crashing(crash):
            append_event(self.record, "opened", "a")
            self.n_events += 1

    @rule(crash=MOMENTS, back=st.booleans())
    def exchange(self, crash: int | None, back: bool) -> None:
        source, target = (self.record, self.other) if back else (self.other, self.record)
        self.n_exports += 1
        folder = self.folder / f"export-{self.n_exports}"
        if not back:
            self.promised.setdefault(("a", "ana"), {0}).add(10**6)
        with crashing(crash):
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


def run(n: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    chosen = settings(
        max_examples=n,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Writers, settings=chosen)


def test_any_sequence_with_crashes_leaves_a_valid_record() -> None:
    run(6, 10)


@pytest.mark.evidence
def test_many_sequences_with_crashes_leave_a_valid_record() -> None:
    run(400, 40)


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
