"""Outer folds, and what every strategy would have chosen from the pool of each of them.

Nothing here sees a label, and nothing that concerns a test case enters: the pool's PMI, embeddings
and scales are computed anew from the pool alone in every fold.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from MDALSelectorLib.estimation.config import CrossFitConfig, EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.features import fused_embedding
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.estimation.pair_estimate import mean_over_pairs, modality_difference
from MDALSelectorLib.retrospect.config import RANDOM, RetrospectConfig
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.strategies import STRATEGIES, make_strategy
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, SCORE, VOXEL_NMI, Pool
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array

FULL = "all labels"
# A pool is smaller than its cohort; what `select` ranks must not be out of reach here.
MIN_PAIR_CASES = 20


@dataclass(frozen=True)
class Training:
    """A set of cases that a learner is trained on.

    Attributes:
        strategy: Name of the strategy that chose it, or `FULL`.
        budget: Number of the budget among those asked for; -1 for `FULL`.
        draw: Number of the draw; 0 for strategies that are not drawn.
        cases: Indices of the cases in the cohort, ascending.
    """

    strategy: str
    budget: int
    draw: int
    cases: tuple[int, ...]


@dataclass(frozen=True)
class FoldPlan:
    """An outer fold.

    Attributes:
        partition: Number of the partition.
        fold: Number of the fold within it.
        pool: Cases that may be chosen, ascending indices.
        test: Cases that are tested on; no patient of theirs is in the pool.
        trainings: What is trained; `FULL` comes first.
        estimator: Which estimator ranked.
        has_signal: Whether a pair of modalities counted; if none did, `select` would have used
            another strategy, and all pairs that could be scored were ranked by here.
    """

    partition: int
    fold: int
    pool: tuple[int, ...]
    test: tuple[int, ...]
    trainings: tuple[Training, ...]
    estimator: str
    has_signal: bool


@dataclass(frozen=True, eq=False)
class Signals:
    """What is known of every case without its label and without any other case.

    Attributes:
        case_ids: Sorted names.
        patient_ids: Patient of every case.
        features: Frozen features per modality, a row of NaN where a case lacks it.
        samples: Features of positions, or `None` if the local estimator is not asked for.
        pair_nmi: Voxel NMI per case and pair, `(n_cases, n_pairs)`.
        score: The user's own score, `(n_cases,)`, or `None`.
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    features: Mapping[str, Float64Array]
    samples: LocalSamples | None
    pair_nmi: Float64Array
    score: Float64Array | None = None


def outer_folds(
    patient_ids: Sequence[str], config: RetrospectConfig
) -> list[tuple[int, int, tuple[int, ...], tuple[int, ...]]]:
    """Return partition, fold, pool and test cases of every outer fold, split by patient.

    Raises:
        UsageError: If a fold would have fewer than two patients to test on, or a budget is larger
            than the smallest pool.
    """
    n_patients = len(set(patient_ids))
    if n_patients < 2 * config.n_folds:
        msg = (
            f"Expected at least {2 * config.n_folds} patients with a label for {config.n_folds}"
            f" outer folds, two to test on in each, found {n_patients}. Give fewer --folds or"
            " more labels."
        )
        raise UsageError(msg)
    plan = plan_cross_fit(
        patient_ids,
        config=CrossFitConfig(config.n_folds, config.n_partitions),
        seed=config.seed,
    )
    folds = [
        (partition, fold, tuple(split.fit.tolist()), tuple(split.held_out.tolist()))
        for partition in range(config.n_partitions)
        for fold, split in enumerate(plan.splits(partition))
    ]
    _check_budgets(config, smallest_pool=min(len(pool) for _, _, pool, _ in folds))
    return folds


def plan_fold(
    signals: Signals,
    config: RetrospectConfig,
    *,
    place: tuple[int, int],
    pool: tuple[int, ...],
    test: tuple[int, ...],
) -> FoldPlan:
    """Let every strategy choose from the pool of an outer fold.

    Args:
        signals: What is known of the cases.
        config: Budgets, strategies, seed.
        place: Numbers of the partition and of the fold.
        pool: Cases that may be chosen.
        test: Cases that are tested on.
    """
    estimation = _estimation(signals, config, list(pool))
    described = _pool(signals, estimation, list(pool))
    trainings = choices(described, pool, config, place=place)
    return FoldPlan(*place, pool, test, trainings, estimation.estimator, estimation.has_signal)


