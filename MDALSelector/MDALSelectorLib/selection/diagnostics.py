"""What speaks for and against a ranking, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Pair = tuple[str, str]
TrustLevel = Literal["good", "moderate", "low", "none"]


@dataclass(frozen=True)
class PairDiagnostics:
    """How well one pair of modalities could be scored.

    Attributes:
        pair: The two modalities in the order of the cohort.
        n_cases: Cases that have both.
        is_used: Whether the pair counts in the modality difference.
        bound_nats: Held-out InfoNCE bound of the estimator that was used, nats.
        median_nats: Median PMI over the cohort, nats; `None` if the pair was not scored.
        note: Why the pair is not used; empty if it is.
    """

    pair: Pair
    n_cases: int
    is_used: bool
    bound_nats: float | None
    median_nats: float | None
    note: str = ""


@dataclass(frozen=True)
class Diagnostics:
    """What speaks for and against the ranking.

    Attributes:
        estimator: The estimator that ranked, for example `"gaussian"`.
        bounds_nats: Held-out InfoNCE bound per estimator, mean over pairs, nats.
        null_bound_nats: What the bound must exceed: what shuffled pairs reach, nats.
        rank_correlation: Spearman correlation of the two estimators' rankings, if both ran.
        r12_disjoint: Repeatability: rank correlation of two rankings that were learned from
            separate parts of the cohort; `None` if it was not computed.
        r12_repeats: Mean rank correlation of the repeats, which share most of their data, and so
            look more repeatable than they are; `None` for one repeat.
        n_folds: Parts that the patients were split into.
        n_repeats: Times that the split was drawn.
        pairs: What is known of every pair of modalities.
    """

    estimator: str
    bounds_nats: Mapping[str, float]
    null_bound_nats: float | None
    rank_correlation: float | None
    r12_disjoint: float | None
    r12_repeats: float | None
    n_folds: int
    n_repeats: int
    pairs: tuple[PairDiagnostics, ...]

    @property
    def bound_nats(self) -> float | None:
        """Held-out bound of the estimator that ranked, nats."""
        return self.bounds_nats.get(self.estimator)

    @property
    def medians_nats(self) -> dict[Pair, float]:
        """Median PMI per scored pair, nats."""
        return {p.pair: p.median_nats for p in self.pairs if p.median_nats is not None}


@dataclass(frozen=True)
class Trust:
    """How far to trust the ranking.

    Attributes:
        level: `"none"` means that there is nothing to rank by.
        sentence: The same in words and numbers.
    """

    level: TrustLevel
    sentence: str
