"""Differences to random draws, with intervals that allow for what overlapping folds share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from MDALSelectorLib.retrospect.config import RANDOM
from MDALSelectorLib.retrospect.fold_plan import FULL, Training
from MDALSelectorLib.retrospect.outcomes import FoldResult, Outcome, RandomBand
from MDALSelectorLib.retrospect.selection_noise import mean_overlap
from MultimodalImagingLib.images.arrays import Float64Array

N_RESAMPLES = 2000
LEVELS = (0.025, 0.975)
BAND = (0.05, 0.95)
# Variance of a median of normal values over that of their mean.
MEDIAN_OVER_MEAN = np.pi / 2.0


class Evaluation:
    """Folds with their Dice, and patients to resample; the same seed gives the same intervals."""

    def __init__(
        self, results: Sequence[FoldResult], patient_ids: Sequence[str], *, seed: int
    ) -> None:
        self._results = tuple(results)
        self._patients = np.unique(np.asarray(patient_ids, dtype=str), return_inverse=True)[1]
        self._seed = seed

    @cached_property
    def weights(self) -> Float64Array:
        """How often each case counts: once in the first row, as resampled in the others."""
        n_patients = int(self._patients.max()) + 1
        generator = np.random.default_rng([self._seed, 4])
        drawn = generator.multinomial(n_patients, np.full(n_patients, 1 / n_patients), N_RESAMPLES)
        counts = np.vstack([np.ones(n_patients), drawn])
        return np.asarray(counts[:, self._patients], dtype=np.float64)

    def random_band(self, budget: int) -> RandomBand:
        """Return what random draws of a budget give."""
        draws = [self._means(r, r.rows(RANDOM, budget))[0] for r in self._results]
        median = float(np.average([np.median(d) for d in draws], weights=self._sizes))
        apart = np.concatenate([d - np.median(d) for d in draws])
        low, high = np.quantile(apart, BAND)
        return RandomBand(
            n_cases=float(np.mean([len(t.cases) for t in self._trainings(RANDOM, budget)])),
            median=median,
            low=median + float(low),
            high=median + float(high),
            spread=self._spread_of_a_draw(budget),
            full=float(self._mean(FULL, -1)[0]),
        )

    def outcome(self, strategy: str, budget: int) -> Outcome | None:
        """Return how a strategy did at a budget; `None` if it could choose in no fold."""
        used = [r for r in self._results if r.rows(strategy, budget)]
        if not used:
            return None
        to_median = self._difference(used, strategy, budget, median=True)
        noise = self._noise(strategy, budget)
        low, high, spread = self._interval(to_median, noise)
        dice = self._mean(strategy, budget)[0]
        return Outcome(
            strategy=strategy,
            budget=budget,
            dice=float(dice),
            difference=float(to_median[0]),
            low=low,
            high=high,
            difference_to_mean=float(self._difference(used, strategy, budget, median=False)[0]),
            spread_of_cases=spread,
            spread_of_choices=float(noise),
            share_of_full=float(dice / self._full(used)),
            better_than=self._better_than(used, strategy, budget),
            n_folds=len(used),
        )

    def area(self, strategy: str, budgets: Sequence[float]) -> Outcome | None:
        """Return how a strategy did over all budgets: the area under the curve over its width.

        Args:
            strategy: Its name.
            budgets: Mean number of cases of every budget, ascending, at least two.
        """
        parts = [self.outcome(strategy, number) for number in range(len(budgets))]
        if any(part is None for part in parts):
            return None
        known = [part for part in parts if part is not None]
        share = trapezoid_weights(budgets)
        used = [r for r in self._results if r.rows(strategy, 0)]
        series = [self._difference(used, strategy, b, median=True) for b in range(len(budgets))]
        difference = np.tensordot(share, series, axes=1)
        noise = float(share @ [part.spread_of_choices for part in known])
        low, high, spread = self._interval(difference, noise)
        dice = float(share @ [part.dice for part in known])
        return Outcome(
            strategy=strategy,
            budget=None,
            dice=dice,
            difference=float(difference[0]),
            low=low,
            high=high,
            difference_to_mean=float(share @ [part.difference_to_mean for part in known]),
            spread_of_cases=spread,
            spread_of_choices=noise,
            share_of_full=dice / self._full(used),
            better_than=float(share @ [part.better_than for part in known]),
            n_folds=min(part.n_folds for part in known),
        )

    @cached_property
    def _sizes(self) -> list[int]:
        return [len(result.plan.test) for result in self._results]

    def _trainings(self, strategy: str, budget: int) -> list[Training]:
        return [r.plan.trainings[row] for r in self._results for row in r.rows(strategy, budget)]

    def _means(self, result: FoldResult, rows: Sequence[int]) -> Float64Array:
        """Return the mean Dice of trainings per resample, `(n_resamples, n_rows)`."""
        weights = self.weights[:, list(result.plan.test)]
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        return np.asarray(weights @ result.dice[list(rows)].T / total)

    def _over_folds(
        self, used: Sequence[FoldResult], values: Sequence[Float64Array]
    ) -> Float64Array:
        """Average one value per fold and resample; a fold weighs as much as its test cases."""
        weights = [self.weights[:, list(r.plan.test)].sum(axis=1) for r in used]
        total = np.maximum(np.sum(weights, axis=0), 1e-12)
        return np.asarray(
            np.sum([w * v for w, v in zip(weights, values, strict=True)], axis=0) / total
        )

    def _mean(self, strategy: str, budget: int) -> Float64Array:
        used = [r for r in self._results if r.rows(strategy, budget)]
        means = [self._means(r, r.rows(strategy, budget)).mean(axis=1) for r in used]
        return self._over_folds(used, means)

    def _full(self, used: Sequence[FoldResult]) -> float:
        means = [self._means(r, r.rows(FULL, -1)).mean(axis=1) for r in used]
        return float(max(self._over_folds(used, means)[0], 1e-12))

    def _difference(
        self, used: Sequence[FoldResult], strategy: str, budget: int, *, median: bool
    ) -> Float64Array:
        middle = np.median if median else np.mean
        differences = [
            self._means(r, r.rows(strategy, budget)).mean(axis=1)
            - middle(self._means(r, r.rows(RANDOM, budget)), axis=1)
            for r in used
        ]
        return self._over_folds(used, differences)

    def _interval(self, values: Float64Array, noise: float) -> tuple[float, float, float]:
        """Return the interval and the standard error of the resampled cases."""
        resampled = values[1:]
        generator = np.random.default_rng([self._seed, 5])
        blurred = resampled + noise * generator.standard_normal(len(resampled))
        low, high = np.quantile(blurred, LEVELS)
        return float(low), float(high), float(resampled.std())

    def _spread_of_a_draw(self, budget: int) -> float:
        variances = [self._means(r, r.rows(RANDOM, budget))[0].var(ddof=1) for r in self._results]
        return float(np.sqrt(np.mean(variances)))

    def _overlap(self, strategy: str, budget: int) -> float:
        used = [
            (r.plan.pool, r.plan.trainings[row].cases)
            for r in self._results
            for row in r.rows(strategy, budget)
        ]
        return mean_overlap(
            [cases for _, cases in used], [pool for pool, _ in used], n_cases=len(self._patients)
        )

    def _noise(self, strategy: str, budget: int) -> float:
        """Return the standard error from the choices of the strategy and of the median draw."""
        own, reference = self._overlap(strategy, budget), self._overlap(RANDOM, budget)
        variance = own + MEDIAN_OVER_MEAN * reference
        return float(self._spread_of_a_draw(budget) * np.sqrt(variance))

    def _better_than(self, used: Sequence[FoldResult], strategy: str, budget: int) -> float:
        shares = []
        for result in used:
            own = self._means(result, result.rows(strategy, budget))[0]
            draws = self._means(result, result.rows(RANDOM, budget))[0]
            below = (draws[None, :] < own[:, None]) + 0.5 * (draws[None, :] == own[:, None])
            shares.append(float(below.mean()))
        return float(np.mean(shares))


def trapezoid_weights(places: Sequence[float]) -> Float64Array:
    """Return the weight of every point in the area under a curve over its width; they sum to 1."""
    x = np.asarray(places, dtype=np.float64)
    if len(x) == 1 or x[-1] <= x[0]:
        return np.full(len(x), 1.0 / len(x))
    gaps = np.diff(x)
    weights = np.zeros(len(x))
    weights[:-1] += gaps / 2.0
    weights[1:] += gaps / 2.0
    return np.asarray(weights / weights.sum())
