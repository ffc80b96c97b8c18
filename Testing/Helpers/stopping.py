"""A reporter that cancels a job at a given step, and notes what was planned and done."""

from __future__ import annotations

from collections import Counter

from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import NullReporter


class Stopping(NullReporter):
    """Notes stages and steps, and cancels after a given step of a stage."""

    def __init__(self, stop: tuple[str, int] | None = None) -> None:
        self.stop = stop
        self.stages: dict[str, int] = {}
        self.open: str | None = None
        self.done: Counter[str] = Counter()
        self.planned: dict[str, int] = {}

    def plan(self, plan: JobPlan) -> None:
        self.planned = {stage.name: stage.n_steps for stage in plan.stages}

    def stage(self, name: str, total: int) -> None:
        self.stages[name], self.open = total, name

    def advance(self, n: int = 1) -> None:
        assert self.open is not None
        self.done[self.open] += n
        if (self.open, self.done[self.open]) == self.stop:
            raise CancelledError