def choices(
    described: Pool, pool: tuple[int, ...], config: RetrospectConfig, *, place: tuple[int, int]
) -> tuple[Training, ...]:
    """Return what every strategy chooses from a pool; `FULL` comes first.

    Args:
        described: The pool as strategies see it.
        pool: Index in the cohort of each of its cases.
        config: Budgets, strategies, seed.
        place: Numbers of the partition and of the fold.
    """
    wanted = dict.fromkeys((RANDOM, *(config.strategies or STRATEGIES)))
    budgets = [parse_budget(text, n_cases=len(pool)).n_cases for text in config.budgets]
    trainings = [Training(FULL, -1, 0, pool)]
    for name in wanted:
        own = _eligible(described, name)
        for number, n_cases in enumerate(budgets):
            if own is None or own.candidates.sum() < n_cases:
                continue
            for draw in range(config.draws_of(name)):
                key = [config.seed, *place, draw, number, zlib.crc32(name.encode())]
                picks = make_strategy(name, config.options).select(
                    own, n_cases, generator=np.random.default_rng(key)
                )
                chosen = tuple(sorted(pool[pick.index] for pick in picks))
                trainings.append(Training(name, number, draw, chosen))
    return tuple(trainings)


def _eligible(pool: Pool, name: str) -> Pool | None:
    """Keep cases from a strategy that it cannot rank, as `select` does; `None` if it can none."""
    utility = STRATEGIES[name].utility
    if utility is None:
        return pool
    if utility not in pool.utilities:
        return None
    is_ranked = np.isfinite(pool.utilities[utility])
    return replace(pool, eligible=is_ranked) if is_ranked.any() else None


def _estimation(signals: Signals, config: RetrospectConfig, rows: list[int]) -> Estimation:
    """Estimate the PMI of a pool from its own cases alone."""
    samples = signals.samples
    data = EstimationData(
        case_ids=tuple(signals.case_ids[row] for row in rows),
        patient_ids=tuple(signals.patient_ids[row] for row in rows),
        features={m: values[rows] for m, values in signals.features.items()},
        samples=None if samples is None else samples.taken(rows),
    )
    settings = EstimationConfig(
        estimator=config.estimator, seed=config.seed, min_cases=MIN_PAIR_CASES
    )
    return estimate(data, settings)


def _pool(signals: Signals, estimation: Estimation, rows: list[int]) -> Pool:
    """Describe a pool from its own cases alone."""
    columns = {
        MODALITY_DIFFERENCE: _difference(estimation),
        VOXEL_NMI: mean_over_pairs(signals.pair_nmi[rows]),
        SCORE: None if signals.score is None else signals.score[rows],
    }
    return Pool(
        case_ids=tuple(signals.case_ids[row] for row in rows),
        patient_ids=tuple(signals.patient_ids[row] for row in rows),
        embeddings=fused_embedding({m: v[rows] for m, v in signals.features.items()}),
        eligible=np.ones(len(rows), dtype=bool),
        labelled=np.zeros(len(rows), dtype=bool),
        utilities={name: values for name, values in columns.items() if values is not None},
    )


def _difference(estimation: Estimation) -> Float64Array:
    """Return the modality difference; by all pairs that could be scored if none counts."""
    if estimation.has_signal:
        return estimation.difference.values
    estimates = estimation.estimates[estimation.estimator]
    return modality_difference(estimates, n_cases=len(estimation.case_ids), unused={}).values


def _check_budgets(config: RetrospectConfig, *, smallest_pool: int) -> None:
    counts = []
    for text in config.budgets:
        cleaned = text.strip()
        if cleaned.isdigit() and int(cleaned) > smallest_pool:
            msg = (
                f"Expected a budget of at most {smallest_pool} cases, as many as the pool of an"
                f" outer fold has, got {cleaned}. Give a smaller one or more --folds."
            )
            raise UsageError(msg)
        counts.append(parse_budget(text, n_cases=smallest_pool).n_cases)
    if any(later <= earlier for earlier, later in pairwise(counts)):
        msg = (
            f"Expected budgets that grow, got {', '.join(config.budgets)}, which are"
            f" {', '.join(map(str, counts))} of {smallest_pool} cases. Order them, and leave out"
            " those that are the same."
        )
        raise UsageError(msg)
