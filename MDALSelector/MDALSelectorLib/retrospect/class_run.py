"""Trains the classifier on every set of an outer fold and tests it on the cases held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MDALSelectorLib.classification.class_learner import class_probabilities, standardized
from MDALSelectorLib.estimation.features import cohort_features, fused_embedding
from MDALSelectorLib.retrospect.class_cohort import ClassCohort
from MDALSelectorLib.retrospect.fold_plan import FoldPlan
from MDALSelectorLib.retrospect.job_stages import TRAIN_AND_TEST
from MDALSelectorLib.retrospect.outcomes import FoldResult
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MDALSelectorLib.selection.case_memo import CohortMemo
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.cohort_record import CohortRecord

# The same for every set, so that sets are compared and not their settings.
STRENGTH = 0.1


def class_results(
    plans: Sequence[FoldPlan],
    cohort: ClassCohort,
    record: CohortRecord,
    log: TrainingLog,
    reporter: Reporter,
) -> list[FoldResult]:
    """Return how right every training of every fold is on its test cases.

    A right case counts as `ClassCohort.worth` says, so that means are balanced accuracies.

    Args:
        plans: The folds.
        cohort: The cases with their classes.
        record: Where features of cases are kept.
        log: Where finished folds are kept.
        reporter: Notified of every fold; its `advance` may raise `CancelledError`.
    """
    embeddings = class_embeddings(cohort, record, reporter)
    reporter.stage(TRAIN_AND_TEST, sum(len(plan.test) for plan in plans))
    return [FoldResult(plan, _fold(plan, cohort, embeddings, log, reporter)) for plan in plans]


def class_embeddings(cohort: ClassCohort, record: CohortRecord, reporter: Reporter) -> Float64Array:
    """Return the fused embedding of every case, which sees all images and no class.

    Returns:
        Shape `(n_cases, n_features)`, unitless.
    """
    cases = cohort.prepared.taken([case.row for case in cohort.cases])
    memo = CohortMemo(cases, record.cache)
    found = cohort_features(cases, cases.modalities, reporter=reporter, memo=memo)
    return fused_embedding({m: values.astype(np.float64) for m, values in found.items()})


def _fold(
    plan: FoldPlan,
    cohort: ClassCohort,
    embeddings: Float64Array,
    log: TrainingLog,
    reporter: Reporter,
) -> Float64Array:
    """Return the worth of every test case per training, `(n_trainings, n_test)`; 0 if wrong."""
    name = f"classes/{plan.partition}/{plan.fold}"
    sets = sorted({training.cases for training in plan.trainings})
    is_kept = log.get(name) is not None
    if not is_kept:
        log.put(name, [_right(cases, plan, cohort, embeddings, reporter) for cases in sets])
    hits = np.asarray(log.get(name), dtype=np.float64)
    (reporter.kept if is_kept else reporter.advance)(len(plan.test))
    of_set = dict(zip(sets, hits * cohort.worth[list(plan.test)], strict=True))
    return np.stack([of_set[training.cases] for training in plan.trainings])


def _right(
    cases: tuple[int, ...],
    plan: FoldPlan,
    cohort: ClassCohort,
    embeddings: Float64Array,
    reporter: Reporter,
) -> list[int]:
    """Tell which test cases a classifier gets right that is trained on some cases."""
    pool, train, test = list(plan.pool), list(cases), list(plan.test)
    values = standardized(embeddings, over=embeddings[pool])
    found = class_probabilities(
        values[train],
        cohort.classes[train],
        values[test],
        n_classes=len(cohort.names),
        strength=STRENGTH,
    )
    reporter.advance(0)
    return [int(right) for right in found.argmax(axis=1) == cohort.classes[test]]
