"""Frozen features: one vector per case and modality, nothing learned, the same for every cohort.

Contrast and texture on a coarse grid over the body. Chosen among such grids by the held-out bound
of the closed-form estimator on a public cohort of 51 PET/CT/MR cases, see `Testing/Evidence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from MultimodalImagingLib.images.arrays import Box, Float32Array, MaskArray, bounding_box
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

# Blocks along each axis, and what is around the body that still belongs to the picture.
N_BLOCKS = 5
MARGIN_MM = 10.0
STATISTICS = ("mean", "log_sd", "log_gradient", "p10", "p90")
N_FEATURES = N_BLOCKS**3 * len(STATISTICS)

# Added before the logarithm: the noise below which contrast is none (normalized units, per mm).
SD_FLOOR = 0.02
GRADIENT_FLOOR_PER_MM = 0.004


def cohort_features(
    cases: Iterable[PreparedCase],
    modalities: Sequence[str],
    *,
    n_cases: int = 0,
    reporter: Reporter | None = None,
) -> dict[str, Float32Array]:
    """Describe every modality of every case.

    Args:
        cases: Prepared cases; each is read once and let go.
        modalities: Modalities in the order of the cohort.
        n_cases: Number of cases, for the progress.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.

    Returns:
        Per modality `(n_cases, N_FEATURES)`; a row of NaN where the case lacks the modality.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Describe images", n_cases)
    missing = np.full(N_FEATURES, np.nan, dtype=np.float32)
    rows: dict[str, list[Float32Array]] = {modality: [] for modality in modalities}
    for case in cases:
        for modality in modalities:
            has_it = modality in case.images
            rows[modality].append(case_features(case, modality) if has_it else missing)
        reporter.advance()
    return {
        m: np.array(found, dtype=np.float32).reshape(-1, N_FEATURES) for m, found in rows.items()
    }


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
