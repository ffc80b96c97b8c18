"""Which pairs count, and which estimator ranks: the rule of `auto`.

1. A pair of modalities counts for an estimator if its held-out bound exceeds what chance reaches
   with that estimator (95th percentile of pairs of different patients), and at least 0.1 nats.
   Where groups of acquisition are known (site, voxel size, ...), patients are also exchanged within
   them alone, and the largest of all these percentiles is the floor: a bound that strangers of the
   same site reach as well says how images were acquired, not what the modalities of a case share.
2. An estimator without any such pair has no signal and does not rank.
3. Of the others, the one with the largest *worth* ranks: its repeatability r12 (rank correlation
   of two rankings that were learned from disjoint cases) times the correlation that its bound
   amounts to, `sqrt(1 - exp(-2 I))`, where I is how far the bounds of its pairs exceed chance,
   nats, mean over the pairs that count. Both factors lie between 0 and 1, so that bounds per case
   and bounds per position can be held against each other: a bound that is large but belongs to an
   order that does not repeat is worth little, and so is an order that repeats without a signal.
   A bound of whole cases cannot exceed the logarithm of the number of held-out cases. From 0.8 of
   that ceiling on it only says "at least this much": if the bound of any estimator with a signal is
   that close, the repeatability alone decides, and on a tie the one that ran first. So it does
   between the two estimators of positions: networks see more around a position than the closed
   form, and their bounds are larger whatever their order is worth (Testing/Evidence/local_pmi.md).
4. The closed forms come first. Networks, which take most of the time, are trained only if no
   estimator before them has a signal and an r12 of at least 0.7: beyond that they would not change
   how far the ranking can be trusted. Those of positions come before those of whole cases.
5. Without a GPU, the networks of positions are trained only if their trainings will take at most
   15 minutes of one core, counted in patches, so that the same settings decide alike everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.config import POSITION_ESTIMATORS, EstimationConfig
from MDALSelectorLib.estimation.limits import ANYONE, ceiling_nats, is_near_ceiling, limit_words
from MDALSelectorLib.estimation.pair_estimate import (
    ModalityDifference,
    ModalityPair,
    PairEstimate,
    modality_difference,
)

NULL_QUANTILE = 0.95
# An order that repeats so well needs no second opinion of networks.
GOOD_REPEATABILITY = 0.7


# Training with one patch takes one core about so long, s: measured on a 2-core server, 2026.
PATCH_SECONDS = 1.2e-4
MAX_CPU_SECONDS = 900.0


@dataclass(frozen=True, eq=False)
class Found:
    """What one estimator found.

    Attributes:
        estimates: One per pair that was scored.
        unused: Per pair that does not count, why; a full sentence.
        difference: The modality difference.
        n_folds: Parts that cases were held out in, which limits the bounds of whole cases.
    """

    estimates: tuple[PairEstimate, ...]
    unused: Mapping[ModalityPair, str]
    difference: ModalityDifference
    n_folds: int

    @property
    def worth(self) -> float:
        """Repeatability times the correlation that the bounds amount to, 0 to 1."""
        used = self.difference.used
        if not used:
            return 0.0
        excess = [
            e.bound_nats - max(floor_of_chance(e)[0], 0.0) for e in self.estimates if e.pair in used
        ]
        information = max(float(np.mean(excess)), 0.0)
        return self.repeatability * float(np.sqrt(-np.expm1(-2.0 * information)))

    @property
    def repeatability(self) -> float:
        """r12, 0 if it is not known or negative."""
        r12 = self.difference.r12_disjoint
        return max(float(r12), 0.0) if np.isfinite(r12) else 0.0

    @property
    def is_saturated(self) -> bool:
        """Whether the bound is so near its ceiling that it cannot be compared with others."""
        if any(e.is_per_position for e in self.estimates):
            return False
        n_cases = max((len(e.case_index) for e in self.estimates), default=0)
        return is_near_ceiling(self.bound_nats, ceiling_nats(n_cases, self.n_folds))

    @property
    def bound_nats(self) -> float | None:
        """Held-out bound, mean over the pairs that count (else over all), nats."""
        found = [e.bound_nats for e in self._counted]
        return float(np.mean(found)) if found else None

    @property
    def null_bound_nats(self) -> float | None:
        """Floor of chance, mean over the same pairs, nats; `None` if it was not measured."""
        found = [floor for floor, _ in self._floors]
        return float(np.mean(found)) if found else None

    @property
    def null_grouping(self) -> str:
        """The grouping within which patients reach the highest of these floors."""
        return max(self._floors, default=(0.0, ANYONE))[1]

    @property
    def _floors(self) -> list[tuple[float, str]]:
        floors = [floor_of_chance(e) for e in self._counted]
        return [floor for floor in floors if np.isfinite(floor[0])]

    @property
    def _counted(self) -> list[PairEstimate]:
        """Estimates of the pairs that count, else all."""
        used = self.difference.used
        return [e for e in self.estimates if e.pair in used or not used]


def judge(
    estimates: Sequence[PairEstimate],
    *,
    too_few: Mapping[ModalityPair, str],
    pairs: Sequence[ModalityPair],
    n_cases: int,
    config: EstimationConfig,
) -> Found:
    """Say which pairs count for an estimator and rank by them.

    Args:
        estimates: What it found, and what chance reaches.
        too_few: Pairs that could not be scored, and why.
        pairs: All pairs of modalities.
        n_cases: Cases of the cohort.
        config: The least bound.
    """
    unused = dict(too_few)
    scored = {estimate.pair for estimate in estimates}
    for pair in pairs:
        if pair not in scored and pair not in unused:
            unused[pair] = f"No case shows both {pair[0]} and {pair[1]} at enough places."
    for estimate in estimates:
        floor, grouping = floor_of_chance(estimate)
        if not estimate.bound_nats > max(config.min_bound_nats, floor):
            limit = limit_words(config.min_bound_nats, floor, grouping)
            unused[estimate.pair] = (
                f"{' and '.join(estimate.pair)} share {estimate.bound_nats:.2f} nats in cases that"
                f" were held out, no more than {limit}."
            )
    difference = modality_difference(estimates, n_cases=n_cases, unused=unused, pairs=pairs)
    return Found(tuple(estimates), unused, difference, config.cross_fit.n_folds)


def best_estimator(found: Mapping[str, Found]) -> str:
    """Return the estimator that ranks; without a signal, the first one.

    Args:
        found: Per estimator, in the order in which they ran.
    """
    with_signal = {name: of for name, of in found.items() if of.difference.has_signal}
    if not with_signal:
        return next(iter(found))
    of_positions = {name: of for name, of in with_signal.items() if name in POSITION_ESTIMATORS}
    most = max(of_positions, key=lambda name: of_positions[name].repeatability, default="")
    with_signal = {n: of for n, of in with_signal.items() if n == most or n not in of_positions}
    if any(of.is_saturated for of in with_signal.values()):
        return max(with_signal, key=lambda name: with_signal[name].repeatability)
    return max(with_signal, key=lambda n: (with_signal[n].worth, with_signal[n].bound_nats or 0.0))


def networks_can_change(found: Mapping[str, Found]) -> bool:
    """Tell whether training networks can still change which estimator should rank."""
    return not any(
        of.difference.has_signal and of.difference.r12_disjoint >= GOOD_REPEATABILITY
        for of in found.values()
    )


def cpu_seconds(config: EstimationConfig, n_modalities: int) -> float:
    """Return about how long one core trains the networks of positions at most, s."""
    of = config.local_contrastive
    n_repeats = min(of.n_repeats, config.cross_fit.n_repeats)
    n_thirds = 3 * min(of.training.n_reliability_splits, n_repeats)
    n_trainings = n_repeats * config.cross_fit.n_folds + n_thirds
    n_patches = of.training.max_steps * of.training.batch_cases * of.training.views_per_case
    return n_trainings * n_patches * n_modalities * PATCH_SECONDS


def floor_of_chance(estimate: PairEstimate) -> tuple[float, str]:
    """Return what pairs of different patients reach at most, as a rule, and which patients.

    Returns:
        The largest of the 95th percentiles, nats, minus infinity if none is known; and the grouping
        within which patients were exchanged to reach it, `ANYONE` for none.
    """
    floors = [
        (float(np.quantile(bounds, NULL_QUANTILE)), name)
        for name, bounds in estimate.null_bounds.items()
        if len(bounds)
    ]
    return max(floors, default=(-np.inf, ANYONE), key=lambda floor: floor[0])
