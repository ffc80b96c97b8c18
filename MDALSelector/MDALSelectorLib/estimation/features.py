"""Measures of prepared cases without learning: features, fused embedding, voxel NMI.

Features are contrast and texture on a coarse grid over the body, chosen among such grids by the
held-out bound of the closed-form estimator on a public cohort of 51 PET/CT/MR cases, see
`Testing/Evidence`. Normalized mutual information of voxels is the control for the learned PMI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.gaussian import whiten
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, has_modality, mean_over_pairs
from MultimodalImagingLib.images.arrays import (
    Box,
    Float32Array,
    Float64Array,
    MaskArray,
    bounding_box,
)
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.record.kept_results import (
    CaseMemo,
    CaseQuestion,
    ReportedMemo,
    Tensors,
    computed,
)

# Blocks along each axis, and what is around the body that still belongs to the picture.
N_BLOCKS = 5
MARGIN_MM = 10.0
STATISTICS = ("mean", "log_sd", "log_gradient", "p10", "p90")
N_FEATURES = N_BLOCKS**3 * len(STATISTICS)
N_COMPONENTS = 2
N_BINS = 32
# Below this many common voxels a joint histogram of 32 x 32 bins says nothing.
MIN_VOXELS = 1000

# Added before the logarithm: the noise below which contrast is none (normalized units, per mm).
SD_FLOOR = 0.02
GRADIENT_FLOOR_PER_MM = 0.004


def cohort_features(
    cases: Sequence[PreparedCase],
    modalities: Sequence[str],
    *,
    reporter: Reporter | None = None,
    memo: CaseMemo = computed,
) -> dict[str, Float32Array]:
    """Describe every modality of every case.

    Args:
        cases: Prepared cases; each is read once and let go.
        modalities: Modalities in the order of the cohort.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
        memo: Keeps what was computed of a case.

    Returns:
        Per modality `(n_cases, N_FEATURES)`; a row of NaN where the case lacks the modality.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Describe images", len(cases))
    steps = ReportedMemo(memo, reporter)
    found = {m: np.full((len(cases), N_FEATURES), np.nan, dtype=np.float32) for m in modalities}

    def described(row: int) -> Tensors:
        case = cases[row]
        return {m: case_features(case, m) for m in modalities if m in case.images}

    for row in range(len(cases)):
        question = CaseQuestion("features", row)
        for modality, values in steps(question, partial(described, row)).items():
            found[modality][row] = values
        steps.end_step()
    return found


def case_features(case: PreparedCase, modality: str) -> Float32Array:
    """Describe one modality of a case.

    The box around the body, 10 mm wider where the image allows, is cut into 5 x 5 x 5 blocks. Every
    block gives the mean, the logarithm of the standard deviation, the logarithm of the mean
    gradient (per mm), and the 10th and 90th percentile of the normalized intensities.

    Returns:
        Vector `(N_FEATURES,)`: blocks in `(K, J, I)` order, statistics within.
    """
    box = _body_box(case.body, case.grid.spacing_mm)
    image = case.images[modality]
    gradient = _gradient_magnitude(image, case.grid.spacing_mm)[box]
    image = image[box]
    blocks = [_statistics(image[b], gradient[b]) for b in _blocks(image.shape)]
    return np.array(blocks, dtype=np.float32).ravel()


def _statistics(values: Float32Array, gradient: Float32Array) -> tuple[float, ...]:
    low, high = np.percentile(values, (10.0, 90.0))
    return (
        float(values.mean(dtype=np.float64)),
        float(np.log(values.std(dtype=np.float64) + SD_FLOOR)),
        float(np.log(gradient.mean(dtype=np.float64) + GRADIENT_FLOOR_PER_MM)),
        float(low),
        float(high),
    )


def _gradient_magnitude(
    image: Float32Array, spacing_mm: tuple[float, float, float]
) -> Float32Array:
    steps = np.gradient(image, *reversed(spacing_mm))
    return np.asarray(np.sqrt(sum(step * step for step in steps)), dtype=np.float32)


def _body_box(body: MaskArray, spacing_mm: tuple[float, float, float]) -> Box:
    """Box around the body and its margin, inside the image; the whole image without a body."""
    k, j, i = (
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, spacing in zip(bounding_box(body), reversed(spacing_mm), strict=True)
        for margin in [round(MARGIN_MM / spacing)]
    )
    return k, j, i


def _blocks(shape: tuple[int, ...]) -> Iterator[Box]:
    """Cut a box into blocks of nearly equal size; thin boxes use a voxel more than once."""
    cuts = []
    for n in shape:
        edges = np.round(np.linspace(0, n, N_BLOCKS + 1)).astype(int)
        starts = np.minimum(edges[:-1], n - 1)
        cuts.append(
            [slice(int(a), int(max(b, a + 1))) for a, b in zip(starts, edges[1:], strict=True)]
        )
    for k in cuts[0]:
        for j in cuts[1]:
            for i in cuts[2]:
                yield k, j, i


