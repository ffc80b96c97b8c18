"""What an estimator finds for a pair of modalities, and the modality difference of all pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from MDALSelectorLib.estimation.config import POSITION_ESTIMATORS
from MDALSelectorLib.estimation.cross_fitting import IntArray, mean_pairwise_spearman, spearman
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray

ModalityPair = tuple[str, str]

# Median absolute deviation of a normal distribution with standard deviation 1.
NORMAL_MAD = 0.6745


@dataclass(frozen=True, eq=False)
class PairEstimate:
    """Out-of-fold PMI of one pair of modalities; the same for all estimators.

    Attributes:
        pair: The two modalities, in the order of the cohort.
        estimator: `"local"`, `"gaussian"` or `"contrastive"`.
        case_index: Cases that have both modalities, ascending indices `(n,)`.
        repeat_pmi: PMI of these cases per repeat, nats, `(n_repeats, n)`.
        repeat_bounds: Held-out symmetric InfoNCE bound per repeat, nats, `(n_repeats,)`.
        half_pmi: PMI by two models of disjoint halves of the other folds' patients, nats,
            `(n_splits, 2, n)`; no splits if it was not computed.
        null_bounds: Bounds of pairs of different patients, nats, `(n_shuffles,)` each: of any
            patients (`ANYONE`), and of patients of the same group by the name of the grouping.
        low_pmi: 5th percentile of the PMI over the positions of each case, nats, `(n,)`; `None` for
            estimators that look at whole cases. Nothing is ranked by it.
    """

    pair: ModalityPair
    estimator: str
    case_index: IntArray
    repeat_pmi: Float64Array
    repeat_bounds: Float64Array
    half_pmi: Float64Array
    null_bounds: Mapping[str, Float64Array] = field(default_factory=dict)
    low_pmi: Float64Array | None = None

    @property
    def pmi(self) -> Float64Array:
        """PMI of the cases of `case_index`, mean over repeats, nats, `(n,)`."""
        return np.asarray(self.repeat_pmi.mean(axis=0))

    @property
    def is_per_position(self) -> bool:
        """Whether PMI and bounds are those of positions and not of whole cases."""
        return self.estimator in POSITION_ESTIMATORS

    @property
    def bound_nats(self) -> float:
        """Held-out InfoNCE bound on the mutual information, mean over repeats, nats."""
        return float(self.repeat_bounds.mean())


@dataclass(frozen=True, eq=False)
class ModalityDifference:
    """How little information the modalities of each case share.

    Attributes:
        used: The pairs that count.
        pmi_nats: PMI per case and pair, nats, `(n_cases, n_pairs)`; NaN where a case lacks the
            pair, and where the pair was not scored.
        z: The same minus the cohort's median, over its robust spread, same shape.
        values: Minus the mean of `z` over the used pairs a case has, `(n_cases,)`; the higher, the
            less information they share. NaN for cases without a used pair.
        r12_repeats: Mean rank correlation of `values` between repeats, which share their data.
        r12_disjoint: Mean rank correlation of `values` by models of disjoint cases; NaN if it was
            not computed.
    """

    used: tuple[ModalityPair, ...]
    pmi_nats: Float64Array
    z: Float64Array
    values: Float64Array
    r12_repeats: float
    r12_disjoint: float

    @property
    def has_signal(self) -> bool:
        """Whether there is anything to rank by."""
        return bool(self.used)


def has_modality(features: Mapping[str, Float64Array]) -> dict[str, MaskArray]:
    """Return which cases have each modality; the others are rows of NaN."""
    return {m: np.asarray(~np.isnan(v).any(axis=1), dtype=bool) for m, v in features.items()}


def joint_cases(available: Mapping[str, MaskArray], pair: ModalityPair) -> IntArray:
    """Return the indices of the cases that have both modalities, ascending."""
    return np.flatnonzero(available[pair[0]] & available[pair[1]]).astype(np.int64)


def modality_difference(
    estimates: Sequence[PairEstimate],
    *,
    n_cases: int,
    unused: Mapping[ModalityPair, str],
    pairs: Sequence[ModalityPair] | None = None,
) -> ModalityDifference:
    """Standardize the PMI of every pair and average over the pairs that count.

    Pairs differ in how much they share, so each is measured against its own median and spread
    before they are averaged; a case that lacks a modality is then not scored on an easier pair.

    Args:
        estimates: One per pair that was scored.
        n_cases: Cases of the cohort.
        unused: Pairs that do not count, and why.
        pairs: The columns of the tables; the pairs that were scored by default.
    """
    kept = [estimate for estimate in estimates if estimate.pair not in unused]
    columns = [estimate.pair for estimate in estimates] if pairs is None else list(pairs)
    pmi = np.full((n_cases, len(columns)), np.nan)
    for estimate in estimates:
        pmi[estimate.case_index, columns.index(estimate.pair)] = estimate.pmi
    z = _standardized(pmi)
    splits = range(min((len(e.half_pmi) for e in kept), default=0))
    repeats = range(min((len(e.repeat_pmi) for e in kept), default=0))
    halves = [[_ranking(kept, [e.half_pmi[s, h] for e in kept]) for h in (0, 1)] for s in splits]
    rankings = [_ranking(kept, [e.repeat_pmi[repeat] for e in kept]) for repeat in repeats]
    return ModalityDifference(
        used=tuple(estimate.pair for estimate in kept),
        pmi_nats=pmi,
        z=z,
        values=-_row_means(z[:, [columns.index(estimate.pair) for estimate in kept]]),
        r12_repeats=mean_pairwise_spearman(np.array(rankings)) if rankings else float("nan"),
        r12_disjoint=float(np.mean([spearman(*pair) for pair in halves])) if halves else np.nan,
    )


def least_agreement(
    estimates: Sequence[PairEstimate], used: Sequence[ModalityPair], *, n_cases: int
) -> Float64Array:
    """Return what the modalities of each case share where they share least, nats.

    Args:
        estimates: Of the estimator that ranks.
        used: The pairs that count.
        n_cases: Cases of the cohort.

    Returns:
        Mean over the pairs that count and that a case has of the 5th percentile of its PMI over
        positions, `(n_cases,)`; NaN without any, and for estimators that look at whole cases.
    """
    table = np.full((n_cases, len(used)), np.nan)
    for estimate in estimates:
        if estimate.pair in used and estimate.low_pmi is not None:
            table[estimate.case_index, list(used).index(estimate.pair)] = estimate.low_pmi
    return _row_means(table)


def mean_over_pairs(table: Float64Array) -> Float64Array:
    """Center and scale every pair by its median and robust spread, and average over the pairs.

    Args:
        table: Values per case and pair, NaN where a case lacks the pair, `(n_cases, n_pairs)`.

    Returns:
        Shape `(n_cases,)`, NaN for cases without any pair.
    """
    return _row_means(_standardized(table))


def robust_z(values: Float64Array) -> Float64Array:
    """Return values minus their median over their robust spread; NaN stays NaN.

    The spread is the median absolute deviation over 0.6745, or the standard deviation if more than
    half of the values are the same; values that are all the same have z = 0.
    """
    deviations = values - np.nanmedian(values)
    spread = np.nanmedian(np.abs(deviations)) / NORMAL_MAD
    if spread == 0:
        spread = np.nanstd(values)
    return np.asarray(deviations / (spread if spread > 0 else 1.0))


def _standardized(table: Float64Array) -> Float64Array:
    z = np.full(table.shape, np.nan)
    for column in np.flatnonzero(np.isfinite(table).any(axis=0)):
        z[:, column] = robust_z(table[:, column])
    return z


def _row_means(table: Float64Array) -> Float64Array:
    """Return the mean over the pairs that each case has."""
    is_there = ~np.isnan(table)
    counts = is_there.sum(axis=1)
    total = np.sum(table, axis=1, where=is_there)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _ranking(kept: Sequence[PairEstimate], scores: Sequence[Float64Array]) -> Float64Array:
    """Return the differences of the cases that have any of the pairs."""
    cases = np.unique(np.concatenate([estimate.case_index for estimate in kept]))
    table = np.full((len(cases), len(kept)), np.nan)
    for column, (estimate, values) in enumerate(zip(kept, scores, strict=True)):
        table[np.searchsorted(cases, estimate.case_index), column] = values
    return -mean_over_pairs(table)
