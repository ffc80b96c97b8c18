"""The steps of a training, its validations, and what is written meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from CIMLSegmentLib.config import TrainingJob
from CIMLSegmentLib.inference.devices import Processes, is_out_of_memory, without_averaging
from CIMLSegmentLib.model.model_description import ModelDescription
from CIMLSegmentLib.network.baselines import Baseline, build_any
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.training.dataset import Batch, PatchSource, batches
from CIMLSegmentLib.training.job_stages import TRAIN, VALIDATE, n_validations, training_plan
from CIMLSegmentLib.training.losses import CIMLLoss
from CIMLSegmentLib.training.optimization import (
    choose_precision,
    learning_rate,
    make_optimizer,
    set_learning_rate,
    stopping_within_steps,
)
from CIMLSegmentLib.training.start_model import Inheritance
from CIMLSegmentLib.training.training_case import TrainingCase
from CIMLSegmentLib.training.training_folder import LossMeans, TrainingLog
from CIMLSegmentLib.training.training_state import (
    STATE_FOLDER,
    Progress,
    keep_best,
    read_best,
    read_state,
    write_state,
)
from CIMLSegmentLib.training.validation import validate_cases, validation_plan
from MultimodalImagingLib.errors import CancelledError, CrossModalError
from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed

_LOG_INTERVAL = 10


@dataclass(frozen=True)
class TrainingData:
    """What a run works on.

    Attributes:
        training: Cases to train on.
        validation: Cases that choose among the states; may be none.
        description: Description of the model, without step and metrics.
        folder: The model folder.
        inherited: What the network begins with; `None` if all of it is new.
        evaluation: Cases that test the best network in the end; they have no other part.
    """

    training: tuple[TrainingCase, ...]
    validation: tuple[TrainingCase, ...]
    description: ModelDescription
    folder: Path
    inherited: Inheritance | None = None
    evaluation: tuple[TrainingCase, ...] = ()


class TrainingRun:
    """One training in one process."""

    def __init__(
        self,
        data: TrainingData,
        job: TrainingJob,
        processes: Processes,
        reporter: Reporter,
        *,
        check_claim: Callable[[], None] = lambda: None,
    ) -> None:
        self.data = data
        self.job = job
        self.processes = processes
        self.reporter = reporter
        self._check_claim = check_claim
        self.progress = Progress()
        task, config = data.description.task, job.training
        self.network = build_any(job.kind, task, job.network, seed=config.seed)
        if data.inherited is not None:
            self.network.load_state_dict(data.inherited.weights, strict=False)
        self.network.to(processes.device)
        self.optimizer = make_optimizer(self.network, config)
        self.precision = choose_precision(config.precision, processes.device)
        self.scaler = self.precision.scaler()
        self.loss = CIMLLoss(task, config)
        self.source = PatchSource(data.training, task, config)
        self.log = TrainingLog(data.folder / STATE_FOLDER, reporter)
        self._wrapped: nn.Module = self.network
        self._n_parts = config.accumulation
        self._means = LossMeans()
        self._written_at = time.monotonic()

    @property
    def has_converged(self) -> bool:
        """Whether validation has not become better for long enough."""
        return self.progress.n_worse >= self.job.training.patience

    def start(self, *, resume: bool) -> None:
        """Begin at step 0, or where the state in the folder says."""
        if resume:
            self.progress = read_state(
                self._state_folder, self.network, self.optimizer, training_id=self._training_id
            )
            if self.progress.scaler:
                self.scaler.load_state_dict(self.progress.scaler)
        elif self.data.inherited is not None:
            self._tell_inherited(self.data.inherited)
        if self.processes.is_first:
            self.log.resume_at(self.progress.step)
        if not self.data.validation:
            self.reporter.warning(
                "There are too few patients to keep some for validation; the network of the last"
                " step is kept, and how good it is remains unknown."
            )
        self._wrapped = self.processes.wrap(self.network)

    def _tell_inherited(self, inherited: Inheritance) -> None:
        for sentence in inherited.sentences:
            self.reporter.info(sentence)
        names = [case.case_id for case in self.data.validation]
        seen = [name for name in names if name in inherited.seen]
        if seen:
            self.reporter.warning(
                f"{len(seen)} of {counted(len(names), 'validation case')}"
                f" {'was' if len(seen) == 1 else 'were'} seen by the model {inherited.start.name},"
                f" so the validation Dice flatters: {listed(seen)}. Keep other cases for validation"
                " with --validation-case."
            )

    def loop(self) -> None:
        """Make the remaining steps.

        Raises:
            CancelledError: If the user asked to stop; best and last state are on disk.
            CrossModalError: If training fails.
        """
        config = self.job.training
        self.reporter.plan(self._plan())
        n_validated = n_validations(config, self.progress.step)
        if n_validated:  # of the training that is resumed
            self.reporter.stage(VALIDATE, self._n_validations * len(self._own_cases))
            self.reporter.kept(n_validated * len(self._own_cases))
        self._validate_the_start()
        self.reporter.stage(TRAIN, config.n_steps)
        steps = range(self.progress.step, config.n_steps if not self.has_converged else 0)
        numbers = self.processes.share(config.batch_size)
        ready = batches(self.source, steps, numbers, n_workers=self.job.n_workers or 0)
        try:
            with stopping_within_steps(self.network):
                self._make_steps(ready)
        except CancelledError:
            self._write_state()
            if self.progress.best_step == 0 and not self.progress.best_metrics:
                self._keep({})
            raise
        self.processes.wait()

    def steps(self, n: int) -> Iterator[int]:
        """Make so many steps, without validation and without writing anything; yields each."""
        numbers = self.processes.share(self.job.training.batch_size)
        self._wrapped = self.processes.wrap(self.network)
        with stopping_within_steps(self.network):
            for batch in batches(self.source, range(n), numbers, n_workers=0):
                self._step(batch)
                yield self.progress.step

    def _make_steps(self, ready: Iterator[Batch]) -> None:
        self.reporter.kept(self.progress.step)
        for batch in ready:
            self._step(batch)
            self._after_step()
            self.reporter.advance()
            if self.has_converged:
                return

    def best_network(self) -> CIMLNet | Baseline:
        """Return the best network on the CPU; in other processes than the first, the last one."""
        is_first = self.processes.is_first
        return read_best(self.data.folder, self.network) if is_first else self.network

    def _plan(self) -> JobPlan:
        own, tested = self._own_cases, self.data.evaluation
        return training_plan(self.job, own, self._n_modalities, tested)

    @property
    def _own_cases(self) -> list[TrainingCase]:
        """The cases that this process validates with."""
        cases = self.data.validation
        return [cases[index] for index in self.processes.share(len(cases))]

    @property
    def _n_validations(self) -> int:
        return n_validations(self.job.training) + (self.job.start is not None)

    @property
    def _n_modalities(self) -> int:
        return len(self.data.description.task.modalities)

    @property
    def _state_folder(self) -> Path:
        return self.data.folder / STATE_FOLDER

    @property
    def _training_id(self) -> str:
        return f"{self.job.kind} {self.data.description.model_id}"

    def _step(self, batch: Batch) -> None:
        set_learning_rate(self.optimizer, learning_rate(self.progress.step, self.job.training))
        while True:
            try:
                self._gradients(batch)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._use_less_memory(error)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.job.training.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.progress.step += 1

    def _gradients(self, batch: Batch) -> None:
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        generator = self._noise()
        parts = batch.split(self._n_parts)
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)
            with nullcontext() if is_last else without_averaging(self._wrapped):
                self._backward(part, generator)

    def _backward(self, part: Batch, generator: torch.Generator) -> None:
        part = part.to(self.processes.device)
        with self.precision.autocast():
            output = self._wrapped(part.images, present=part.present, generator=generator)
        terms = self.loss(output, part.targets, usable=part.usable, step=self.progress.step)
        self.scaler.scale(terms.total / self._n_parts).backward()
        self._means.add(terms)

    def _noise(self) -> torch.Generator:
        """Noise of this step and process, so that a resumed training draws the same."""
        config = self.job.training
        seed = (config.seed * config.n_steps + self.progress.step) * self.processes.count
        generator = torch.Generator(self.processes.device)
        generator.manual_seed(seed + self.processes.rank)
        return generator

    def _use_less_memory(self, error: RuntimeError) -> None:
        n_patches = self.job.training.batch_size // self.processes.count
        if self.processes.count > 1 or n_patches % (2 * self._n_parts):
            msg = (
                f"A training step does not fit the memory of {self.processes.device}. Use a smaller"
                " patch, a smaller batch, more accumulation, or the CPU."
            )
            raise CrossModalError(msg) from error
        self._n_parts *= 2
        torch.cuda.empty_cache()
        self.reporter.warning(
            f"Memory ran out on {self.processes.device}; each batch is now computed in"
            f" {self._n_parts} parts, which takes a little longer and gives the same result."
        )

    def _after_step(self) -> None:
        config, step = self.job.training, self.progress.step
        is_validated = step % config.validation_interval == 0 or step == config.n_steps
        if step % _LOG_INTERVAL == 0 or is_validated:
            self._tell_loss()
        if is_validated:
            self._validate()
            self._write_state()
        elif time.monotonic() - self._written_at > self.job.state_interval_s:
            self._write_state()

    def _tell_loss(self) -> None:
        means = self._means.take()
        if not all(abs(value) < float("inf") for value in means.values()):
            msg = (
                f"The loss is no longer a finite number at step {self.progress.step}. Use a smaller"
                " learning rate or precision fp32; the best model so far is kept."
            )
            raise CrossModalError(msg)
        if self.processes.is_first:
            self.log.write(self.progress.step, means)

    def _validate_the_start(self) -> None:
        """Keep the model that the training begins with until steps have made it better."""
        if self.progress.step == 0 and self.job.start is not None and self.data.validation:
            self._validate()
            if self.progress.best_dice > 0.0:
                self.reporter.info(
                    f"As it begins, the network reaches a validation Dice of"
                    f" {self.progress.best_dice:.3f}; it is kept unless steps make it better."
                )

    def _validate(self) -> None:
        if not self.data.validation:
            self._keep({})
            return
        config, cases = self.job.training, self.data.validation
        plan = validation_plan(config.patch_size, self.processes.device)
        self.reporter.stage(VALIDATE, self._n_validations * len(self._own_cases))
        metrics = validate_cases(self.network, cases, plan, self.processes, self.reporter)
        self.reporter.stage(TRAIN, config.n_steps)
        self.network.to(self.processes.device)  # memory may have run out on the GPU
        if self.processes.is_first:
            self.log.write(self.progress.step, metrics)
        if metrics["dice"] > self.progress.best_dice:
            self.progress.best_dice = metrics["dice"]
            self.progress.n_worse = 0
            self._keep(metrics)
        else:
            self.progress.n_worse += 1

    def _keep(self, metrics: dict[str, float]) -> None:
        """Make the present network the best one."""
        self.progress.best_step = self.progress.step
        self.progress.best_metrics = metrics
        if self.processes.is_first:
            self._check_claim()
            keep_best(
                self.data.folder,
                self.network,
                self.data.description,
                step=self.progress.step,
                metrics=metrics,
            )

    def _write_state(self) -> None:
        self._written_at = time.monotonic()
        if not self.processes.is_first:
            return
        self._check_claim()
        self.progress.scaler = {k: float(v) for k, v in self.scaler.state_dict().items()}
        write_state(
            self._state_folder,
            self.network,
            self.optimizer,
            self.progress,
            training_id=self._training_id,
        )
