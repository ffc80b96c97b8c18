"""Training a network on labeled cases: the one entry, what it refuses, which cases validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from CIMLSegmentLib.config import GATES, TrainingJob
from CIMLSegmentLib.inference.devices import Processes, joined_processes
from CIMLSegmentLib.model.model_description import (
    PACKAGES,
    EvaluatedCase,
    ModelDescription,
    ModelFacts,
)
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.gate import check_positions
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.evaluation import evaluated, unseen_by_start
from CIMLSegmentLib.training.kept_split import PatientSplit, next_split
from CIMLSegmentLib.training.start_model import Inheritance, inherit
from CIMLSegmentLib.training.training_case import TrainingCase
from CIMLSegmentLib.training.training_cases import TrainingSet
from CIMLSegmentLib.training.training_folder import claimed_folder
from CIMLSegmentLib.training.training_run import TrainingData, TrainingRun
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.version import current_versions

_MOST_WORKERS = 8


def train(
    cases: TrainingSet,
    task: Task,
    job: TrainingJob,
    *,
    output: Path,
    reporter: Reporter,
    resume: bool = False,
) -> TrainingResult:
    """Train a network on prepared cases and write its model folder.

    The best network so far is in the folder from the first validation on, the last state in its
    subfolder `training/`. With `resume`, training continues from there. Under `torchrun`
    several processes share the work: each batch and the validation are divided among them; they
    need a common disk.

    Args:
        cases: Labeled cases; those for evaluation test the best network in the end, but not where
            the model to start from has seen them.
        task: What is segmented.
        job: Settings.
        output: The model folder.
        reporter: Notified of steps, loss and validation; may cancel.
        resume: Whether to continue the training of that folder, if there is one.

    Raises:
        UsageError: If the settings do not fit each other or the folder.
        LockedError: If another process trains in that folder.
        CrossModalError: If training fails.
        CancelledError: If the user asked to stop; the best model so far is kept.
    """
    check_training_job(task, job)
    config = job.training
    data, split = training_data(cases, task, job, output)
    with joined_processes(job.device) as processes:
        processes.check_batch(config.batch_size, config.accumulation)
        job = replace(job, n_workers=_n_workers(job, processes))
        with claimed_folder(output, processes, resume=resume) as claim:
            own_reporter = reporter if processes.is_first else NullReporter()
            data = replace(data, evaluation=unseen_by_start(data, own_reporter))
            run = TrainingRun(data, job, processes, own_reporter, check_claim=claim.check)
            run.start(resume=claim.has_state)
            run.loop()
            network = run.best_network()
            found = evaluated(run, network, data.evaluation, own_reporter)
            processes.wait()
            return _result(run, network, split, found)


def training_data(
    cases: TrainingSet, task: Task, job: TrainingJob, output: Path
) -> tuple[TrainingData, Split]:
    """Split the cases, and return them with the description of the model to be."""
    share, chosen = job.training.validation_share, job.validation_cases
    split = split_by_patient(cases.cases, share=share, seed=job.training.seed, chosen=chosen)
    inherited = None if job.start is None else inherit(job.start, task, job.network)
    data = TrainingData(
        cases.subset(split.training).cases,
        cases.subset(split.validation).cases,
        _description(cases.subset(split.training), task, job, split, inherited),
        output,
        inherited,
        cases.evaluation,
    )
    return data, split


def _result(
    run: TrainingRun,
    network: CIMLNet | Baseline,
    split: Split,
    found: Mapping[str, EvaluatedCase],
) -> TrainingResult:
    return TrainingResult(
        folder=run.data.folder,
        network=network,
        step=run.progress.step,
        best_step=run.progress.best_step,
        metrics=run.progress.best_metrics,
        split=split,
        stopped_early=run.has_converged,
        facts=replace(run.data.description.facts, evaluation=found),
    )


def check_training_job(task: Task, job: TrainingJob) -> None:
    """Refuse settings that do not fit each other.

    Raises:
        UsageError: If they do not.
    """
    patch, network = job.training.patch_size, job.network
    stride = network.total_stride
    if network.spatial_dims != 3 or len(patch) != 3:
        msg = (
            f"Expected a network and patches for volumes, got {network.spatial_dims} and"
            f" {len(patch)} spatial dimensions. Use 3 for both."
        )
        raise UsageError(msg)
    if any(size % step for size, step in zip(patch, stride, strict=True)):
        msg = (
            f"Expected a patch size that is a multiple of {stride}, the down-sampling of the"
            f" network, got {patch}. Change the patch or the strides."
        )
        raise UsageError(msg)
    positions = [size // step for size, step in zip(patch, stride, strict=True)]
    if all(n == 1 for n in positions):
        msg = f"Nothing is left of a patch of {patch} at the deepest level. Use fewer levels."
        raise UsageError(msg)
    if network.gate == GATES[1] and any(task.pairs()):
        _check_dot_products(job)


def _check_dot_products(job: TrainingJob) -> None:
    shape = job.training.patch_size
    for level, step in enumerate(job.network.strides):
        shape = tuple(size // factor for size, factor in zip(shape, step, strict=True))
        if level in job.network.message_levels:
            check_positions(shape)


def _description(
    cases: TrainingSet,
    task: Task,
    job: TrainingJob,
    split: Split,
    inherited: Inheritance | None,
) -> ModelDescription:
    facts = ModelFacts(
        training_cases=split.training,
        validation_cases=split.validation,
        intensities=cases.intensities,
        versions=current_versions(PACKAGES),
        label_values=cases.label_values,
        started_from=inherited.start if inherited else None,
        seen_before=inherited.seen if inherited else (),
    )
    return ModelDescription(task, job.network, job.training, cases.preprocessing, facts)


def _n_workers(job: TrainingJob, processes: Processes) -> int:
    if job.n_workers is not None:
        return job.n_workers
    if processes.device.type == "cpu":
        return 1  # the network needs the cores
    return min(max(core_count() // processes.count - 1, 1), _MOST_WORKERS)


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes:
        folder: The model folder.
        network: The best network, on the CPU; that of the last step if there was no validation.
        step: Steps that were made.
        best_step: Step of the best network.
        metrics: Its validation figures: `dice`, `dice <region>`, `hd95_mm <region>`.
        split: Cases for training and validation.
        stopped_early: Whether it ended because validation no longer got better.
        facts: How the model was made, with what it reaches on the evaluation set.
    """

    folder: Path
    network: CIMLNet | Baseline
    step: int
    best_step: int
    metrics: Mapping[str, float]
    split: Split
    stopped_early: bool
    facts: ModelFacts = field(default_factory=ModelFacts)


