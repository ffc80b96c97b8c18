"""What speaks for and against a ranking, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from MDALSelectorLib.estimation.config import POSITION_ESTIMATORS
from MDALSelectorLib.estimation.limits import (
    ANYONE,
    ceiling_nats,
    is_near_ceiling,
    limit_words,
)

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
        null_bound_nats: What the bound must exceed: what pairs of different patients reach, nats.
        rank_correlation: Spearman correlation of the modality difference with that of the next
            best estimator, if another one ran and has a signal.
        r12_disjoint: Repeatability: rank correlation of two rankings that were learned from
            separate parts of the cohort; `None` if it was not computed.
        r12_repeats: Mean rank correlation of the repeats, which share most of their data, and so
            look more repeatable than they are; `None` for one repeat.
        n_folds: Parts that the patients were split into.
        n_repeats: Times that the split was drawn.
        pairs: What is known of every pair of modalities.
        r12_by_estimator: `r12_disjoint` of every estimator that ran and has a signal.
        acquisition_shares: Share of the rank variance of the modality difference that site, voxel
            size and the like explain, 0 to 1, by the name of the grouping.
        followed: Names of the groupings that explain so much that the user should know.
        remarks: What else the user should know of the order, one sentence or two each.
        null_grouping: Grouping of acquisition whose patients reach `null_bound_nats` among each
            other; empty if patients of any group do.
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
    r12_by_estimator: Mapping[str, float] = field(default_factory=dict)
    acquisition_shares: Mapping[str, float] = field(default_factory=dict)
    followed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    null_grouping: str = ANYONE

    @property
    def is_per_position(self) -> bool:
        """Whether the estimator that ranked learned from positions."""
        return self.estimator in POSITION_ESTIMATORS

    @property
    def bound_nats(self) -> float | None:
        """Held-out bound of the estimator that ranked, nats."""
        return self.bounds_nats.get(self.estimator)

    @property
    def ceiling_nats(self) -> float | None:
        """Largest bound that an estimator of whole cases can reach, nats: log of a fold's cases."""
        if self.is_per_position:
            return None
        return ceiling_nats(max((pair.n_cases for pair in self.pairs), default=0), self.n_folds)

    @property
    def medians_nats(self) -> dict[Pair, float]:
        """Median PMI per scored pair, nats."""
        return {p.pair: p.median_nats for p in self.pairs if p.median_nats is not None}

    @property
    def used_medians_nats(self) -> dict[Pair, float]:
        """Median PMI per pair that counts in the modality difference, nats."""
        used = {pair.pair for pair in self.pairs if pair.is_used}
        return {pair: median for pair, median in self.medians_nats.items() if pair in used}


@dataclass(frozen=True)
class Trust:
    """How far to trust the ranking.

    Attributes:
        level: `"none"` means that there is nothing to rank by.
        sentence: The same in words and numbers.
    """

    level: TrustLevel
    sentence: str


# Below this bound there is nothing to rank by, whatever shuffled pairs reach, nats.
MIN_BOUND_NATS = 0.1
# With fewer cases an estimator that pairs whole cases has too little to learn from.
FEW_CASES = 60
# What an r12 says about the truth differs from cohort to cohort; these only part the words.
GOOD_REPEATABILITY = 0.7
MODERATE_REPEATABILITY = 0.4

_LEADS: dict[TrustLevel, str] = {
    "good": "The ranking rests on a clear signal.",
    "moderate": (
        "Trust the ranking with caution: look at the pictures of its first cases before you label"
        " them."
    ),
    "low": (
        "Trust the ranking only a little: look at the pictures of its first cases before you label"
        " them, or choose the strategy TypiClust, which goes by similarity alone."
    ),
    "none": "There is too little cross-modal signal to rank by.",
}
_LEAD_UNSCORED = "Cases cannot be ranked by modality difference."


