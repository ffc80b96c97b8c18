"""The stages of a training, and how much work they are: for its progress and for estimates.

Seconds where nothing was learned yet are those of two cores of a server of 2023; work is counted in
10^6 voxels of all images, times the channels at full resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig, TrainingJob
from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.preparation.workload import stored_megavoxels

KIND = "train"
TRAIN, VALIDATE, EVALUATE = "Train", "Validate", "Evaluate"
N_PROBED = 11  # steps of an estimate: one that sets things up, and ten
_MEGA = 1e6
_TRAIN_S, _VALIDATE_S = 0.5, 0.1


def n_validations(config: TrainingConfig, n_steps: int | None = None) -> int:
    """Return how often a training validates in its first steps, by default all of them."""
    n_steps = config.n_steps if n_steps is None else n_steps
    at_the_end = n_steps == config.n_steps and n_steps % config.validation_interval != 0
    return n_steps // config.validation_interval + at_the_end


def training_plan(
    job: TrainingJob,
    validation: Sequence[TrainingCase],
    n_modalities: int,
    evaluation: Sequence[TrainingCase] = (),
) -> JobPlan:
    """Return the steps and validations of a training.

    Args:
        job: What is trained.
        validation: Cases that this process validates with.
        n_modalities: Modalities of the task.
        evaluation: Cases of the evaluation set, which follow the training.
    """
    config, per_voxel = job.training, n_modalities * job.network.features[0] / _MEGA
    patches = config.batch_size * prod(config.patch_size)
    voxels = float(np.mean([prod(case.shape) for case in validation])) if validation else 0.0
    n = n_validations(config) * len(validation)
    tested = sum(prod(case.shape) for case in evaluation) / max(len(evaluation), 1)
    last = PlannedStage(EVALUATE, len(evaluation), _VALIDATE_S, tested * per_voxel)
    stages = (
        PlannedStage(TRAIN, config.n_steps, _TRAIN_S, patches * per_voxel),
        *((PlannedStage(VALIDATE, n, _VALIDATE_S, voxels * per_voxel, joins=True),) if n else ()),
        *((last,) if evaluation else ()),
    )
    return JobPlan(KIND, stages, job.device)


def expected_plan(
    cohort: Cohort, n_cases: int, config: TrainingConfig, device: str, *, n_evaluated: int = 0
) -> JobPlan:
    """Return what a training will do, as far as it is known before its cases are prepared.

    Args:
        cohort: The cohort.
        n_cases: Cases with a label to train on.
        config: Settings; the patch is the largest that there may be.
        device: What the user lets it compute on.
        n_evaluated: Cases with a label of the evaluation set.
    """
    stored, n = stored_megavoxels(cohort), n_cases
    per_voxel = len(cohort.modalities) * NetworkConfig().features[0] / _MEGA
    patches = config.batch_size * prod(config.patch_size)
    n_validated = n_validations(config) * round(config.validation_share * n)
    evaluated = PlannedStage(EVALUATE, n_evaluated, _VALIDATE_S, patches * per_voxel)
    validated = PlannedStage(VALIDATE, n_validated, _VALIDATE_S, patches * per_voxel, joins=True)
    stages = (
        PlannedStage("Read label values", n + n_evaluated, 0.05, stored),
        PlannedStage("Prepare labeled cases", n + n_evaluated, 1.0, stored),
        PlannedStage(TRAIN, config.n_steps, _TRAIN_S, patches * per_voxel),
        *((validated,) if n_validated else ()),
        *((evaluated,) if n_evaluated else ()),
    )
    return JobPlan(KIND, stages, device)
