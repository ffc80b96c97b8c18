"""Locks: respected while their process runs, removed after a crash, never another's file."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record import locks
from MultimodalImagingLib.record.locks import LockedError, locked


def hold(path: Path, *, wait_s: float = 0.0):
    return locked(path, wait_s=wait_s, silent_for_s=60.0, what="The folder")


def owner(**changes: object) -> str:
    own = psutil.Process()
    found = {"host": socket.gethostname(), "pid": own.pid, "process_started": own.create_time()}
    return json.dumps({**found, "user": "ana", "token": "x", **changes})


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_lock_names_its_owner_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with hold(path) as lock:
        assert json.loads(path.read_text())["pid"] == os.getpid()
        lock.check()
        with pytest.raises(LockedError, match=rf"process {os.getpid()}"), hold(path):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (owner(pid=2**22 + 1), 0),
        (owner(process_started=psutil.Process().create_time() - 1000), 0),  # the id is used again
        (owner(host="another"), 120),
        ("", 120),
        (owner(place="another container", pid=2**22 + 1), 120),
    ],
    ids=["ended", "id used again", "another host", "empty", "another container"],
)
def test_what_a_crash_left_is_removed(tmp_path: Path, content: str, seconds: float) -> None:
    path = tmp_path / "a.lock"
    path.write_text(content)
    age(path, seconds)
    with hold(path) as lock:
        lock.check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (owner(), 0),
        (owner(host="another"), 5),
        (owner(place="another container", pid=2**22 + 1), 5),
        ("", 5),
        (owner(pid="12"), 5),
        ("my notes", 1000),
        ("[]", 1000),
    ],
    ids=["own", "another host", "another container", "empty", "no number", "notes", "list"],
)
def test_what_may_be_in_use_or_is_no_lock_stays(
    tmp_path: Path, content: str, seconds: float
) -> None:
    path = tmp_path / "a.lock"
    path.write_text(content)
    age(path, seconds)
    is_lock = not content or content[0] == "{"
    reason = "is being written by" if is_lock else "is not written by this program"
    with pytest.raises(LockedError, match=reason), hold(path):
        pass
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_was_taken_away_stops_its_owner_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with hold(path) as lock:
        path.write_text(owner())
        with pytest.raises(CrossModalError, match="taken by another process"):
            lock.check()
    assert path.read_text() == owner()


def test_a_lock_that_goes_while_it_is_looked_at_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.lock"
    path.write_text(owner())
    read = locks._read

    def read_and_lose(looked_at: Path) -> dict[str, object]:
        content = read(looked_at)
        looked_at.unlink(missing_ok=True)
        return content

    monkeypatch.setattr(locks, "_read", read_and_lose)
    with hold(path):
        assert json.loads(path.read_text())["token"] != "x"


def test_a_lock_stays_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time at which a process began moves with the clock of the computer on Linux."""
    began = psutil.Process().create_time()
    with hold(tmp_path / "a.lock") as lock:
        monkeypatch.setattr(psutil.Process, "create_time", lambda _process: began - 3600)
        with pytest.raises(LockedError, match="is being written by"), hold(tmp_path / "a.lock"):
            pass
        lock.check()


@pytest.mark.parametrize(("length", "seconds"), [(11, 120), (40, 120), (40, 5)])
def test_half_a_lock_is_that_of_a_crash(tmp_path: Path, length: int, seconds: float) -> None:
    path = tmp_path / "a.lock"
    with hold(path):
        text = path.read_text()
    path.write_text(text[:length])
    age(path, seconds)
    is_old = seconds > 60
    told = nullcontext() if is_old else pytest.raises(LockedError, match="is being written by")
    with told, hold(path) as lock:
        lock.check()


def test_a_process_that_ended_is_known_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer has no psutil; the next one shall not wait for a minute after it was killed."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert not locks._may_run({"pid": 2**22 + 1})
    assert locks._may_run({"pid": os.getpid()})
