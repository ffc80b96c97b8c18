"""How far a job is over all its stages, and how long it will still take.

The share that is done never falls. The remaining time comes from what earlier jobs on this computer
took per unit of work, and from the speed of this one: who is slower than planned in the stages so
far is expected to be slower in those that follow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage, Speeds

# A speed that was learned counts as much as so many steps of the stage itself, a usual one less.
_LEARNED_STEPS, _USUAL_STEPS = 4.0, 1.0
# How far the stages so far speak for those that follow: more steps and more seconds make a stage
# count, and that a speed was learned speaks against a change.
_TRUSTED_STEPS, _TRUSTED_S = 3.0, 3.0
_DOUBT_IF_LEARNED, _DOUBT_IF_USUAL = 0.5, 0.1
# After that long without a finished step a guess is better than no time at all, s.
_PATIENCE_S = 5.0
_LEAST_S, _LEAST_PART = 0.01, 0.02  # shorter times and smaller parts say nothing
_MOST_SHARE = 0.99  # the rest is for the end of the job, which the job itself does not see
_FEWEST_SHARE, _FEWEST_STEPS = 0.25, 20  # of steps, for a speed that others can rely on


@dataclass
class _Stage:
    """What is known of a stage; times in s."""

    name: str
    n_steps: int
    place: int
    size: float = 1.0
    planned_s: float | None = None
    is_learned: bool = False
    done: int = 0
    kept: int = 0
    part: float = 0.0
    busy_s: float = 0.0
    is_over: bool = False

    @property
    def computed(self) -> int:
        return self.done - self.kept

    @property
    def n_open(self) -> int:
        return 0 if self.is_over else max(self.n_steps - self.done, 0)


class JobClock:
    """Follows a job through its stages; a job without a plan is followed stage by stage."""

    def __init__(
        self, speeds: Speeds | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to follow a job.

        Args:
            speeds: What earlier jobs took, by the keys of `JobPlan.key`.
            clock: Time in s; for tests.
        """
        self._speeds = speeds or {}
        self._clock = clock
        self._start = self._last = clock()
        self._plan: JobPlan | None = None
        self._stages: list[_Stage] = []
        self._running: _Stage | None = None
        self._share = 0.0

    @property
    def stage(self) -> str:
        """Name of the stage that runs; empty before the first."""
        return "" if self._running is None else self._running.name

    @property
    def counts(self) -> tuple[int, int]:
        """Finished steps of the stage that runs, and all of its steps."""
        return (0, 0) if self._running is None else (self._running.done, self._running.n_steps)

    @property
    def place(self) -> int:
        """Number of the stage that runs, from 1; 0 before the first."""
        return 0 if self._running is None else self._running.place

    @property
    def n_stages(self) -> int | None:
        """Number of stages; `None` as long as nobody has told the plan."""
        return None if self._plan is None else max((s.place for s in self._stages), default=0)

    @property
    def share(self) -> float:
        """Share of the job that is done, 0 to 1; never falls; 0 until the plan is told."""
        return min(self._share, _MOST_SHARE)

    @property
    def left_s(self) -> float | None:
        """Remaining time of the job, s; `None` as long as nothing sensible can be said."""
        is_unknown = self._plan is None and not any(stage.n_open for stage in self._stages)
        return None if is_unknown or self._is_guess() else self._left_s()

    def plan(self, plan: JobPlan) -> None:
        """Follow a plan from now on; what was done before it counts."""
        self._tick()
        names = {planned.name for planned in plan.stages}
        stages = [
            s
            for s in self._stages
            if s.name not in names and (s.done or s.is_over or s is self._running)
        ]
        for place, stage in enumerate(stages, start=1):
            stage.place = place
        place = len(stages)
        for planned in plan.stages:
            place += 0 if planned.joins else 1
            stages.append(self._planned(plan, planned, place))
        is_first = self._plan is None
        self._plan, self._stages = plan, stages
        self._move(self._last - self._start if is_first else 0.0)

    def begin(self, name: str, n_steps: int) -> None:
        """Go on to a stage, or back to one that takes turns with the one before.

        Raises:
            ValueError: If the number of steps is negative.
        """
        if n_steps < 0:
            msg = f"Expected a number of steps of at least 0, got {n_steps}."
            raise ValueError(msg)
        self._tick()
        stage = self._next(name) or self._inserted(name)
        skipped = [s for s in self._stages if s.place < stage.place and not s.is_over]
        kept_s = sum(self._stage_left_s(s) or 0.0 for s in skipped)
        for of in skipped:
            of.is_over = True
        stage.n_steps, stage.part = n_steps, 0.0
        self._running = stage
        self._move(kept_s)

    def advance(self, n: int = 1, *, kept: bool = False) -> None:
        """Count finished steps; of kept ones nothing is learned."""
        stage = self._running
        if stage is None:
            return
        saved_s = n * (self._rate_s(stage) or 0.0) if kept else 0.0
        passed_s = self._spent()
        if kept:
            stage.busy_s -= passed_s
            stage.kept += n
        stage.done, stage.part = stage.done + n, 0.0
        self._move(passed_s + saved_s)

    def within(self, share: float) -> None:
        """Take note of how much of the running step is done, 0 to 1."""
        passed_s = self._spent()
        if self._running is not None:
            self._running.part = share if share >= _LEAST_PART else 0.0
        self._move(passed_s)

    def measured(self) -> dict[str, float]:
        """Return the speeds of the stages that computed enough, by the keys of `JobPlan.key`."""
        if self._plan is None:
            return {}
        self._tick()
        return {
            self._plan.key(stage.name): stage.busy_s / (stage.computed * stage.size)
            for stage in self._stages
            if stage.computed >= min(max(1, _FEWEST_SHARE * stage.n_steps), _FEWEST_STEPS)
            and stage.busy_s > 0
        }

    def _planned(self, plan: JobPlan, of: PlannedStage, place: int) -> _Stage:
        """Return a stage of a plan, with what was done of it before the plan was told."""
        same = [s for s in (self._running, *self._stages) if s is not None and s.name == of.name]
        stage = same[0] if same else _Stage(of.name, of.n_steps, place)
        learned = plan.speeds.get(of.name, self._speeds.get(plan.key(of.name)))
        stage.place, stage.size = place, max(of.size, 1e-9)
        if stage is not self._running:
            stage.n_steps = of.n_steps
        stage.planned_s = (of.usual_s if learned is None else learned) * stage.size
        stage.is_learned = learned is not None
        return stage

    def _next(self, name: str) -> _Stage | None:
        """Return the open stage of a name that begins now or goes on."""
        here = self.place
        return next(
            (s for s in self._stages if s.name == name and s.place >= here and s.n_open), None
        ) or next(
            (s for s in self._stages if s.name == name and s.place > here and not s.is_over), None
        )

    def _inserted(self, name: str) -> _Stage:
        """Make room for a stage that nobody had planned, behind the one that runs."""
        place = self.place + 1
        for stage in self._stages:
            stage.place += stage.place >= place
        stage = _Stage(name, 0, place)
        before = [s for s in self._stages if s.place < place]
        self._stages.insert(len(before), stage)
        return stage

    def _tick(self) -> None:
        self._move(self._spent())

    def _spent(self) -> float:
        """Give the time since the last event to the stage that runs; returns it, s."""
        now = self._clock()
        passed_s, self._last = now - self._last, now
        if self._running is not None:
            self._running.busy_s += passed_s
        return passed_s

    def _move(self, work_s: float) -> None:
        """Go on by work that took, or would have taken, so many seconds."""
        left_s = None if self._plan is None else self._left_s()
        if left_s is not None and work_s > 0:
            self._share += (1 - self._share) * work_s / (work_s + left_s)

    def _is_guess(self) -> bool:
        """Tell whether neither this job nor an earlier one has shown how quick this computer is."""
        if any(stage.is_learned for stage in self._stages if stage.n_open):
            return False
        is_planned = self._plan is not None
        known = [s for s in self._stages if s.planned_s is not None or not is_planned]
        is_measured = any(stage.computed or stage.part for stage in known)
        return not is_measured and self._clock() - self._start < _PATIENCE_S

    def _left_s(self) -> float | None:
        total_s = 0.0
        for stage in self._stages:
            left_s = self._stage_left_s(stage)
            if left_s is None:
                return None
            total_s += left_s
        return total_s

    def _stage_left_s(self, stage: _Stage) -> float | None:
        if not stage.n_open:
            return 0.0
        rate_s = self._rate_s(stage)
        if rate_s is None:
            return None
        waited_s = self._waited_s(stage)
        begun_s = stage.part * rate_s if stage.part else min(waited_s, rate_s)
        return stage.n_open * rate_s - begun_s

    def _rate_s(self, stage: _Stage) -> float | None:
        """Return how long a step that is to be computed takes, s; `None` if unknown."""
        waited_s, planned_s, weight = self._waited_s(stage), 0.0, 0.0
        if stage.planned_s is not None:
            weight = _LEARNED_STEPS if stage.is_learned else _USUAL_STEPS
            planned_s = stage.planned_s * self._slowness(is_learned=stage.is_learned)
        steps = weight + stage.computed + stage.part
        if not steps:
            return None
        took_s = weight * planned_s + stage.busy_s
        if stage.part:
            return (took_s + waited_s) / steps
        return max(took_s / steps, (took_s + waited_s) / (steps + 1))

    def _waited_s(self, stage: _Stage) -> float:
        return self._clock() - self._last if stage is self._running else 0.0

    def _slowness(self, *, is_learned: bool) -> float:
        """Return how much longer this job takes than planned so far, as a factor."""
        known = [
            s for s in self._stages if s.planned_s and s.computed and s.is_learned >= is_learned
        ]
        logs = weights = 0.0
        for stage in known:
            planned_s = stage.computed * (stage.planned_s or 0.0)
            time_s = max(planned_s, stage.busy_s)
            weight = stage.computed / (stage.computed + _TRUSTED_STEPS)
            weight *= time_s / (time_s + _TRUSTED_S)
            ratio = (_LEAST_S + stage.busy_s) / (_LEAST_S + planned_s)
            logs, weights = logs + weight * log(ratio), weights + weight
        return exp(logs / (weights + (_DOUBT_IF_LEARNED if is_learned else _DOUBT_IF_USUAL)))
