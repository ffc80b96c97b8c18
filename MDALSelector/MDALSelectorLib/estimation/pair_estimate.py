"""What an estimator finds for a pair of modalities, and the modality difference of all pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.cross_fitting import (
    FloatArray,
    IntArray,
    mean_pairwise_spearman,
    spearman,
)

ModalityPair = tuple[str, str]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PairEstimate:
    """Out-of-fold PMI of one pair of modalities.

    Attributes:
        pair: The two modalities, in the order of the cohort.
        estimator: `"gaussian"` or `"contrastive"`.
        case_index: Cases that have both modalities, ascending indices `(n,)`.
        repeat_pmi: PMI of these cases per repeat, nats, `(n_repeats, n)`.
        repeat_bounds: Held-out symmetric InfoNCE bound per repeat, nats, `(n_repeats,)`.
        half_pmi: PMI by two models of disjoint halves of the other folds' patients, nats,
            `(n_splits, 2, n)`; no splits if it was not computed.
        settings: What was chosen or reached in training; JSON-able.
    """

    pair: ModalityPair
    estimator: str
    case_index: IntArray
    repeat_pmi: FloatArray
    repeat_bounds: FloatArray
    half_pmi: FloatArray
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def pmi(self) -> FloatArray:
        """PMI of the cases of `case_index`, mean over repeats, nats, `(n,)`."""
        return np.asarray(self.repeat_pmi.mean(axis=0))

    @property
    def bound_nats(self) -> float:
        """Held-out InfoNCE bound on the mutual information, mean over repeats, nats."""
        return float(self.repeat_bounds.mean())

    @property
    def r12_repeats(self) -> float:
        """Mean rank correlation of the repeats, NaN for one; they share most of their data."""
        return mean_pairwise_spearman(self.repeat_pmi)

    @property
    def r12_disjoint(self) -> float:
        """Mean rank correlation of models that share no case; about 0 for shuffled pairs."""
        found = [spearman(one, other) for one, other in self.half_pmi]
        return float(np.mean(found)) if found else float("nan")


def has_modality(features: Mapping[str, FloatArray]) -> dict[str, BoolArray]:
    """Return which cases have each modality; the others are rows of NaN."""
    return {m: np.asarray(~np.isnan(v).any(axis=1), dtype=bool) for m, v in features.items()}


def joint_cases(available: Mapping[str, BoolArray], pair: ModalityPair) -> IntArray:
    """Return the indices of the cases that have both modalities, ascending."""
    return np.flatnonzero(available[pair[0]] & available[pair[1]]).astype(np.int64)


# Median absolute deviation of a normal distribution with standard deviation 1.
NORMAL_MAD = 0.6745


@dataclass(frozen=True, eq=False)
class ModalityDifference:
    """How little information the modalities of each case share.

    Attributes:
        pairs: All pairs that were scored, in the order of the columns.
        used: The pairs that count.
        pmi_nats: PMI, nats, `(n_cases, n_pairs)`; NaN where a case lacks the pair.
        z: The same minus the cohort's median, over its robust spread, same shape.
        values: Minus the mean of `z` over the used pairs a case has, `(n_cases,)`; the higher, the
            less information they share. NaN for cases without a used pair.
        r12_repeats: Mean rank correlation of `values` between repeats, which share their data.
        r12_disjoint: Mean rank correlation of `values` by models of disjoint cases; NaN if it was
            not computed.
    """

    pairs: tuple[ModalityPair, ...]
    used: tuple[ModalityPair, ...]
    pmi_nats: FloatArray
    z: FloatArray
    values: FloatArray
    r12_repeats: float
    r12_disjoint: float

    @property
    def has_signal(self) -> bool:
        """Whether there is anything to rank by."""
        return bool(self.used)


def modality_difference(
    estimates: Sequence[PairEstimate], *, n_cases: int, unused: Mapping[ModalityPair, str]
) -> ModalityDifference:
    """Standardize the PMI of every pair and average over the pairs that count.

    Pairs differ in how much they share, so each is measured against its own median and spread
    before they are averaged; a case that lacks a modality is then not scored on an easier pair.

    Args:
        estimates: One per pair.
        n_cases: Cases of the cohort.
        unused: Pairs that do not count, and why.
    """
    kept = [estimate for estimate in estimates if estimate.pair not in unused]
    pmi = _table(estimates, [e.pmi for e in estimates], n_cases)
    z = np.apply_along_axis(robust_z, 0, pmi) if estimates else pmi
    z_kept = z[:, [estimate.pair not in unused for estimate in estimates]]
    return ModalityDifference(
        pairs=tuple(estimate.pair for estimate in estimates),
        used=tuple(estimate.pair for estimate in kept),
        pmi_nats=pmi,
        z=z,
        values=_differences(z_kept),
        r12_repeats=_repeat_agreement(kept, n_cases),
        r12_disjoint=_disjoint_agreement(kept, n_cases),
    )


def robust_z(values: FloatArray) -> FloatArray:
    """Return values minus their median over their robust spread; NaN stays NaN.

    The spread is the median absolute deviation over 0.6745, or the standard deviation if more than
    half of the values are the same; values that are all the same have z = 0.
    """
    deviations = values - np.nanmedian(values)
    spread = np.nanmedian(np.abs(deviations)) / NORMAL_MAD
    if spread == 0:
        spread = np.nanstd(values)
    return np.asarray(deviations / (spread if spread > 0 else 1.0))


def _table(
    estimates: Sequence[PairEstimate], scores: Sequence[FloatArray], n_cases: int
) -> FloatArray:
    """Return one column per pair, NaN for the cases that it lacks."""
    table = np.full((n_cases, len(estimates)), np.nan)
    for column, (estimate, values) in enumerate(zip(estimates, scores, strict=True)):
        table[estimate.case_index, column] = values
    return table


def _differences(z: FloatArray) -> FloatArray:
    """Return minus the mean over the pairs that each case has."""
    is_there = ~np.isnan(z)
    counts = is_there.sum(axis=1)
    total = np.sum(z, axis=1, where=is_there)
    return np.where(counts > 0, -total / np.maximum(counts, 1), np.nan)


def _ranking(
    kept: Sequence[PairEstimate], scores: Sequence[FloatArray], n_cases: int
) -> FloatArray:
    """Return the differences of the cases that have any of the pairs."""
    z = np.apply_along_axis(robust_z, 0, _table(kept, scores, n_cases))
    values = _differences(z)
    return values[~np.isnan(values)]


def _repeat_agreement(kept: Sequence[PairEstimate], n_cases: int) -> float:
    n_repeats = min((len(e.repeat_pmi) for e in kept), default=0)
    rankings = [_ranking(kept, [e.repeat_pmi[r] for e in kept], n_cases) for r in range(n_repeats)]
    return mean_pairwise_spearman(np.array(rankings)) if rankings else float("nan")


def _disjoint_agreement(kept: Sequence[PairEstimate], n_cases: int) -> float:
    n_splits = min((len(e.half_pmi) for e in kept), default=0)
    found = [
        spearman(
            _ranking(kept, [e.half_pmi[split, 0] for e in kept], n_cases),
            _ranking(kept, [e.half_pmi[split, 1] for e in kept], n_cases),
        )
        for split in range(n_splits)
    ]
    return float(np.mean(found)) if found else float("nan")
