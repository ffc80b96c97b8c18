"""What the other strategies would have chosen: overlap, coverage, modality difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from MDALSelectorLib.selection.case_selection import StrategyComparison
from MDALSelectorLib.strategies import STRATEGIES, make_strategy
from MDALSelectorLib.strategies.base import Strategy, StrategyOptions, strategy_generator
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, Pool


def compare_strategies(
    pool: Pool, budget: int, *, seed: int, options: StrategyOptions | None = None
) -> StrategyComparison:
    """Let every strategy choose that has what it needs, and compare the choices.

    Args:
        pool: All cases.
        budget: Number of cases that each chooses.
        seed: Seed of the run; every strategy draws its own random numbers from it.
        options: Options of the strategies.

    Raises:
        UsageError: If the budget does not fit the pool.
    """
    picked = {
        name: sorted(
            pick.index
            for pick in make_strategy(name, options).select(
                _rankable(pool, name), budget, generator=strategy_generator(seed, name)
            )
        )
        for name in usable_strategies(pool, budget)
    }
    names = tuple(picked)
    return StrategyComparison(
        strategies=names,
        n_shared=tuple(
            tuple(len({*picked[row]} & {*picked[column]}) for column in names) for row in names
        ),
        coverage_radius=tuple(coverage_radius(pool, picked[name]) for name in names),
        mean_difference=tuple(_mean(pool.utilities, picked[name]) for name in names),
        n_shared_by_chance=budget**2 / int(pool.candidates.sum()),
    )


def usable_strategies(pool: Pool, budget: int = 1) -> tuple[str, ...]:
    """Return the strategies that have enough candidates with what they rank by.

    Args:
        pool: All cases.
        budget: How many candidates each needs.
    """
    return tuple(
        name
        for name, kind in STRATEGIES.items()
        if all(column in pool.utilities for column in _columns(kind))
        and int(_rankable(pool, name).candidates.sum()) >= budget
    )


def _rankable(pool: Pool, name: str) -> Pool:
    """Return the pool without the candidates that the strategy cannot rank."""
    eligible = pool.eligible
    for column in _columns(STRATEGIES[name]):
        if column in pool.utilities:
            is_known = np.isfinite(np.asarray(pool.utilities[column], dtype=np.float64))
            eligible = np.logical_and(eligible, is_known)
    return replace(pool, eligible=eligible)


def _columns(kind: type[Strategy]) -> tuple[str, ...]:
    """Return the columns that a strategy needs a value in."""
    return (*([] if kind.utility is None else [kind.utility]), *kind.also)


def coverage_radius(pool: Pool, picked: Sequence[int]) -> float:
    """Return how far the worst covered case is from its closest picked or labeled one.

    Args:
        pool: The pool; cases that are neither candidates nor labeled do not count.
        picked: Rows that were picked, at least one.

    Returns:
        Euclidean distance between fused embeddings, unitless; 0 if everything is picked.
    """
    embeddings = np.asarray(pool.embeddings, dtype=np.float64)
    covering = np.union1d(np.flatnonzero(pool.labelled), np.asarray(picked, dtype=np.intp))
    closest = np.full(pool.n_cases, np.inf)
    for row in covering:
        distances = np.linalg.norm(embeddings - embeddings[row], axis=1)
        closest = np.fmin(closest, distances)
    return float(closest[pool.candidates].max())


def _mean(utilities: Mapping[str, object], picked: Sequence[int]) -> float | None:
    values = np.asarray(utilities.get(MODALITY_DIFFERENCE, []), dtype=np.float64)
    if not values.size or not np.isfinite(values[list(picked)]).all():
        return None
    return float(values[list(picked)].mean())
