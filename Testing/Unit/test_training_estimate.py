"""How long a training would take: told from a few steps, without writing a model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from example_training import PET_CT, QUICK, TINY, bright_balls

from CIMLSegmentLib.config import TrainingConfig, TrainingJob
from CIMLSegmentLib.training import estimate as estimating
from CIMLSegmentLib.training.estimate import TrainingEstimate, estimate_training
from CIMLSegmentLib.training.job_stages import n_validations
from CIMLSegmentLib.training.train import train
from CIMLSegmentLib.training.training_cases import TrainingSet
from CIMLSegmentLib.training.training_run import TrainingRun
from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import NullReporter


class Recorder(NullReporter):
    """Keeps the plan, and counts the steps of every stage."""

    def __init__(self) -> None:
        self.planned: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.open = ""

    def plan(self, plan: JobPlan) -> None:
        self.planned = {stage.name: stage.n_steps for stage in plan.stages}

    def stage(self, name: str, total: int) -> None:
        assert self.planned[name] == total
        self.open = name

    def advance(self, n: int = 1) -> None:
        self.done[self.open] = self.done.get(self.open, 0) + n


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return bright_balls(tmp_path_factory.mktemp("balls"), 8)


def job(**changes: object) -> TrainingJob:
    config = dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]
    return TrainingJob(config, TINY, device="cpu", n_workers=0)


def test_the_time_is_that_of_all_steps_and_all_validations(
    balls: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def steps(_run: TrainingRun, n: int):
        for number in range(n):
            now[0] += 60.0 if number == 0 else 2.0  # the first one sets things up
            yield number

    def validate(*_arguments: object) -> None:
        now[0] += 5.0

    monkeypatch.setattr(estimating.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(TrainingRun, "steps", steps)
    monkeypatch.setattr(estimating, "validate_case", validate)
    found = estimate_training(
        balls, PET_CT, job(n_steps=5000, validation_interval=300), NullReporter()
    )
    n_cases = 2  # a patient, who has two
    assert found.step_s == pytest.approx(2.0)
    assert found.validation_s == pytest.approx(n_cases * 5.0)
    assert found.total_s == pytest.approx(5000 * 2.0 + 17 * n_cases * 5.0)
    assert found.sentence == "5,000 steps: about 2 h 50 min on this CPU"


def test_slow_steps_are_fewer(balls: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [0.0], []

    def steps(_run: TrainingRun, n: int):
        for number in range(n):
            now[0] += 30.0
            made.append(number)
            yield number

    monkeypatch.setattr(estimating.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(TrainingRun, "steps", steps)
    found = estimate_training(balls, PET_CT, job(), NullReporter())
    assert len(made) == 4
    assert found.step_s == pytest.approx(30.0)


def test_real_steps_are_made_and_nothing_of_them_is_left(
    balls: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reporter = Recorder()
    found = estimate_training(balls, PET_CT, job(), reporter)
    assert isinstance(found, TrainingEstimate)
    assert found.total_s > 0
    assert reporter.planned == {"Train": 11, "Validate": 1}
    assert reporter.done["Validate"] == 1
    assert 4 <= reporter.done["Train"] <= 11
    assert list(tmp_path.iterdir()) == []
    assert set(found.to_json()) >= {"estimate", "total_s", "step_s", "device"}


def test_a_training_makes_the_steps_and_validations_that_it_plans(
    balls: TrainingSet, tmp_path: Path
) -> None:
    reporter = Recorder()
    todo = job(n_steps=5, validation_interval=2)
    train(balls, PET_CT, todo, output=tmp_path / "model", reporter=reporter)
    assert reporter.planned == {"Train": 5, "Validate": 3 * 2}
    assert reporter.done == reporter.planned


def test_a_training_that_is_resumed_does_not_count_anew(balls: TrainingSet, tmp_path: Path) -> None:
    todo = job(n_steps=5, validation_interval=2)
    train(balls, PET_CT, todo, output=tmp_path / "model", reporter=NullReporter())
    reporter = Recorder()
    train(balls, PET_CT, todo, output=tmp_path / "model", reporter=reporter, resume=True)
    assert reporter.done == reporter.planned


@pytest.mark.parametrize(
    ("n_steps", "interval", "after", "n"),
    [(10, 5, None, 2), (11, 5, None, 3), (11, 5, 10, 2), (11, 5, 4, 0), (3, 5, None, 1)],
)
def test_validations_are_counted_as_they_come(
    n_steps: int, interval: int, after: int | None, n: int
) -> None:
    config = TrainingConfig(n_steps=n_steps, validation_interval=interval)
    assert n_validations(config, after) == n
