"""Measures how long the window stands still while something happens."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import qt
import slicer

NAP_S = 0.01
SETTLE_S = 0.15  # for what the end sets off, such as the loading of pictures


@dataclass(frozen=True)
class Standstill:
    """The longest time between two turns of the event loop.

    Attributes:
        wall_s: On the clock, which other programs stretch.
        cpu_s: What the main thread computed in one turn; waiting for a disk is not in it.
    """

    wall_s: float
    cpu_s: float


class Pulse:
    """Beats once per turn of the event loop."""

    def __init__(self, phase: Callable[[], str] = str) -> None:
        """Begin to measure.

        Args:
            phase: Says at a beat what goes on; pauses are distinguished by it.
        """
        self._phase = phase
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
            found[later[2]] = Standstill(max(wall, known.wall_s), max(cpu, known.cpu_s))
        return found

    def _beat(self) -> None:
        self._beats.append(self._now())

    def _now(self) -> tuple[float, float, str]:
        return time.perf_counter(), time.thread_time(), self._phase()


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
