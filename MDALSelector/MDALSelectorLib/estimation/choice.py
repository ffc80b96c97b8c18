"""Which pairs count, and which estimator ranks: the rule of `auto`.

1. A pair of modalities counts for an estimator if its held-out bound exceeds what chance reaches
   with that estimator (95th percentile of pairs of different patients), and at least 0.1 nats.
2. An estimator without any such pair has no signal and does not rank.
3. Of the others, the one with the largest *worth* ranks: its repeatability r12 (rank correlation
   of two rankings that were learned from disjoint cases) times the correlation that its bound
   amounts to, `sqrt(1 - exp(-2 I))`, where I is how far the bounds of its pairs exceed chance,
   nats, mean over the pairs that count. Both factors lie between 0 and 1, so that bounds per case
   and bounds per position can be held against each other: a bound that is large but belongs to an
   order that does not repeat is worth little, and so is an order that repeats without a signal.
4. The closed forms come first. The case-level networks, which take most of the time, are trained
   only if no closed form has a signal and an r12 of at least 0.7: beyond that they would not change
   how far the ranking can be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.pair_estimate import (
    ModalityDifference,
    ModalityPair,
    PairEstimate,
    modality_difference,
)
from MultimodalImagingLib.images.arrays import Float64Array

NULL_QUANTILE = 0.95
# An order that repeats so well needs no second opinion of networks.
GOOD_REPEATABILITY = 0.7


@dataclass(frozen=True, eq=False)
class Found:
    """What one estimator found.

    Attributes:
        estimates: One per pair that was scored.
        null_bounds: Per pair, held-out bounds of pairs of different patients, nats.
        unused: Per pair that does not count, why; a full sentence.
        difference: The modality difference.
    """

    estimates: tuple[PairEstimate, ...]
    null_bounds: Mapping[ModalityPair, Float64Array]
    unused: Mapping[ModalityPair, str]
    difference: ModalityDifference

    @property
    def worth(self) -> float:
        """Repeatability times the correlation that the bounds amount to, 0 to 1."""
        used, r12 = self.difference.used, self.difference.r12_disjoint
        if not used or not np.isfinite(r12):
            return 0.0
        excess = [
            e.bound_nats - max(self._null_bound(e.pair), 0.0)
            for e in self.estimates
            if e.pair in used
        ]
        information = max(float(np.mean(excess)), 0.0)
        return max(float(r12), 0.0) * float(np.sqrt(-np.expm1(-2.0 * information)))

    @property
    def bound_nats(self) -> float | None:
        """Held-out bound, mean over the pairs that count (else over all), nats."""
        used = self.difference.used or tuple(estimate.pair for estimate in self.estimates)
        found = [e.bound_nats for e in self.estimates if e.pair in used]
        return float(np.mean(found)) if found else None

    @property
    def null_bound_nats(self) -> float | None:
        """95th percentile of what chance reaches, mean over the same pairs, nats."""
        counted = self.difference.used or tuple(self.null_bounds)
        found = [self._null_bound(pair) for pair in counted if pair in self.null_bounds]
        return float(np.mean(found)) if found else None

    def _null_bound(self, pair: ModalityPair) -> float:
        return null_bound(self.null_bounds.get(pair, np.empty(0)))


def judge(
    estimates: Sequence[PairEstimate],
    null_bounds: Mapping[ModalityPair, Float64Array],
    *,
    too_few: Mapping[ModalityPair, str],
    pairs: Sequence[ModalityPair],
    n_cases: int,
    config: EstimationConfig,
) -> Found:
    """Say which pairs count for an estimator and rank by them.

    Args:
        estimates: What it found.
        null_bounds: What chance reaches.
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
        chance = null_bound(null_bounds.get(estimate.pair, np.empty(0)))
        limit = max(config.min_bound_nats, chance)
        if not estimate.bound_nats > limit:
            unused[estimate.pair] = (
                f"{' and '.join(estimate.pair)} share {estimate.bound_nats:.2f} nats in cases that"
                f" were held out, no more than the {limit:.2f} nats that chance alone could give."
            )
    difference = modality_difference(estimates, n_cases=n_cases, unused=unused, pairs=pairs)
    return Found(tuple(estimates), dict(null_bounds), unused, difference)


def best_estimator(found: Mapping[str, Found]) -> str:
    """Return the estimator that ranks; without a signal, the first one.

    Args:
        found: Per estimator, in the order in which they ran.
    """

    def merit(name: str) -> tuple[bool, float, float]:
        of = found[name]
        return of.difference.has_signal, of.worth, of.bound_nats or 0.0

    with_signal = [name for name, of in found.items() if of.difference.has_signal]
    return max(with_signal, key=merit) if with_signal else next(iter(found))


def networks_can_change(found: Mapping[str, Found]) -> bool:
    """Tell whether training networks can still change which estimator should rank."""
    return not any(
        of.difference.has_signal and of.difference.r12_disjoint >= GOOD_REPEATABILITY
        for of in found.values()
    )


def null_bound(bounds: Float64Array) -> float:
    """Return what chance reaches at most, as a rule, nats; minus infinity if it is not known."""
    return float(np.quantile(bounds, NULL_QUANTILE)) if len(bounds) else -np.inf
