"""What one modality shows around every voxel: fixed, local, multi-scale; nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

SMOOTHING_VOXELS = (1.0, 2.0, 4.0)
GRADIENT_VOXELS = (1.0, 2.0)
SPREAD_VOXELS = 2.0
N_FEATURES = 1 + len(SMOOTHING_VOXELS) + len(GRADIENT_VOXELS) + 1


def body_features(case: PreparedCase, modalities: Sequence[str]) -> Float32Array:
    """Describe every voxel of the body by what its surroundings show in each modality.

    Args:
        case: A prepared case.
        modalities: Modalities in the order of the cohort.

    Returns:
        Shape `(n_body_voxels, n_modalities * N_FEATURES)`, voxels in `(K, J, I)` order; NaN in the
        columns of a modality that the case lacks.
    """
    n_voxels = int(case.body.sum())
    found = np.full((n_voxels, len(modalities) * N_FEATURES), np.nan, dtype=np.float32)
    for number, modality in enumerate(modalities):
        if modality in case.images:
            first = number * N_FEATURES
            for column, values in enumerate(_maps(case.images[modality])):
                found[:, first + column] = values[case.body]
    return found


def _maps(image: Float32Array) -> list[Float32Array]:
    """Return intensity, smoothed intensities, gradient magnitudes and local standard deviation."""
    from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

    maps = [image]
    maps += [gaussian_filter(image, sigma) for sigma in SMOOTHING_VOXELS]
    maps += [gaussian_gradient_magnitude(image, sigma) for sigma in GRADIENT_VOXELS]
    mean = gaussian_filter(image, SPREAD_VOXELS)
    variance = gaussian_filter(image * image, SPREAD_VOXELS) - mean * mean
    maps.append(np.sqrt(np.maximum(variance, 0.0)))
    return maps
