"""Trains the network on every set of every outer fold and tests it on the cases held out.

Every finished training is in the log of the run before the next one is counted, so that a kill
loses only those under way.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from MDALSelectorLib.estimation.contrastive_training import MAX_WORKERS, run_jobs
from MDALSelectorLib.estimation.fold_jobs import chosen_device
from MDALSelectorLib.retrospect.coarse_cases import CoarseCase, HeldOutCase, coarse_case
from MDALSelectorLib.retrospect.config import SHARE_OF_DRAWS, RetrospectConfig
from MDALSelectorLib.retrospect.fold_plan import FoldPlan, Training
from MDALSelectorLib.retrospect.job_stages import TRAIN_AND_TEST, measured_plan
from MDALSelectorLib.retrospect.labelled_cohort import LabelledCohort
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MDALSelectorLib.retrospect.network_learner import (
    NetworkJob,
    TrainedNetworks,
    dice_of_networks,
    train_networks,
)
from MDALSelectorLib.retrospect.outcomes import FoldResult
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array, bounding_box
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import Reporter, check_cancelled
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.checksums import json_checksum

GPU_AT_ONCE = 16
PROBE_STEPS = 4
LONG_S = 3 * 3600.0
SHORTER = (
    " To shorten this, give fewer --draws, --partitions, --seeds or --steps, fewer strategies"
    " (--strategy), or a larger --network-spacing. It can be stopped at any time: the same command"
    " goes on."
)


@dataclass(frozen=True)
class NetworkTraining:
    """A training of the network: a set of cases of an outer fold, and a seed."""

    cases: tuple[int, ...]
    seed: int


def network_results(
    plans: Sequence[FoldPlan],
    cohort: LabelledCohort,
    config: RetrospectConfig,
    log: TrainingLog,
    reporter: Reporter,
) -> list[FoldResult]:
    """Return the Dice of all trainings of all outer folds.

    Sets that several strategies chose are trained once per seed; what the log holds is not trained
    again. The time is told before the first training.

    Args:
        plans: The outer folds.
        cohort: Labeled cases.
        config: Network, seeds, device.
        log: Where finished trainings are kept.
        reporter: Notified of every training; its `advance` may raise `CancelledError`.

    Raises:
        UsageError: If the device does not exist here, or no network is asked for.
    """
    network = config.network
    if network is None:
        msg = "Expected settings of the network, got none. Choose the learner 'network'."
        raise UsageError(msg)
    seeded = [with_seeds(plan, n_seeds=network.n_seeds) for plan in plans]
    n_all = sum(len(trainings_of(plan)) for plan in seeded)
    n_open = sum(len(open_trainings(plan, cohort.case_ids, log)) for plan in seeded)
    if n_open:
        trainer = _Trainer(cohort, network, reporter, seed=config.seed)
        total_s = trainer.tell_time(seeded[0], n_open, n_all)
        reporter.plan(measured_plan(config, n_open, total_s / n_open))
        reporter.stage(TRAIN_AND_TEST, n_open)
        for plan in seeded:
            trainer.train_fold(plan, log)
    return [result_of(plan, cohort.case_ids, log) for plan in seeded]


def with_seeds(plan: FoldPlan, *, n_seeds: int) -> FoldPlan:
    """Repeat the trainings whose cases were not drawn, with the seed as the number of the draw."""
    trainings: list[Training] = []
    for training in plan.trainings:
        is_drawn = training.strategy in SHARE_OF_DRAWS
        repeats = [replace(training, draw=number) for number in range(n_seeds)]
        trainings += [training] if is_drawn else repeats
    return replace(plan, trainings=tuple(trainings))


def trainings_of(plan: FoldPlan) -> list[NetworkTraining]:
    """Return the distinct trainings of a fold with seeds."""
    return list(dict.fromkeys(_network_training(training) for training in plan.trainings))


def open_trainings(
    plan: FoldPlan, case_ids: Sequence[str], log: TrainingLog
) -> list[NetworkTraining]:
    """Return the trainings of a fold with seeds that the log does not hold."""
    return [t for t in trainings_of(plan) if log.get(step_name(plan, case_ids, t)) is None]


def result_of(plan: FoldPlan, case_ids: Sequence[str], log: TrainingLog) -> FoldResult:
    """Return the Dice of a fold with seeds, all of whose trainings the log holds."""
    rows = [log.get(step_name(plan, case_ids, _network_training(t))) for t in plan.trainings]
    return FoldResult(plan, np.asarray(rows, dtype=np.float64))


def step_name(plan: FoldPlan, case_ids: Sequence[str], training: NetworkTraining) -> str:
    """Return the name of a training in the log of the run."""
    names = json_checksum([case_ids[index] for index in training.cases])[:16]
    return f"network/{plan.partition}/{plan.fold}/{names}/{training.seed}"


def _network_training(training: Training) -> NetworkTraining:
    seed = 0 if training.strategy in SHARE_OF_DRAWS else training.draw
    return NetworkTraining(training.cases, seed)


class _Trainer:
    """Holds what all trainings share: coarse volumes of all cases, device, number at a time."""

    def __init__(
        self, cohort: LabelledCohort, config: NetworkConfig, reporter: Reporter, *, seed: int
    ) -> None:
        self._cohort, self._config, self._reporter, self._seed = cohort, config, reporter, seed
        self._device = chosen_device(config.device)
        self._at_once = config.at_once or (1 if self._device.type == "cpu" else GPU_AT_ONCE)
        self._cases = [self._coarse(index) for index in range(len(cohort.cases))]

    def tell_time(self, plan: FoldPlan, n_open: int, n_all: int) -> float:
        """Time a few steps, say how long the trainings that are left will take; returns it, s."""
        try:
            (_, per_chunk_s), *_ = run_jobs(self._seconds_per_chunk, [plan], device=self._device)
        except torch.cuda.OutOfMemoryError:
            self._need_less_memory()
            return self.tell_time(plan, n_open, n_all)
        n_parallel = self._at_once
        if self._device.type == "cpu":
            n_parallel *= min(core_count(), MAX_WORKERS, n_open)
        total_s = per_chunk_s * n_open / n_parallel
        minutes = max(1, round(total_s / 60))
        done = f" {n_all - n_open} of {n_all} are finished already." if n_open < n_all else ""
        self._reporter.info(
            f"{counted(n_open, 'training')} of the network, about"
            f" {minutes // 60}:{minutes % 60:02d} h on"
            f" {self._device}.{done}{SHORTER if total_s > LONG_S else ''}"
        )
        return total_s

    def train_fold(self, plan: FoldPlan, log: TrainingLog) -> None:
        """Train and test what the log does not hold; less at a time if memory is short."""
        case_ids = self._cohort.case_ids
        todo = open_trainings(plan, case_ids, log)
        tests = [self._held_out(index) for index in plan.test] if todo else []
        chunks = [tuple(todo[n : n + self._at_once]) for n in range(0, len(todo), self._at_once)]

        def dice_of(chunk: tuple[NetworkTraining, ...]) -> Float64Array:
            return self._dice(plan, chunk, tests)

        try:
            for chunk, dice in run_jobs(dice_of, chunks, device=self._device):
                for training, row in zip(chunk, dice, strict=True):
                    name = step_name(plan, case_ids, training)
                    log.put(name, [round(float(value), 6) for value in row])
                self._reporter.advance(len(chunk))
        except torch.cuda.OutOfMemoryError:
            self._need_less_memory()
            self.train_fold(plan, log)

    def _need_less_memory(self) -> None:
        if self._at_once > 1:
            self._at_once //= 2
            now = f"{counted(self._at_once, 'training')} at a time"
        else:
            self._device = torch.device("cpu")
            now = "the CPU is used instead, which takes far longer"
        self._reporter.warning(f"The GPU does not have enough memory: {now}.")

    def _dice(
        self, plan: FoldPlan, chunk: Sequence[NetworkTraining], tests: Sequence[HeldOutCase]
    ) -> Float64Array:
        networks = self._trained(plan, chunk, self._config)
        return np.stack([dice_of_networks(networks, case) for case in tests], axis=1)

    def _trained(
        self, plan: FoldPlan, chunk: Sequence[NetworkTraining], config: NetworkConfig
    ) -> TrainedNetworks:
        jobs = [self._job(plan, training) for training in chunk]
        return train_networks(jobs, config, device=self._device, on_step=check_cancelled)

    def _job(self, plan: FoldPlan, training: NetworkTraining) -> NetworkJob:
        names = [self._cohort.case_ids[index] for index in training.cases]
        place = (self._seed, plan.partition, plan.fold, training.seed)
        key = zlib.crc32(json.dumps(names).encode())
        return NetworkJob([self._cases[index] for index in training.cases], (*place, key))

    def _seconds_per_chunk(self, plan: FoldPlan) -> float:
        """Return how long trainings side by side take, with their tests."""
        chunk = trainings_of(plan)[-self._at_once :]
        tests = [self._held_out(index) for index in plan.test[:1]]
        short = replace(self._config, n_steps=1)
        self._trained(plan, chunk, short)  # the first one warms up
        once = _timed(lambda: self._trained(plan, chunk, short))
        more = replace(short, n_steps=1 + PROBE_STEPS)
        per_step = (_timed(lambda: self._trained(plan, chunk, more)) - once) / PROBE_STEPS
        networks = self._trained(plan, chunk, short)
        per_test = _timed(lambda: [dice_of_networks(networks, case) for case in tests])
        return once + per_step * (self._config.n_steps - 1) + per_test * len(plan.test)

    def _coarse(self, index: int) -> CoarseCase:
        check_cancelled()
        case, prepared = self._cohort.cases[index], self._cohort.prepared
        return coarse_case(
            case, prepared[case.row], prepared.modalities, spacing_mm=self._config.spacing_mm
        )

    def _held_out(self, index: int) -> HeldOutCase:
        case = self._cohort.cases[index]
        body = self._cohort.prepared[case.row].body
        inner = body[bounding_box(body)]
        return HeldOutCase(self._cases[index], inner, case.is_target, case.n_target)


def _timed(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
