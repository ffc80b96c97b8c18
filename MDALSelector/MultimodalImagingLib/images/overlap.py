"""How well two masks agree: Dice and 95 % Hausdorff distance, by the BraTS rules.

Both masks empty: Dice 1, distance 0 mm. One of them empty: Dice 0, distance 373.13 mm, the diagonal
of a BraTS image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import Float64Array, MaskArray, bounding_box

ONE_EMPTY_MM = 373.13


def dice(prediction: MaskArray, reference: MaskArray) -> float:
    """Return twice the overlap over the sum of sizes, 0 to 1, higher is better."""
    total = int(prediction.sum()) + int(reference.sum())
    if total == 0:
        return 1.0
    return 2.0 * int((prediction & reference).sum()) / total


def hausdorff95(
    prediction: MaskArray, reference: MaskArray, *, spacing_mm: Sequence[float]
) -> float:
    """Return the larger of the two directed 95th percentiles of surface distances, mm.

    Args:
        prediction: Mask `(K, J, I)`.
        reference: Mask of the same shape.
        spacing_mm: Voxel spacing along the array's axes `(K, J, I)`, mm.
    """
    if not prediction.any() or not reference.any():
        return 0.0 if prediction.any() == reference.any() else ONE_EMPTY_MM
    box = bounding_box(prediction | reference)
    first, second = _surface(prediction[box]), _surface(reference[box])
    there = _distance_to(second, spacing_mm)[first]
    back = _distance_to(first, spacing_mm)[second]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _surface(mask: MaskArray) -> MaskArray:
    """Voxels of the mask with a face to the outside; what lies beyond the array is outside."""
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inner &= np.roll(padded, step, axis)[(slice(1, -1),) * mask.ndim]
    return np.asarray(mask & ~inner)


def _distance_to(surface: MaskArray, spacing_mm: Sequence[float]) -> Float64Array:
    image = sitk.GetImageFromArray(surface.astype(np.uint8))
    image.SetSpacing([float(value) for value in reversed(spacing_mm)])
    signed = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.asarray(np.maximum(sitk.GetArrayFromImage(signed), 0.0), dtype=np.float64)
