"""Normalized mutual information of co-registered voxels: what modalities share, without learning.

The control for the learned PMI: one number per case and pair, from the joint histogram.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.modality_difference import robust_z
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

FloatArray = npt.NDArray[np.float64]
Pair = tuple[str, str]

N_BINS = 32
# Below this many common voxels a joint histogram of 32 x 32 bins says nothing.
MIN_VOXELS = 1000


def cohort_voxel_nmi(cases: Iterable[PreparedCase], modalities: Sequence[str]) -> FloatArray:
    """Score every case of a cohort; the voxels are those of the joint body.

    Args:
        cases: Prepared cases, read one after the other.
        modalities: Modalities in the order of the cohort.

    Returns:
        Mean over the pairs that the case has, after each pair is centered and scaled by the
        cohort's median and robust spread (so that a case is not judged by having the easier
        pairs); NaN for cases without any pair, shape `(n_cases,)`. Low means little shared.
    """
    return mean_over_pairs(pair_scores(cases, modalities))


def mean_over_pairs(table: FloatArray) -> FloatArray:
    """Center and scale every pair by its median and robust spread, and average over the pairs.

    Args:
        table: What `pair_scores` returns for the cases that are compared.

    Returns:
        Shape `(n_cases,)`, NaN for cases without any pair.
    """
    known = table[:, np.isfinite(table).any(axis=0)]
    scaled = np.apply_along_axis(robust_z, 0, known) if known.size else known
    has_any = np.isfinite(scaled).any(axis=1)
    mean = np.full(len(table), np.nan)
    mean[has_any] = np.nanmean(scaled[has_any], axis=1)
    return mean


def pair_scores(cases: Iterable[PreparedCase], modalities: Sequence[str]) -> FloatArray:
    """Score every pair of every case.

    Returns:
        0 (nothing shared) to 1, NaN where the case lacks a modality, `(n_cases, n_pairs)`.
    """
    pairs = list(combinations(modalities, 2))
    rows = [[_pair_score(case, pair) for pair in pairs] for case in cases]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(pairs))


def normalized_mutual_information(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating], *, n_bins: int = N_BINS
) -> float:
    """Symmetric uncertainty `2 I(A; B) / (H(A) + H(B))` of paired samples.

    The bins hold equally many samples each, so any increasing map of the intensities leaves the
    result unchanged. The mutual information is corrected for its bias with few samples [1].

    Args:
        first: Samples, shape `(n_samples,)`.
        second: Samples at the same places, same shape.
        n_bins: Number of bins of each image.

    Returns:
        0 (independent) to 1 (each determines the other); 0 if one of them is constant.

    References:
        [1] Miller, Note on the bias of information estimates, 1955.
    """
    labels_a, labels_b = _equal_bins(first, n_bins), _equal_bins(second, n_bins)
    counts = np.bincount(labels_a * n_bins + labels_b, minlength=n_bins * n_bins)
    joint = counts.reshape(n_bins, n_bins).astype(np.float64)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    entropy_a, entropy_b = _entropy(rows), _entropy(columns)
    n_spare = (joint > 0).sum() - (rows > 0).sum() - (columns > 0).sum() + 1
    shared = entropy_a + entropy_b - _entropy(joint) - max(n_spare, 0) / (2 * len(labels_a))
    total = entropy_a + entropy_b
    return float(np.clip(2 * shared / total, 0.0, 1.0)) if total > 0 else 0.0


def _pair_score(case: PreparedCase, pair: Pair) -> float:
    if not set(pair) <= set(case.modalities):
        return float("nan")
    mask = case.body & case.coverage[pair[0]] & case.coverage[pair[1]]
    if mask.sum() < MIN_VOXELS:
        return float("nan")
    return normalized_mutual_information(case.images[pair[0]][mask], case.images[pair[1]][mask])


def _equal_bins(values: npt.NDArray[np.floating], n_bins: int) -> npt.NDArray[np.intp]:
    edges = np.quantile(values, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(edges, values, side="left")


def _entropy(counts: FloatArray) -> float:
    """Entropy of a histogram, nats."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
