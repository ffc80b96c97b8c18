"""How long a training would take here: from a few steps and the validation of one case."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from CIMLSegmentLib.config import TrainingJob
from CIMLSegmentLib.inference.devices import Processes, choose_device
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.job_stages import (
    N_PROBED,
    TRAIN,
    VALIDATE,
    n_validations,
    training_plan,
)
from CIMLSegmentLib.training.train import check_training_job, training_data
from CIMLSegmentLib.training.training_cases import TrainingSet
from CIMLSegmentLib.training.training_run import TrainingRun
from CIMLSegmentLib.training.validation import validate_case, validation_plan
from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import duration_words

# The first steps set things up; then ten are made, fewer where they are slow.
_WARM_UP, _FEWEST_STEPS, _LONG_ENOUGH_S = 1, 3, 20.0


@dataclass(frozen=True)
class TrainingEstimate:
    """How long a training would take.

    Attributes:
        n_steps: Steps of the training.
        step_s: Seconds per step.
        validation_s: Seconds per validation.
        total_s: Seconds of the whole training, without the preparation of the cases.
        device: `cpu` or `cuda`.
    """

    n_steps: int
    step_s: float
    validation_s: float
    total_s: float
    device: str

    @property
    def sentence(self) -> str:
        """The estimate in words: `5,000 steps: about 3 h 20 min on this CPU`."""
        where = "this CPU" if self.device == "cpu" else "this GPU"
        noun = "step" if self.n_steps == 1 else "steps"
        return f"{self.n_steps:,} {noun}: {duration_words(self.total_s)} on {where}"

    def to_json(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {
            "estimate": self.sentence,
            "n_steps": self.n_steps,
            "step_s": round(self.step_s, 4),
            "validation_s": round(self.validation_s, 2),
            "total_s": round(self.total_s, 1),
            "device": self.device,
        }


def estimate_training(
    cases: TrainingSet, task: Task, job: TrainingJob, reporter: Reporter
) -> TrainingEstimate:
    """Make a few steps of a training, validate one case, and throw both away.

    Args:
        cases: Labeled cases.
        task: What is segmented.
        job: Settings.
        reporter: Notified of the steps; its `advance` may raise `CancelledError`.

    Raises:
        UsageError: If the settings do not fit each other, or the device does not exist.
        CrossModalError: If a step does not fit the memory.
    """
    check_training_job(task, job)
    device = choose_device(job.device)
    with TemporaryDirectory(prefix="ciml-estimate-") as folder:
        data, _ = training_data(cases, task, job, Path(folder))
        reporter.plan(_plan(job, len(task.modalities), cases))
        run = TrainingRun(data, replace(job, n_workers=0), Processes(0, 1, device), NullReporter())
        reporter.stage(TRAIN, N_PROBED)
        step_s = _timed_steps(run, device, reporter)
        validated_s = 0.0
        if data.validation:
            reporter.stage(VALIDATE, 1)
            plan = validation_plan(job.training.patch_size, device)
            start = time.monotonic()
            validate_case(run.network, data.validation[0], plan)
            validated_s = (time.monotonic() - start) * len(data.validation)
            reporter.advance()
    config = job.training
    total_s = config.n_steps * step_s + n_validations(config) * validated_s
    return TrainingEstimate(config.n_steps, step_s, validated_s, total_s, device.type)


def _timed_steps(run: TrainingRun, device: torch.device, reporter: Reporter) -> float:
    """Return how long a step takes, s, without the first."""
    took_s: list[float] = []
    for number, seconds in enumerate(_steps(run, device)):
        reporter.advance()
        if number >= _WARM_UP:
            took_s.append(seconds)
        if len(took_s) >= _FEWEST_STEPS and sum(took_s) > _LONG_ENOUGH_S:
            break
    return sum(took_s) / len(took_s)


def _steps(run: TrainingRun, device: torch.device) -> Iterator[float]:
    start = time.monotonic()
    for _ in run.steps(N_PROBED):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.monotonic()
        yield now - start
        start = time.monotonic()


def _plan(job: TrainingJob, n_modalities: int, cases: TrainingSet) -> JobPlan:
    """Return the plan of the training with the steps that are made here, so that it learns."""
    whole = training_plan(job, cases.cases, n_modalities)
    n_steps = {TRAIN: N_PROBED, VALIDATE: 1}
    return replace(
        whole, stages=tuple(replace(of, n_steps=n_steps[of.name]) for of in whole.stages)
    )
