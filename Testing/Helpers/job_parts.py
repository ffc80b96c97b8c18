"""Says how far a job of several commands is, and how long all of it still takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.texts import duration_words
from MultimodalImagingLib.record.speeds_file import SpeedsFile


class JobParts:
    """The commands of a job as the stages of one plan; speeds are learned as those of jobs are."""

    def __init__(
        self,
        kind: str,
        work: Mapping[str, tuple[float, float]],
        say: Callable[[str], None],
        speeds: SpeedsFile | None = None,
    ) -> None:
        """Plan the job.

        Args:
            kind: What the job is; speeds are learned by it.
            work: For every command, in order, its amount of work and the usual seconds per unit.
            say: Tells the user.
            speeds: What earlier jobs took; `None` for the file of the user.
        """
        self._speeds = SpeedsFile() if speeds is None else speeds
        self._clock = JobClock(self._speeds.read())
        self._say = say
        stages = (PlannedStage(name, 1, usual_s, size) for name, (size, usual_s) in work.items())
        self._clock.plan(JobPlan(kind, tuple(stages)))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Say which part begins and how long the job still takes; learn how long the part took."""
        clock = self._clock
        clock.begin(name, 1)
        left = "" if clock.left_s is None else f" · {duration_words(clock.left_s)} left for all"
        self._say(f"Part {clock.place} of {clock.n_stages}{left}")
        yield
        clock.advance()
        self._speeds.learn(clock.measured())
