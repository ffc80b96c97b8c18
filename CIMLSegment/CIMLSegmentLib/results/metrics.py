"""How well a mask agrees with a reference: Dice and 95 % Hausdorff distance, by the BraTS rules.

Both masks empty: Dice 1, distance 0 mm. One of them empty: Dice 0, distance 373.13 mm, the diagonal
of a BraTS image. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from MultimodalImagingLib.images.arrays import bounding_box

BoolArray = npt.NDArray[np.bool_]

ONE_EMPTY_MM = 373.13


def dice(prediction: BoolArray, reference: BoolArray) -> float:
    """Return twice the overlap over the sum of sizes, 0 to 1, higher is better."""
    total = int(prediction.sum()) + int(reference.sum())
    if total == 0:
        return 1.0
    return 2.0 * int((prediction & reference).sum()) / total


def hausdorff95(
    prediction: BoolArray, reference: BoolArray, *, spacing_mm: Sequence[float]
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


def _surface(mask: BoolArray) -> BoolArray:
    """Voxels of the mask with a face to the outside; what lies beyond the array is outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _distance_to(surface: BoolArray, spacing_mm: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.asarray(ndimage.distance_transform_edt(~surface, sampling=spacing_mm))
