"""How long a case was looked at, and how long somebody drew. Must not import Slicer or Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

IDLE_S = 60.0  # a longer pause between two changes is no drawing
LONGEST_STEP_S = 10.0  # between two ticks; more means that the computer was asleep or busy


@dataclass(frozen=True)
class ReadingTimes:
    """Seconds spent with a case.

    Attributes:
        looking_s: While it was open and Slicer was the active application.
        drawing_s: Between changes of its labels, pauses of more than `IDLE_S` left out.
    """

    looking_s: float = 0.0
    drawing_s: float = 0.0


class ReadingTime:
    """Counts the seconds of the case that is open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing.

        Args:
            clock: Tells the time, s.
        """
        self._clock = clock
        self._tickedAt = clock()
        self._editedAt: float | None = None
        self._looking = self._drawing = 0.0

    @property
    def times(self) -> ReadingTimes:
        """The seconds since the case was opened, or since `take`."""
        return ReadingTimes(self._looking, self._drawing)

    def tick(self, *, isActive: bool) -> None:
        """Count the time since the last tick, if Slicer was the active application."""
        now = self._clock()
        if isActive:
            self._looking += min(now - self._tickedAt, LONGEST_STEP_S)
        self._tickedAt = now

    def edited(self) -> None:
        """Note a change of the labels."""
        now = self._clock()
        if self._editedAt is not None and now - self._editedAt <= IDLE_S:
            self._drawing += now - self._editedAt
        self._editedAt = now

    def interrupt(self) -> None:
        """Let no drawing go on from the changes before: they were not the user's."""
        self._editedAt = None

    def take(self) -> ReadingTimes:
        """Return the seconds, and begin anew."""
        times = self.times
        self._looking = self._drawing = 0.0
        return times