@dataclass(frozen=True)
class Split:
    """Which cases are trained on, and which choose among the states.

    Attributes:
        training: Case ids, sorted.
        validation: Case ids, sorted; empty if there are too few patients.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]


def split_by_patient(
    cases: Sequence[TrainingCase], *, share: float, seed: int, chosen: Sequence[str] | None = None
) -> Split:
    """Split cases so that a patient is on one side only.

    Args:
        cases: All cases.
        share: Share of the patients kept for validation: at least one of them if it is above 0
            and there are three patients or more, none if there are fewer.
        seed: Decides which patients.
        chosen: Cases for validation instead of a random choice.

    Raises:
        UsageError: If a chosen case does not exist, or none is left to train on.
    """
    if chosen is not None:
        validation = _checked(cases, chosen)
    else:
        patients = (case.patient_id for case in cases)
        kept = next_split(patients, PatientSplit(), share=share, seed=seed).validation
        validation = {case.case_id for case in cases if case.patient_id in kept}
    return Split(
        tuple(sorted(case.case_id for case in cases if case.case_id not in validation)),
        tuple(sorted(validation)),
    )


def _checked(cases: Sequence[TrainingCase], chosen: Sequence[str]) -> set[str]:
    patient_of = {case.case_id: case.patient_id for case in cases}
    unknown = sorted(set(chosen) - set(patient_of))
    if unknown:
        msg = (
            f"Expected validation cases that are labeled and usable, got {', '.join(unknown)}."
            " Correct the list."
        )
        raise UsageError(msg)
    kept = {patient_of[case_id] for case_id in chosen}
    both = sorted(c for c, patient in patient_of.items() if patient in kept and c not in chosen)
    if both:
        msg = (
            f"Cases {', '.join(both)} are of patients that are kept for validation. Keep them for"
            " validation too, or leave them out."
        )
        raise UsageError(msg)
    if len(set(chosen)) == len(patient_of):
        msg = "All cases are kept for validation. Leave at least one to train on."
        raise UsageError(msg)
    return set(chosen)