def judge_trust(diagnostics: Diagnostics, *, n_cases: int) -> Trust:
    """Say how far to trust the ranking of a cohort.

    Nothing to rank by: no pair of modalities is used, or the held-out bound does not exceed what
    shuffled pairs reach (at least 0.1 nats). Otherwise the repeatability r12 decides between good
    (0.7), moderate (0.4) and low; fewer than 60 cases (for estimators that learn from whole
    cases), or an r12 of repeats that share their data, are never better than moderate.

    Args:
        diagnostics: What the estimator found out about itself.
        n_cases: Number of cases that were scored.
    """
    level = _level(diagnostics, n_cases)
    is_scored = diagnostics.bound_nats is not None
    parts = [_LEADS[level] if is_scored else _LEAD_UNSCORED, _signal(diagnostics)]
    if level != "none":
        parts += [_repeatability(diagnostics), _size(diagnostics, n_cases)]
    return Trust(level, " ".join(part for part in parts if part))


def _level(diagnostics: Diagnostics, n_cases: int) -> TrustLevel:
    bound, is_disjoint = diagnostics.bound_nats, diagnostics.r12_disjoint is not None
    r12 = diagnostics.r12_disjoint if is_disjoint else diagnostics.r12_repeats
    is_used = any(pair.is_used for pair in diagnostics.pairs)
    if not is_used or bound is None or bound <= _threshold(diagnostics):
        return "none"
    if r12 is None or r12 < MODERATE_REPEATABILITY:
        return "low"
    if r12 < GOOD_REPEATABILITY or _is_small(diagnostics, n_cases) or not is_disjoint:
        return "moderate"
    return "good"


def _threshold(diagnostics: Diagnostics) -> float:
    return max(MIN_BOUND_NATS, diagnostics.null_bound_nats or 0.0)


def _signal(diagnostics: Diagnostics) -> str:
    bound, threshold = diagnostics.bound_nats, _threshold(diagnostics)
    if bound is None:
        return _why_unscored(diagnostics)
    word = "above" if bound > threshold else "not above"
    limit = limit_words(MIN_BOUND_NATS, diagnostics.null_bound_nats, diagnostics.null_grouping)
    return (
        f"On cases that it had not seen, the {diagnostics.estimator} estimator finds"
        f" {bound:.2f} nats of shared information{_per(diagnostics)}, {word}"
        f" {limit}."
        f"{_saturation(diagnostics)}"
    )


def _saturation(diagnostics: Diagnostics) -> str:
    """Say that a bound cannot grow further, where it is near its ceiling."""
    ceiling, bound = diagnostics.ceiling_nats, diagnostics.bound_nats
    if ceiling is None or not is_near_ceiling(bound, ceiling):
        return ""
    return (
        f" That is near the {ceiling:.2f} nats that so few held-out cases can show at most: the"
        " modalities may share more, and bounds that close say nothing about which is better."
    )


def _why_unscored(diagnostics: Diagnostics) -> str:
    """Say what is missing: a second modality, or cases that have both of a pair."""
    if not diagnostics.pairs:
        return "The cohort has one modality; a difference needs two of them."
    most = max(diagnostics.pairs, key=lambda pair: pair.n_cases)
    rest = " No other pair has more." if len(diagnostics.pairs) > 1 else ""
    return f"{most.note}{rest}"


def _repeatability(diagnostics: Diagnostics) -> str:
    disjoint, repeats = diagnostics.r12_disjoint, diagnostics.r12_repeats
    if disjoint is not None:
        agree = (
            "Two rankings that were learned from separate parts of the cohort agree with r12 ="
            f" {disjoint:.2f}"
        )
        return (
            f"{agree} (1 is perfect). That says how well the order repeats, not how true it is: it"
            " can still follow image quality or scanner instead of content. Look at the pictures of"
            " the first cases."
        )
    if repeats is not None:
        return (
            f"Rankings from different splits of the cohort agree with r12 = {repeats:.2f}; they"
            " share most of their data, so the ranking is less repeatable than that."
        )
    return "How repeatable the ranking is could not be measured."


def _is_small(diagnostics: Diagnostics, n_cases: int) -> bool:
    return not diagnostics.is_per_position and n_cases < FEW_CASES


def _per(diagnostics: Diagnostics) -> str:
    return " per position" if diagnostics.is_per_position else ""


def _size(diagnostics: Diagnostics, n_cases: int) -> str:
    if not _is_small(diagnostics, n_cases):
        return ""
    return (
        f"{n_cases} cases are few for an estimator that learns from whole cases. Read the order as"
        " a hint, not as a measurement."
    )
