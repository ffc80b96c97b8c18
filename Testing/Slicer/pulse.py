"""Measures how long the window stands still while something happens."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import qt
import slicer


def longest_standstill(action: Callable[[], None], is_over: Callable[[], bool]) -> float:
    """Return the longest time without a turn of the event loop, s.

    Args:
        action: Starts what is measured, from within the event loop.
        is_over: Says when it has ended.
    """
    beats = [time.perf_counter()]
    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", lambda: beats.append(time.perf_counter()))
    timer.start()
    qt.QTimer.singleShot(0, action)
    end = time.perf_counter() + 60.0
    slicer.app.processEvents()
    while not is_over():
        if time.perf_counter() > end:
            msg = "Waited 60 s in vain."
            raise AssertionError(msg)
        slicer.app.processEvents()
    settle = time.perf_counter() + 0.15  # what the end set off, such as the loading of pictures
    while time.perf_counter() < settle:
        slicer.app.processEvents()
    timer.stop()
    return max(later - earlier for earlier, later in itertools.pairwise(beats))