def fused_embedding(features: Mapping[str, Float64Array], *, n_components: int = 8) -> Float64Array:
    """Join the whitened principal components of all modalities, one unit vector each.

    Every modality that a case has counts the same. A modality that it lacks is a block of zeros:
    to every other case it is at the distance 1 there, between that of two like cases (0) and that
    of two unlike ones (the root of 2), so the gap moves the case neither to nor from any group.
    Whitening ignores labels and pairs, so the embedding may see all cases.

    Args:
        features: Per modality `(n_cases, n_features)`; a row of NaN where it is missing.
        n_components: Most components per modality; at most half of the cases that have it.

    Returns:
        Shape `(n_cases, n_embedding)`, unitless.
    """
    has = has_modality(features)
    blocks = [_block(values, has[m], n_components) for m, values in features.items()]
    return np.concatenate(blocks, axis=1)


def principal_components(
    embeddings: Float64Array, n_components: int = N_COMPONENTS
) -> Float64Array:
    """Return the first principal components; the largest loading of each is positive.

    Args:
        embeddings: Finite embeddings, shape `(n_cases, n_features)`.
        n_components: How many; zeros fill up what does not exist.

    Returns:
        Shape `(n_cases, n_components)`, unitless.
    """
    components = np.zeros((len(embeddings), n_components))
    if min(embeddings.shape, default=0) == 0:
        return components
    centered = embeddings - embeddings.mean(axis=0)
    u, s, vt = np.linalg.svd(centered, full_matrices=False)
    n_found = min(n_components, len(s))
    largest = vt[np.arange(n_found), np.abs(vt[:n_found]).argmax(axis=1)]
    components[:, :n_found] = u[:, :n_found] * s[:n_found] * np.where(largest < 0, -1.0, 1.0)
    return components


def _block(values: Float64Array, has: np.ndarray, n_components: int) -> Float64Array:
    n_having = int(has.sum())
    is_constant = n_having < 2 or bool((np.ptp(values[has], axis=0) == 0).all())
    if is_constant:
        return np.zeros((len(values), 1))
    whitening = whiten(values[has], n_components=max(1, min(n_components, n_having // 2)))
    components = whitening(values[has])
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    block = np.zeros((len(values), components.shape[1]))
    block[has] = components / np.where(lengths > 0, lengths, 1)
    return block


def cohort_voxel_nmi(
    cases: Sequence[PreparedCase],
    modalities: Sequence[str],
    *,
    reporter: Reporter | None = None,
    memo: CaseMemo = computed,
) -> Float64Array:
    """Score every case of a cohort; the voxels are those of the joint body.

    Args:
        cases: Prepared cases, read one after the other.
        modalities: Modalities in the order of the cohort.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
        memo: Keeps what was computed of a case.

    Returns:
        Mean over the pairs that the case has, after each pair is centered and scaled by the
        cohort's median and robust spread (so that a case is not judged by having the easier
        pairs); NaN for cases without any pair, shape `(n_cases,)`. Low means little shared.
    """
    return mean_over_pairs(pair_scores(cases, modalities, reporter=reporter, memo=memo))


def pair_scores(
    cases: Sequence[PreparedCase],
    modalities: Sequence[str],
    *,
    reporter: Reporter | None = None,
    memo: CaseMemo = computed,
) -> Float64Array:
    """Score every pair of every case; arguments as in `cohort_voxel_nmi`.

    Returns:
        0 (nothing shared) to 1, NaN where the case lacks a modality, `(n_cases, n_pairs)`.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Compare voxels", len(cases))
    steps = ReportedMemo(memo, reporter)
    pairs = list(combinations(modalities, 2))

    def compared(row: int) -> Tensors:
        case = cases[row]
        return {"nmi": np.array([_pair_score(case, pair) for pair in pairs], dtype=np.float64)}

    scores = np.full((len(cases), len(pairs)), np.nan)
    for row in range(len(cases)):
        scores[row] = steps(CaseQuestion("voxels", row), partial(compared, row))["nmi"]
        steps.end_step()
    return scores


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


def _pair_score(case: PreparedCase, pair: ModalityPair) -> float:
    if not set(pair) <= set(case.modalities):
        return float("nan")
    mask = case.body & case.coverage[pair[0]] & case.coverage[pair[1]]
    if mask.sum() < MIN_VOXELS:
        return float("nan")
    return normalized_mutual_information(case.images[pair[0]][mask], case.images[pair[1]][mask])


def _equal_bins(values: npt.NDArray[np.floating], n_bins: int) -> npt.NDArray[np.intp]:
    edges = np.quantile(values, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(edges, values, side="left")


def _entropy(counts: Float64Array) -> float:
    """Entropy of a histogram, nats."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
