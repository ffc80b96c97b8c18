"""Processes and their descendants: who they are, and how to end them all.

Uses what the system offers: psutil is not there before the packages are installed, and a job has to
be ended then, too. Must not import Slicer or Qt.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessID:
    """A process that is distinguished from a later one with the same number.

    Attributes:
        pid: Number of the process.
        started: When it was started, in a unit of the system; empty if unknown.
    """

    pid: int
    started: str


def process_tree(pid: int) -> list[ProcessID]:
    """Return a process and all its descendants; empty if it does not run.

    On Windows only the process itself: `kill` finds the rest there.
    """
    if sys.platform == "win32":
        return [ProcessID(pid, "")]
    parents = _running()
    if pid not in parents:
        return []
    tree = [pid]
    for parent in tree:  # grows while it is read
        tree += [child for child, (of, _) in parents.items() if of == parent and child not in tree]
    return [ProcessID(number, parents[number][1]) for number in tree]


def terminate(processes: list[ProcessID]) -> None:
    """Ask processes to end. Windows has no such request for console programs: nothing happens."""
    if sys.platform != "win32":
        _signal(processes, signal.SIGTERM)


def kill(processes: list[ProcessID]) -> None:
    """End processes at once."""
    if sys.platform == "win32":
        for process in processes:
            subprocess.Popen(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
    else:
        _signal(processes, signal.SIGKILL)


def _signal(processes: list[ProcessID], number: int) -> None:
    running = _running()
    for process in processes:
        entry = running.get(process.pid)
        if entry is None or entry[1] != process.started:
            continue
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # it ended between the two lines
            continue


def _running() -> dict[int, tuple[int, str]]:
    """Return parent and start time of every process that is not a zombie, by its number."""
    has_proc = Path("/proc/self/stat").exists()
    return _running_from_proc() if has_proc else _running_from_ps()


def _running_from_proc() -> dict[int, tuple[int, str]]:
    running = {}
    for folder in os.listdir("/proc"):  # noqa: PTH208 - twice as fast as pathlib, on the main thread
        if not folder.isdigit():
            continue
        try:
            with open(f"/proc/{folder}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                fields = file.read().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        state, parent, started = fields[0], fields[1], fields[19]
        if state not in "ZX":
            running[int(folder)] = (int(parent), started)
    return running


def _running_from_ps() -> dict[int, tuple[int, str]]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,state=,lstart="],
        capture_output=True,
        text=True,
        check=True,
    )
    running = {}
    for line in listing.stdout.splitlines():
        pid, parent, state, started = line.split(maxsplit=3)
        if not state.startswith("Z"):
            running[int(pid)] = (int(parent), started)
    return running
