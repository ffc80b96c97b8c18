"""A case at the spacing at which edges are compared, and images stretched to another size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MDALSelectorLib.pairing.gradient_agreement import FloatArray, Triple
from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

# Finer images are brought to this spacing first; edges are looked for at 3 mm anyway.
FINEST_SPACING_MM = 2.5
RIM_VOXELS = 2


@dataclass(frozen=True)
class CoarseCase:
    """A case at the spacing of the comparison, arrays `(K, J, I)`, spacing along `(K, J, I)`."""

    images: Mapping[str, FloatArray]
    bodies: Mapping[str, MaskArray]
    weights: Mapping[str, FloatArray]
    spacing_mm: Triple


def coarse_case(case: PreparedCase) -> CoarseCase:
    """Bring a case to a spacing of at least 2.5 mm along each axis."""
    fine = case.grid.spacing_mm[::-1]
    shape = case.grid.array_shape
    wanted = [
        n if s >= FINEST_SPACING_MM else max(round(n * s / FINEST_SPACING_MM), 2)
        for n, s in zip(shape, fine, strict=True)
    ]
    spacing = [n * s / m for n, s, m in zip(shape, fine, wanted, strict=True)]
    return CoarseCase(
        images={m: resized(image, wanted) for m, image in case.images.items()},
        bodies={m: resized_mask(body, wanted) for m, body in case.bodies.items()},
        weights={m: _weight(resized_mask(mask, wanted)) for m, mask in case.coverage.items()},
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
    )


def resized(image: FloatArray, shape: Sequence[int]) -> FloatArray:
    """Stretch an image over another number of voxels, smoothed where there are fewer."""
    factors = [n / m for n, m in zip(image.shape, shape, strict=True)]
    if all(factor == 1 for factor in factors):
        return image
    smooth = ndimage.gaussian_filter(image, [max(0.4 * factor - 0.3, 0.0) for factor in factors])
    zoom = [1 / factor for factor in factors]
    return np.asarray(
        ndimage.zoom(smooth, zoom, order=1, mode="nearest", grid_mode=True), dtype=np.float32
    )


def resized_mask(mask: MaskArray, shape: Sequence[int]) -> MaskArray:
    """Stretch a mask over another number of voxels."""
    return np.asarray(resized(mask.astype(np.float32), shape) > 0.5)


def _weight(covered: MaskArray) -> FloatArray:
    """1 where edges are known: not at the rim of what is covered within the grid."""
    if covered.all():
        return np.ones(covered.shape, dtype=np.float32)
    inner = ndimage.binary_erosion(covered, iterations=RIM_VOXELS, border_value=1)
    return np.asarray(inner, dtype=np.float32)
