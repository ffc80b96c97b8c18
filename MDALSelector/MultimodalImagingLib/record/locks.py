"""Locks between processes: a file that says who works in a folder, and whether they still do.

A lock of a process of this computer that ended is removed at once. Of other computers it is only
known when the lock was last touched; both times come from the disk, so clocks may differ. Only
locks that this program wrote are ever removed, and empty files, which hold nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.jobs.environment import user_name
from MultimodalImagingLib.record.json_entry import json_value

_TOUCH_INTERVAL_S = 20.0
_CLOCK_STEP_S = 2.0
_UNKNOWN = 0.0
_BEGAN = 19  # place of `starttime` behind the name in `/proc/<pid>/stat`
_OWN_START = '{"host": '


class LockedError(CohortError):
    """Another process works there; the text says which."""


class FolderLock:
    """A lock that this process holds."""

    def __init__(self, path: Path, token: str) -> None:
        self._path = path
        self._token = token
        self._ended = threading.Event()

    def check(self) -> None:
        """Make sure that the lock was not taken away, for example after this computer had slept.

        Raises:
            CrossModalError: If the lock is another's or gone.
        """
        if _read(self._path).get("token") != self._token:
            msg = (
                f"The lock {self._path} was taken by another process, so this one stops without"
                " writing there again. Start it anew in a folder of its own."
            )
            raise CrossModalError(msg)

    def keep_alive(self) -> None:
        """Touch the lock until it is released, so that others see that work goes on."""
        threading.Thread(target=self._touch, daemon=True).start()

    def release(self) -> None:
        """Remove the lock, if it is still ours."""
        self._ended.set()
        if _read(self._path).get("token") == self._token:
            self._path.unlink(missing_ok=True)

    def _touch(self) -> None:
        while not self._ended.wait(_TOUCH_INTERVAL_S):
            with suppress(OSError):
                os.utime(self._path)


@contextmanager
def locked(path: Path, *, wait_s: float, silent_for_s: float, what: str) -> Iterator[FolderLock]:
    """Hold a lock.

    Args:
        path: The lock file.
        wait_s: How long to wait for another process.
        silent_for_s: A lock that was not touched for longer was left by a crash.
        what: What is locked, at the beginning of the sentence that refuses.

    Raises:
        LockedError: If another process holds it, or the file is no lock.
    """
    deadline = time.monotonic() + wait_s
    while (lock := _create(path)) is None:
        if _remove_stale(path, silent_for_s):
            continue
        if time.monotonic() > deadline:
            raise LockedError(_refusal(path, what))
        time.sleep(0.05)
    try:
        yield lock
    finally:
        lock.release()


def _create(path: Path) -> FolderLock | None:
    token = secrets.token_hex(8)
    owner = {
        "host": socket.gethostname(),
        "place": _place(),
        "pid": os.getpid(),
        "process_started": _process_start(os.getpid()),
        "process_ticks": _process_ticks(os.getpid()),
        "user": user_name(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": token,
    }
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(owner, file)
    except OSError:  # a full disk: no lock rather than an empty one
        path.unlink(missing_ok=True)
        raise
    return FolderLock(path, token)


def _remove_stale(path: Path, silent_for_s: float) -> bool:
    """Remove the lock of a crash; returns whether there was one."""
    owner = _read(path)
    if not path.exists():
        return True
    if not _is_stale(path, owner, silent_for_s):
        return False
    aside = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):  # another process was quicker
        path.rename(aside)
        if _read(aside) == owner:
            aside.unlink()
        else:  # it had been replaced by a living one meanwhile
            aside.rename(path)
    return True


def _is_stale(path: Path, owner: Mapping[str, object], silent_for_s: float) -> bool:
    try:
        is_lock = "pid" in owner or path.stat().st_size == 0 or _is_half(path)
    except OSError:
        return False
    if not is_lock:
        return False
    is_here = owner.get("host") == socket.gethostname()
    if is_here and owner.get("place", _place()) == _place() and not _may_run(owner):
        return True
    return _silence_s(path) > silent_for_s


def _may_run(owner: Mapping[str, object]) -> bool:
    """Tell whether the owner, a process of this computer, may still run; ids are used again."""
    pid, started = owner.get("pid"), owner.get("process_started")
    if not isinstance(pid, int):
        return True
    now = _process_start(pid)
    if now is None:
        return False
    ticks, known = _process_ticks(pid), owner.get("process_ticks")
    if ticks is not None and isinstance(known, int):
        return ticks == known
    if not isinstance(started, (int, float)) or _UNKNOWN in (now, started):
        return True
    return abs(now - started) < _CLOCK_STEP_S


def _place() -> str:
    """Tell apart computers of one name, and containers that count their processes anew."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return f"{uuid.getnode():x} {namespace}".strip()


def _process_start(pid: int) -> float | None:
    """Return when a process began, s; `None` if it does not run."""
    try:
        import psutil
    except ImportError:  # not part of Slicer
        is_over = _process_ticks(os.getpid()) is not None and _process_ticks(pid) is None
        return None if is_over else _UNKNOWN
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:  # it runs, but may not be looked at
        return _UNKNOWN


def _process_ticks(pid: int) -> int | None:
    """Return when a process began by the clock of Linux that nobody sets; `None` if not known.

    The time of day at which it began seems to change when the clock of the computer is set.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes()
        return int(state.rpartition(b")")[2].split()[_BEGAN])
    except (OSError, ValueError, IndexError):
        return None


def _silence_s(path: Path) -> float:
    """Return how long a file was not touched, by the clock of its disk."""
    probe = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime - path.stat().st_mtime
    except OSError:
        return 0.0
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _is_half(path: Path) -> bool:
    """Tell whether a lock was cut while it was written, as by a crash or a full disk."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return text.startswith(_OWN_START) and not text.endswith("}")


def _read(path: Path) -> dict[str, object]:
    try:
        content = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # gone meanwhile, empty, or no lock
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(path: Path, what: str) -> str:
    owner = _read(path)
    if "pid" not in owner and _is_foreign(path):
        return f"{what} cannot be locked: {path} is not written by this program. Move it elsewhere."
    who = f"{owner.get('user', 'another user')} on {owner.get('host', 'another computer')}"
    since = f" since {owner['since']}" if "since" in owner else ""
    process = f", process {owner['pid']}" if "pid" in owner else ""
    return f"{what} is being written by {who}{process}{since}. Try again when that has ended."


def _is_foreign(path: Path) -> bool:
    try:
        return path.stat().st_size > 0 and not _is_half(path)
    except OSError:  # gone meanwhile, or of a user who lets nobody read it
        return False
