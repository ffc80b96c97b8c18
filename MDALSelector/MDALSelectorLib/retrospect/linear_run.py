"""Trains the linear learner on every set of an outer fold and tests it on the cases held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.retrospect.fold_plan import FoldPlan
from MDALSelectorLib.retrospect.labelled_cohort import LabelledCohort
from MDALSelectorLib.retrospect.linear_learner import (
    Expansion,
    LinearModel,
    case_moments,
    dice_of_models,
    fit_expansion,
    train,
)
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MultimodalImagingLib.jobs.progress import Reporter

Chosen = tuple[int, ...]


def linear_dice(
    plan: FoldPlan, cohort: LabelledCohort, log: TrainingLog, reporter: Reporter, *, seed: int
) -> npt.NDArray[np.float64]:
    """Return the Dice of every training of a fold on every test case.

    Sets that several strategies chose are trained once. Finished test cases are in the log.

    Args:
        plan: The fold.
        cohort: Samples and features.
        log: Where finished test cases are kept.
        reporter: Notified of every test case; its `advance` may raise `CancelledError`.
        seed: Seed of the random features.

    Returns:
        Shape `(n_trainings, n_test)`.
    """
    sets = sorted({training.cases for training in plan.trainings})
    names = [step_name(plan, cohort, index) for index in plan.test]
    models: Mapping[Chosen, LinearModel] = {}
    expansion: Expansion | None = None
    if any(log.get(name) is None for name in names):
        expansion, models = _trained(plan, cohort, sets, reporter, seed=seed)
    columns = []
    for index, name in zip(plan.test, names, strict=True):
        is_kept = log.get(name) is not None
        if not is_kept and expansion is not None:
            case = cohort.cases[index]
            dice = dice_of_models(
                expansion,
                cohort.features(index),
                case.is_target,
                [models[chosen] for chosen in sets],
                n_target=case.n_target,
            )
            log.put(name, [round(float(value), 6) for value in dice])
        columns.append(log.get(name))
        (reporter.kept if is_kept else reporter.advance)()
    by_set = dict(zip(sets, np.asarray(columns, dtype=np.float64).T, strict=True))
    return np.stack([by_set[training.cases] for training in plan.trainings])


def step_name(plan: FoldPlan, cohort: LabelledCohort, index: int) -> str:
    """Return the name of a test case of a fold in the log of the run."""
    return f"test/{plan.partition}/{plan.fold}/{cohort.cases[index].case_id}"


def _trained(
    plan: FoldPlan, cohort: LabelledCohort, sets: list[Chosen], reporter: Reporter, *, seed: int
) -> tuple[Expansion, dict[Chosen, LinearModel]]:
    expansion = fit_expansion([cohort.cases[i].samples for i in plan.pool], seed=seed)
    moments = {i: case_moments(expansion, cohort.cases[i].samples) for i in plan.pool}
    models = {}
    for chosen in sets:
        models[chosen] = train([moments[index] for index in chosen])
        reporter.advance(0)
    return expansion, models
