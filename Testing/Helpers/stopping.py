"""Cancels a job at a given step, notes what was planned and done, and counts finished work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest

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


def count_work(
    monkeypatch: pytest.MonkeyPatch, work: Mapping[str, tuple[ModuleType, str]]
) -> Counter[str]:
    """Count how often each kind of work is finished from now on.

    Args:
        monkeypatch: Takes the counting away at the end of the test.
        work: Per kind the module that calls a function, and the name of that function there.
    """
    counts: Counter[str] = Counter()

    def counted(kind: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            result = function(*args, **kwargs)
            counts[kind] += 1
            return result

        return call

    for kind, (module, name) in work.items():
        monkeypatch.setattr(module, name, counted(kind, getattr(module, name)))
    return counts
