"""Outer folds, and what every strategy would have chosen from the pool of each of them.

Nothing here sees a label, and nothing that concerns a test case enters: the pool's PMI, embeddings
and scales are computed anew from the pool alone in every fold.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from MDALSelectorLib.estimation.config import CrossFitConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.retrospect.config import COMPARED, RANDOM, SITE_RANDOM, RetrospectConfig
from MDALSelectorLib.retrospect.fold_signals import Signals, described_pool, estimation_of
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.strategies import STRATEGIES, make_strategy
from MDALSelectorLib.strategies.pool import Pool
from MDALSelectorLib.strategies.stratified_random import draw_from_sites
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.texts import counted

FULL = "all labels"


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
    estimation = estimation_of(signals, config, list(pool))
    described = described_pool(signals, estimation, list(pool))
    sites = signals.sites and tuple(signals.sites[row] for row in pool)
    trainings = choices(described, pool, config, place=place, sites=sites)
    return FoldPlan(*place, pool, test, trainings, estimation.estimator, estimation.has_signal)


def choices(
    described: Pool,
    pool: tuple[int, ...],
    config: RetrospectConfig,
    *,
    place: tuple[int, int],
    sites: tuple[str, ...] | None = None,
) -> tuple[Training, ...]:
    """Return what every strategy chooses from a pool; `FULL` comes first.

    Args:
        described: The pool as strategies see it.
        pool: Index in the cohort of each of its cases.
        config: Budgets, strategies, seed.
        place: Numbers of the partition and of the fold.
        sites: Site of each case of the pool; `None` leaves out draws that are stratified by it.
    """
    wanted = dict.fromkeys((RANDOM, *(config.strategies or COMPARED)))
    budgets = [parse_budget(text, n_cases=len(pool)).n_cases for text in config.budgets]
    trainings = [Training(FULL, -1, 0, pool)]
    for name in wanted:
        for number, n_cases in enumerate(budgets):
            for draw in range(config.draws_of(name)):
                key = [config.seed, *place, draw, number, zlib.crc32(name.encode())]
                rows = _chosen(name, described, n_cases, config, sites, key)
                if rows is not None:
                    chosen = tuple(sorted(pool[row] for row in rows))
                    trainings.append(Training(name, number, draw, chosen))
    return tuple(trainings)


def _chosen(
    name: str,
    described: Pool,
    n_cases: int,
    config: RetrospectConfig,
    sites: tuple[str, ...] | None,
    key: list[int],
) -> list[int] | None:
    """Return the rows that a strategy chooses; `None` if it cannot choose."""
    generator = np.random.default_rng(key)
    if name == SITE_RANDOM:
        found = None if sites is None else draw_from_sites(sites, n_cases, generator=generator)
        return None if found is None else found.tolist()
    own = _eligible(described, name)
    if own is None or own.candidates.sum() < n_cases:
        return None
    picks = make_strategy(name, config.options).select(own, n_cases, generator=generator)
    return [pick.index for pick in picks]


def _eligible(pool: Pool, name: str) -> Pool | None:
    """Keep cases from a strategy that it cannot rank, as `select` does; `None` if it can none."""
    utility = STRATEGIES[name].utility
    if utility is None:
        return pool
    if utility not in pool.utilities:
        return None
    is_ranked = np.isfinite(pool.utilities[utility])
    return replace(pool, eligible=is_ranked) if is_ranked.any() else None


def _check_budgets(config: RetrospectConfig, *, smallest_pool: int) -> None:
    counts = []
    for text in config.budgets:
        cleaned = text.strip()
        if cleaned.isdigit() and int(cleaned) > smallest_pool:
            msg = (
                f"Expected a budget of at most {counted(smallest_pool, 'case')}, as many as"
                " the pool of an"
                f" outer fold has, got {cleaned}. Give a smaller one or more --folds."
            )
            raise UsageError(msg)
        counts.append(parse_budget(text, n_cases=smallest_pool).n_cases)
    if any(later <= earlier for earlier, later in pairwise(counts)):
        msg = (
            f"Expected budgets that grow, got {', '.join(config.budgets)}, which are"
            f" {', '.join(map(str, counts))} of {counted(smallest_pool, 'case')}. Order them,"
            " and leave out"
            " those that are the same."
        )
        raise UsageError(msg)
