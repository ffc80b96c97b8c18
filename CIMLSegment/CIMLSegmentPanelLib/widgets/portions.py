"""Long work on the main thread in short portions, so that the window never stops for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import qt

PORTION_S = 0.02


class Portions:
    """Does one piece of work at a time; a new one takes the place of the one before."""

    def __init__(self) -> None:
        self._steps: Iterator[object] | None = None
        self._done: Callable[[], None] | None = None

    def start(self, steps: Iterator[object], done: Callable[[], None]) -> None:
        """Take steps a moment later, some per turn of the event loop.

        Args:
            steps: Does a little whenever the next of its values is asked for.
            done: Called after the last step; not if the work was stopped.
        """
        self.stop()
        self._steps, self._done = steps, done
        qt.QTimer.singleShot(0, lambda: self._goOn(steps))

    def stop(self) -> None:
        """Take no more steps."""
        self._steps, self._done = None, None

    def _goOn(self, steps: Iterator[object]) -> None:
        if steps is not self._steps:
            return
        deadline = time.monotonic() + PORTION_S
        for _step in steps:
            if time.monotonic() > deadline:
                qt.QTimer.singleShot(0, lambda: self._goOn(steps))
                return
        done = self._done
        self.stop()
        if done is not None:
            done()
