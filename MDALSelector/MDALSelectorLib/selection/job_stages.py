"""The stages of a selection, and how much work they are: for its progress.

Seconds where nothing was learned yet are those of two cores of a server of 2023, measured on 51
cases of CT, PET and T1; work is counted in 10^6 voxels of all images, or of all pairs.
"""

from __future__ import annotations

from math import comb

from MDALSelectorLib.classification.class_findings import LEARN_CLASSES, N_REPEATS
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.selection.config import SelectionConfig
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.preparation.workload import stored_megavoxels, working_megavoxels
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import open_record


def selection_plan(
    cohort: Cohort, config: SelectionConfig, *, later: tuple[PlannedStage, ...] = ()
) -> JobPlan:
    """Return what `run_selection` will do; networks that `auto` may add are not foreseen.

    Args:
        cohort: The cohort.
        config: What is asked for.
        later: Stages that follow the selection.
    """
    n_shown = parse_budget(config.budget, n_cases=len(cohort.cases)).n_cases
    stages = (
        *measuring_stages(cohort, config.spacing_mm, with_positions=_uses_positions(config)),
        *_estimating_stages(cohort, config),
        *_class_stages(cohort, config),
        PlannedStage("Choose cases", 1, 0.8),
        PlannedStage("Write the ranking", 1, 0.3),
        PlannedStage("Draw cases", n_shown, 0.15, len(cohort.modalities)),
        PlannedStage("Write the report", 1, 0.5),
    )
    return JobPlan("select", (*stages, *later), config.estimation.device or "auto")


def measuring_stages(
    cohort: Cohort, spacing_mm: float | None, *, with_positions: bool
) -> tuple[PlannedStage, ...]:
    """Return the stages that look at one case after the other."""
    n, n_modalities = len(cohort.cases), len(cohort.modalities)
    stored, working = stored_megavoxels(cohort), working_megavoxels(cohort, spacing_mm)
    n_pairs = comb(n_modalities, 2)
    positions = PlannedStage("Describe positions", n, 0.15, working * n_modalities)
    return (
        PlannedStage("Prepare images", n, 1.0, stored),
        PlannedStage("Describe images", n, 1.0, working * n_modalities),
        PlannedStage("Compare voxels", n, 1.0, working * n_pairs),
        PlannedStage("Check pairing", n, 0.6, working * n_pairs),
        *((positions,) if with_positions else ()),
    )


def _class_stages(cohort: Cohort, config: SelectionConfig) -> tuple[PlannedStage, ...]:
    record = open_record(cohort.root, folder=config.record)
    if read_class_task(record) is None:
        return ()
    return (PlannedStage(LEARN_CLASSES, N_REPEATS, 1.0),)


def _uses_positions(config: SelectionConfig) -> bool:
    return config.estimation.estimator in ("auto", "local")


def _estimating_stages(cohort: Cohort, config: SelectionConfig) -> tuple[PlannedStage, ...]:
    """Return the stages of the estimators that run, with steps as those announce them."""
    of, folds = config.estimation, config.estimation.cross_fit
    if len(cohort.cases) < of.min_cases:
        return ()
    n_pairs = comb(len(cohort.modalities), 2)
    size = len(cohort.cases) * n_pairs / 100
    n_halves = min(of.gaussian.n_reliability_splits, folds.n_repeats)
    n_repeats = min(of.local_contrastive.n_repeats, folds.n_repeats)
    stages = {
        "local": (PlannedStage("PMI, local", folds.n_repeats * folds.n_folds, 1.5, size),),
        "gaussian": (
            PlannedStage("PMI, Gaussian", (folds.n_repeats + n_halves) * folds.n_folds, 0.05, size),
            PlannedStage("PMI by chance", n_pairs * of.gaussian.n_shuffles, 0.03, size / n_pairs),
        ),
        "local-contrastive": (
            PlannedStage("Cut patches", len(cohort.cases), 0.5, len(cohort.modalities)),
            PlannedStage("PMI, local contrastive", n_repeats * folds.n_folds, 60.0, size),
        ),
        "contrastive": (PlannedStage("PMI, contrastive", folds.n_repeats * folds.n_folds, 60.0),),
    }
    names = ("local", "gaussian") if of.estimator == "auto" else (of.estimator,)
    return tuple(stage for name in names for stage in stages[name])
