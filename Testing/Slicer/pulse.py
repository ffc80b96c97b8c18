"""Measures how long the window stands still while something happens."""

from __future__ import annotations

import faulthandler
import itertools
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer

ROOT = Path(__file__).resolve().parents[2]
NAP_S = 0.01
SETTLE_S = 0.15  # for what the end sets off, such as the loading of pictures


@dataclass(frozen=True)
class Standstill:
    """The longest time between two turns of the event loop.

    Attributes:
        wall_s: On the clock, which other programs stretch.
        cpu_s: What the main thread computed in one turn; waiting for a disk is not in it.
        stack: The calls of the main thread at `Watchdog.limit_s` after the longest turn began, the
            innermost first; empty if it did not last as long.
    """

    wall_s: float
    cpu_s: float
    stack: str = ""

    def calls(self, count: int) -> list[str]:
        """Return the innermost calls of the product in the stack."""
        lines = (line.strip().replace(f"{ROOT}/", "") for line in self.stack.splitlines())
        return [line.removeprefix("File ") for line in lines if "Lib/" in line][:count]


class Watchdog:
    """A thread that notes what the main thread is doing when it has not fed it for a while.

    It is a thread of the interpreter that needs no lock, so that it also sees calls into libraries.
    """

    limit_s = 0.3

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by stop
        self._read = 0

    def feed(self) -> str:
        """Begin to wait anew; return the calls that were noted since the last time."""
        faulthandler.cancel_dump_traceback_later()
        self._file.seek(self._read)
        noted = self._file.read()
        self._read += len(noted.encode())
        faulthandler.dump_traceback_later(self.limit_s, file=self._file)
        return _main_thread(noted)

    def stop(self) -> None:
        """Wait no more."""
        faulthandler.cancel_dump_traceback_later()
        self._file.close()


class Pulse:
    """Beats once per turn of the event loop."""

    def __init__(self, phase: Callable[[], str] = str) -> None:
        """Begin to measure.

        Args:
            phase: Says at a beat what goes on; pauses are distinguished by it.
        """
        self._phase = phase
        self._watchdog = Watchdog()
        self._beats = [self._now()]
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._beat)
        self._timer.start()

    def stop(self) -> dict[str, Standstill]:
        """End the measurement; return the longest pause that ended in each phase."""
        self._timer.stop()
        self._beat()
        found: dict[str, Standstill] = {}
        for earlier, later in itertools.pairwise(self._beats):
            known = found.get(later[2], Standstill(0.0, 0.0))
            wall, cpu = later[0] - earlier[0], later[1] - earlier[1]
            stack = later[3] if wall > known.wall_s else known.stack
            found[later[2]] = Standstill(max(wall, known.wall_s), max(cpu, known.cpu_s), stack)
        self._watchdog.stop()
        return found

    def _beat(self) -> None:
        self._beats.append(self._now())

    def _now(self) -> tuple[float, float, str, str]:
        now = time.perf_counter(), time.thread_time(), self._phase()
        return *now, self._watchdog.feed()


class Sleeper:
    """A thread that only sleeps: how late it wakes is what the machine does to all threads."""

    def __init__(self) -> None:
        self._isOver, self._late = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """End it and return the most that it was late, s."""
        self._isOver.set()
        self._thread.join()
        return self._late

    def _run(self) -> None:
        while not self._isOver.is_set():
            before = time.perf_counter()
            time.sleep(NAP_S)
            self._late = max(self._late, time.perf_counter() - before - NAP_S)


def longest_standstill(
    action: Callable[[], None], is_over: Callable[[], bool], *, timeout: float = 60.0
) -> Standstill:
    """Return the longest time without a turn of the event loop.

    Args:
        action: Starts what is measured, from within the event loop.
        is_over: Says when it has ended.
        timeout: Longest time to wait for that, s.
    """
    pulse = Pulse()
    qt.QTimer.singleShot(0, action)
    end = time.perf_counter() + timeout
    slicer.app.processEvents()
    while not is_over():
        if time.perf_counter() > end:
            msg = f"Waited {timeout:g} s in vain."
            raise AssertionError(msg)
        slicer.app.processEvents()
    settle = time.perf_counter() + SETTLE_S
    while time.perf_counter() < settle:
        slicer.app.processEvents()
    return pulse.stop()[""]


def _main_thread(noted: str) -> str:
    """Return the part of a dump of all threads that is about the main one: the last."""
    return noted.rpartition("(most recent call first):")[2].strip()
