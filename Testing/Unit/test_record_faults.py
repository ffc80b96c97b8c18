"""A full disk, a read-only folder, a folder that vanishes: the message says where the work is."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from folder_state import folder_state
from record_check import check_record
from record_writer import GRID, write_segmentation

from MDALSelectorLib.exchange.record_content import read_content
from MDALSelectorLib.exchange.record_export import export_record
from MDALSelectorLib.exchange.record_merge import merge_content
from MultimodalImagingLib.cohorts.label_maps import write_label_map
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import append_event, read_history
from MultimodalImagingLib.record.rounds import Round, append_round

ROUND = Round(1, ("a",), "models/one", "1c0ffee5", "2026-11-30T10:00:00+00:00")


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    """A record with two labels, an export of which lies beside it."""
    record = open_record(tmp_path, folder=tmp_path / "record")
    for case in ("a", "b"):
        save(record, case, "ana", 1)
    write_label_map("a", record, GRID)
    export_record(record, tmp_path / "export", NullReporter())
    return record


def save(record: CohortRecord, case: str, reader: str, number: int) -> None:
    place = reader_label_place(case, reader, record)
    write_segmentation(place, number)
    note_saved_label(record, new_saved_label(case, reader, place, record))


def _save_state(record: CohortRecord) -> None:
    record.change_states({"a": CaseState.SKIPPED})


def _claim(record: CohortRecord) -> None:
    record.claim("b", "bo")


def _note(record: CohortRecord) -> None:
    place = reader_label_place("a", "ana", record)
    note_saved_label(record, new_saved_label("a", "ana", place, record))


def _map(record: CohortRecord) -> None:
    write_label_map("b", record, GRID)


def _history(record: CohortRecord) -> None:
    append_event(record, "opened", "a")


def _round(record: CohortRecord) -> None:
    append_round(record, ROUND)


OPERATIONS: dict[str, Callable[[CohortRecord], None]] = {
    "state": _save_state,
    "claim": _claim,
    "note": _note,
    "map": _map,
    "history": _history,
    "round": _round,
}


@contextmanager
def a_full_disk(limit: int = 16) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes: less than a lock has, if not given."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_that_takes_no_more_leaves_everything_as_it_was(
    record: CohortRecord, name: str
) -> None:
    history = (record.folder / "history.jsonl").read_bytes()
    before = folder_state(record.folder)
    with a_full_disk(), pytest.raises(CrossModalError, match="cannot be written") as caught:
        OPERATIONS[name](record)
    assert "again" in str(caught.value) or "Free space" in str(caught.value)
    after = folder_state(record.folder)
    assert {k: v for k, v in after.items() if not k.startswith("history")} == {
        k: v for k, v in before.items() if not k.startswith("history")
    }
    assert (record.folder / "history.jsonl").read_bytes().startswith(history)
    check_record(record)
    OPERATIONS[name](record)  # once there is space again


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "round"])
def test_a_disk_that_fills_in_the_middle_of_a_file_leaves_it_whole(
    record: CohortRecord, name: str
) -> None:
    """Here locks can be written, and the history or the states only in part."""
    history = record.folder / "history.jsonl"
    n_events, states = len(read_history(record)), (record.folder / "cases.json").read_bytes()
    limit = min(history.stat().st_size, len(states)) + 20
    with a_full_disk(limit), pytest.raises(CrossModalError, match="cannot be written"):
        OPERATIONS[name](record)
    assert (record.folder / "cases.json").read_bytes() == states
    assert len(read_history(record)) == n_events
    check_record(record)
    OPERATIONS[name](record)
    assert len(read_history(record)) > n_events or name == "map"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte in memory; only the superuser can have one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("A small disk can be mounted by the superuser of Linux only.")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until the disk takes no more bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass
    assert shutil.disk_usage(folder).free == 0
    return filler


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_that_is_really_full_leaves_everything_as_it_was(
    small_disk: Path, name: str
) -> None:
    record = open_record(small_disk, folder=small_disk / "record")
    for case in ("a", "b"):
        save(record, case, "ana", 1)
    check_record(record)
    filler = fill(small_disk)
    before = folder_state(record.folder)
    with pytest.raises(CrossModalError, match="cannot be written") as caught:
        OPERATIONS[name](record)
    assert "again" in str(caught.value) or "Free space" in str(caught.value)
    assert folder_state(record.folder) == before
    filler.unlink()
    check_record(record)
    OPERATIONS[name](record)
    check_record(record)


def test_a_note_that_fails_says_where_the_label_is(record: CohortRecord) -> None:
    place = reader_label_place("a", "ana", record)
    with a_full_disk(), pytest.raises(CrossModalError, match=str(place)):
        _note(record)


def test_an_import_on_a_full_disk_can_be_repeated(record: CohortRecord, tmp_path: Path) -> None:
    other = open_record(tmp_path, folder=tmp_path / "other")
    content = read_content(tmp_path / "export")
    with a_full_disk(), pytest.raises(CrossModalError, match="import again"):
        merge_content(other, content, tmp_path / "export", may_replace=False)
    check_record(other)
    merge_content(other, content, tmp_path / "export", may_replace=False)
    assert set(other.read_states().labels) == {"a", "b"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_folder_that_vanishes_is_named(record: CohortRecord, name: str, tmp_path: Path) -> None:
    shutil.move(record.folder, tmp_path / "elsewhere")
    with pytest.raises(CrossModalError, match=r"cannot be written|Save it again"):
        OPERATIONS[name](record)
    assert not record.folder.exists()
    check_record(CohortRecord(tmp_path / "elsewhere"))


@contextmanager
def another_user() -> Iterator[None]:
    """Be a user without rights, for the superuser may write everywhere."""
    is_super = os.getuid() == 0
    if is_super:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_super:
            os.seteuid(0)
            os.setegid(0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_read_only_folder_is_named_and_unchanged(name: str) -> None:
    with tempfile.TemporaryDirectory() as place:  # others may not look into `tmp_path`
        Path(place).chmod(0o755)
        record = open_record(Path(place), folder=Path(place) / "record")
        save(record, "a", "ana", 1)
        save(record, "b", "ana", 1)
        paths = [record.folder, *record.folder.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = folder_state(record.folder)
        with another_user(), pytest.raises(CrossModalError, match="cannot be written"):
            OPERATIONS[name](record)
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert folder_state(record.folder) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_the_system_says_is_passed_on(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(CrossModalError, match=os.strerror(number)):
        record.change_states({"a": CaseState.SKIPPED})
    assert record.read_states().of("a") is CaseState.LABELLED
