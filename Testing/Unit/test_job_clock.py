"""The bar never goes back and the remaining time is right, also with noise and wrong speeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.texts import duration_words


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Seen:
    """What a user saw at a moment."""

    at_s: float
    share: float
    left_s: float | None
    stage: str


@dataclass(frozen=True)
class Truth:
    """A stage as it really goes; kept steps come first."""

    name: str
    n_steps: int
    step_s: float
    n_kept: int = 0


def simulate(
    truths: Sequence[Truth],
    *,
    planned: dict[str, float],
    learned: bool = True,
    noise: Callable[[], float] = lambda: 1.0,
    plan_names: Sequence[str] | None = None,
) -> list[Seen]:
    """Run a job whose stages were planned at so many seconds per step; return what was seen."""
    clock = Clock()
    by_name = {truth.name: truth for truth in truths}
    names = plan_names or [truth.name for truth in truths]
    n_steps = {name: by_name[name].n_steps if name in by_name else 50 for name in names}
    stages = tuple(PlannedStage(name, n_steps[name], planned[name]) for name in names)
    plan = JobPlan("job", stages)
    speeds = {plan.key(name): planned[name] for name in names} if learned else {}
    job, seen, start = JobClock(speeds, clock), [], clock.now

    def look() -> None:
        seen.append(Seen(clock.now - start, job.share, job.left_s, job.stage))

    job.plan(plan)
    for truth in truths:
        job.begin(truth.name, truth.n_steps)
        look()
        for number in range(truth.n_steps):
            is_kept = number < truth.n_kept
            took_s = 0.01 if is_kept else truth.step_s * noise()
            for _ in range(3):  # also between two steps
                clock.now += took_s / 3
                look()
            job.advance(kept=is_kept)
            look()
    return seen


def errors(seen: Sequence[Seen], *, after: float = 0.0) -> Iterator[float]:
    """Factor by which the time left was off, where at least a fifth of the job was left."""
    total_s = seen[-1].at_s
    for moment in seen:
        true_s = total_s - moment.at_s
        if moment.left_s is not None and moment.at_s >= after * total_s and true_s > 0.2 * total_s:
            yield max(moment.left_s / true_s, true_s / max(moment.left_s, 1e-9))


JOB = (
    Truth("Prepare", 50, 1.0),
    Truth("Describe", 50, 0.4),
    Truth("Check", 50, 2.0),
    Truth("Write", 1, 3.0),
)
RIGHT = {truth.name: truth.step_s for truth in JOB}


def test_with_right_speeds_the_time_is_right_from_the_first_moment_on() -> None:
    seen = simulate(JOB, planned=RIGHT)
    assert seen[0].left_s == pytest.approx(173.0)
    assert max(errors(seen)) < 1.05
    middle = min(seen, key=lambda moment: abs(moment.at_s - seen[-1].at_s / 2))
    assert middle.share == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_the_time_settles_although_steps_vary_by_half_their_length(seed: int) -> None:
    source = random.Random(seed)
    seen = simulate(JOB, planned=RIGHT, noise=lambda: source.gammavariate(4.0, 0.25))
    assert max(errors(seen)) < 1.7
    assert max(errors(seen, after=0.5)) < 1.5


@pytest.mark.parametrize("factor", [0.1, 0.3, 3.0, 8.0])
def test_wrong_speeds_are_corrected_by_the_stages_that_ran(factor: float) -> None:
    wrong = {name: speed * factor for name, speed in RIGHT.items()}
    seen = simulate(JOB, planned=wrong)
    assert max(errors(seen, after=0.25)) < 2.5
    assert max(errors(seen, after=0.5)) < 1.2


def test_one_stage_that_was_planned_wrongly_does_not_spoil_the_others() -> None:
    seen = simulate(JOB, planned={**RIGHT, "Describe": 4.0})
    begun = next(moment for moment in seen if moment.stage == "Check")
    true_s = seen[-1].at_s - begun.at_s
    assert begun.left_s is not None
    assert begun.left_s > true_s / 3
    assert max(errors(seen, after=0.5)) < 1.3


def test_nothing_is_said_of_a_computer_that_is_not_known_until_it_has_shown_its_speed() -> None:
    seen = simulate(JOB, planned=RIGHT, learned=False)
    assert seen[0].left_s is None
    assert seen[4].left_s == pytest.approx(172.0, rel=0.1)


def test_what_was_done_before_the_plan_does_not_show_how_quick_a_computer_is() -> None:
    clock = Clock()
    job = JobClock(None, clock)
    job.begin("Find", 1)
    clock.now += 1.0
    job.advance()
    job.plan(JobPlan("job", (PlannedStage("Train", 100, 20.0),)))
    assert job.left_s is None
    clock.now += 5.0
    assert job.left_s == pytest.approx(2000.0)


def test_after_five_seconds_without_a_step_there_is_a_time() -> None:
    clock = Clock()
    job = JobClock(None, clock)
    job.plan(JobPlan("job", (PlannedStage("Train", 100, 20.0),)))
    job.begin("Train", 100)
    assert job.left_s is None
    clock.now += 6.0
    assert job.left_s == pytest.approx(2000 - 6.0)


def test_a_step_that_takes_far_longer_than_planned_is_seen_before_it_ends() -> None:
    clock = Clock()
    plan = JobPlan("job", (PlannedStage("Train", 100, 1.0),))
    job = JobClock({plan.key("Train"): 1.0}, clock)
    job.plan(plan)
    job.begin("Train", 100)
    clock.now += 60.0
    assert job.left_s is not None
    assert job.left_s > 1000


def test_kept_steps_count_as_done_and_teach_nothing() -> None:
    kept = (Truth("Prepare", 50, 1.0, n_kept=40), *JOB[1:])
    seen = simulate(kept, planned=RIGHT)
    after = next(moment for moment in seen if moment.share > 0 and moment.at_s > 0.395)
    assert after.share == pytest.approx(40 / 173, abs=0.02)
    assert after.left_s == pytest.approx(133, rel=0.05)


def test_a_stage_that_is_skipped_counts_as_done() -> None:
    names = [truth.name for truth in JOB]
    without = [truth for truth in JOB if truth.name != "Describe"]
    seen = simulate(without, planned=RIGHT, plan_names=names)
    before = [moment for moment in seen if moment.stage == "Prepare"][-1]
    after = next(moment for moment in seen if moment.stage == "Check")
    assert after.share - before.share == pytest.approx(20 / 173, abs=0.01)
    assert after.left_s == pytest.approx(103.0)


def test_the_place_of_a_stage_is_that_of_the_plan_and_stages_that_take_turns_share_one() -> None:
    clock = Clock()
    job = JobClock(None, clock)
    job.begin("Find", 1)
    assert (job.place, job.n_stages) == (1, None)
    job.advance()
    stages = (PlannedStage("Train", 4, 1.0), PlannedStage("Validate", 2, 1.0, joins=True))
    job.plan(JobPlan("train", (PlannedStage("Find", 1, 1.0), *stages, PlannedStage("End", 1, 1.0))))
    seen = []
    for name, total in (("Train", 4), ("Validate", 2), ("Train", 4), ("Validate", 2), ("End", 1)):
        job.begin(name, total)
        clock.now += 1.0
        job.advance(2 if name == "Train" else 1)
        seen.append((job.place, job.n_stages, job.counts, job.left_s))
    assert [entry[:3] for entry in seen] == [
        (2, 3, (2, 4)),
        (2, 3, (1, 2)),
        (2, 3, (4, 4)),
        (2, 3, (2, 2)),
        (3, 3, (1, 1)),
    ]
    assert seen[-1][3] == 0.0


def test_what_was_done_before_the_plan_was_told_is_not_taken_for_the_whole_job() -> None:
    clock = Clock()
    plan = JobPlan("job", (PlannedStage("Find", 1, 1.0), PlannedStage("Read", 10, 1.0)))
    job = JobClock({plan.key("Read"): 3.0}, clock)
    job.begin("Find", 1)
    clock.now += 10.0
    job.advance()
    clock.now += 10.0  # libraries are loaded
    assert (job.share, job.left_s) == (0.0, None)
    job.plan(plan)
    assert job.share == pytest.approx(20 / 50)
    assert job.left_s == pytest.approx(30.0)


def test_a_stage_that_nobody_planned_finds_its_place() -> None:
    job = JobClock(None, Clock())
    job.plan(JobPlan("job", (PlannedStage("A", 1, 1.0), PlannedStage("B", 1, 1.0))))
    places = []
    for name in ("A", "extra", "B"):
        job.begin(name, 1)
        job.advance()
        places.append((job.place, job.n_stages))
    assert places == [(1, 2), (2, 3), (3, 3)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_job_does_the_bar_never_goes_back(data: st.DataObject) -> None:
    clock = Clock()
    names = ["A", "B", "C", "D", "E"]
    seconds = st.floats(0.0, 1e5)
    stages = tuple(
        PlannedStage(
            name,
            data.draw(st.integers(0, 5)),
            data.draw(seconds),
            size=data.draw(st.floats(0.0, 10.0)),
            joins=data.draw(st.booleans()),
        )
        for name in names
    )
    plan = JobPlan("job", stages)
    job = JobClock({plan.key(name): data.draw(st.floats(1e-6, 1e5)) for name in "ACE"}, clock)
    acts = {
        "plan": lambda: job.plan(plan),
        "begin": lambda: job.begin(
            data.draw(st.sampled_from([*names, "other"])), data.draw(st.integers(0, 5))
        ),
        "advance": lambda: job.advance(data.draw(st.integers(0, 3))),
        "kept": lambda: job.advance(data.draw(st.integers(0, 3)), kept=True),
        "part": lambda: job.within(data.draw(st.floats(0.0, 1.0))),
        "wait": lambda: None,
    }
    share = 0.0
    for act in data.draw(st.lists(st.sampled_from(sorted(acts)), max_size=30)):
        clock.now += data.draw(seconds)
        acts[act]()
        assert share <= job.share < 1.0
        share = job.share
        assert job.left_s is None or job.left_s >= 0.0
        assert job.n_stages is None or 0 <= job.place <= max(job.n_stages, 1)
        assert all(speed > 0 for speed in job.measured().values())


def test_speeds_are_measured_per_step_and_unit_of_work_where_enough_was_computed() -> None:
    clock = Clock()
    job = JobClock(None, clock)
    stages = (PlannedStage("A", 10, 1.0, size=4.0), PlannedStage("B", 10, 1.0))
    job.plan(JobPlan("select", stages, device="cuda"))
    for name, n, n_kept in (("A", 6, 4), ("B", 1, 0)):
        job.begin(name, 10)
        clock.now += 0.5
        job.advance(n_kept, kept=True)
        for _ in range(n):
            clock.now += 2.0
            job.advance()
    assert job.measured() == {"select/A/cuda": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a few seconds"),
        (13, "about 15 s"),
        (58, "about 1 min"),
        (98, "about 1 min 40 s"),
        (299, "about 5 min"),
        (431, "about 7 min"),
        (1300, "about 20 min"),
        (7150, "about 2 h"),
        (12100, "about 3 h 20 min"),
        (50000, "about 14 h"),
    ],
)
def test_durations_are_told_as_one_would_say_them(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
