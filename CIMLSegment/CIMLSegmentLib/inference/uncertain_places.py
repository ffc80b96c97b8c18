"""How undecided the network was about a case: a number that size does not change, and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CIMLSegmentLib.inference.result_maps import predictive_entropy
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray, bounding_box
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.record.draft_uncertainty import DraftUncertainty, UncertainPlace

# The uncertain band of the score: this far from the border of what the model found, mm. It is no
# band of probabilities: inside one, the mean entropy is nearly the same however wide the rim is,
# because every logistic rim has the same shares of all probabilities.
BAND_MM = 5.0
# Places lie where a region has a probability between these.
_UNDECIDED = (0.1, 0.9)
# Places: entropy is averaged with Gaussian weights of this width, mm, ...
_SIGMA_MM = 4.0
# ... and a place stands for everything within that distance, mm.
_APART_MM = 15.0
_MOST_PLACES = 20


IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Band:
    """A region's score, and where more of it is undecided than around.

    Attributes:
        region: The region.
        positions_mm: LPS, mm, shape `(n, 3)`.
        around_nats: Mean entropy around each of these positions, nats, shape `(n,)`.
        mean_nats: Mean entropy of the voxels of the uncertain band, nats.
    """

    region: str
    positions_mm: Float64Array
    around_nats: Float64Array
    mean_nats: float


def draft_uncertainty(probabilities: Mapping[str, Float32Array], grid: Grid) -> DraftUncertainty:
    """Say how uncertain the model is about a case, and where.

    Per region, the mean predictive entropy of the voxels within 5 mm (or a voxel, if that is more)
    of the border of what the model found. A mean, not a sum: twice the size with the same rim
    gives the same, a wider rim gives more. (Sums favor large images and large lesions.) Where
    nothing was found, the border is that of half the highest probability.

    Args:
        probabilities: Region to its probability, shape `(K, J, I)`, before regions are merged.
        grid: Their grid.

    Returns:
        Entropies in nats, and up to 20 places at least 15 mm apart, the most uncertain first.
    """
    bands = [_band(name, values, grid) for name, values in probabilities.items()]
    return DraftUncertainty({band.region: band.mean_nats for band in bands}, _places(bands))


def _band(region: str, probabilities: Float32Array, grid: Grid) -> _Band:
    top = float(probabilities.max())
    is_found = probabilities > (0.5 if top > 0.5 else top / 2)
    if not is_found.any():
        return _Band(region, np.zeros((0, 3)), np.zeros(0), 0.0)
    undecided = (probabilities > _UNDECIDED[0]) & (probabilities < _UNDECIDED[1])
    spacing = tuple(reversed(grid.spacing_mm))
    margins = [round(3 * _SIGMA_MM / step) + 1 for step in spacing]
    box = tuple(
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, margin in zip(bounding_box(is_found | undecided), margins, strict=True)
    )
    entropy = predictive_entropy(probabilities[box])
    distance = _border_distance(is_found[box], spacing)
    is_near = distance <= max(BAND_MM, *spacing)
    peaks, around = _peaks(undecided[box], entropy, spacing)
    kji = peaks + np.array([part.start for part in box])
    positions = kji[:, ::-1] @ grid.index_to_lps[:3, :3].T + grid.index_to_lps[:3, 3]
    return _Band(region, positions, around, float(entropy[is_near].mean(dtype=np.float64)))


def _border_distance(mask: MaskArray, spacing: tuple[float, ...]) -> Float64Array:
    """Return the distance to the closest voxel on the other side of the border, mm.

    A mask without a border is a border itself: 0 everywhere.
    """
    if mask.all():
        return np.zeros(mask.shape)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(inside + outside, dtype=np.float64)


def _peaks(
    undecided: MaskArray, entropy: Float32Array, spacing: tuple[float, ...]
) -> tuple[IndexArray, Float64Array]:
    """Return where more is undecided than around, `(n, 3)` voxels, and the mean there, nats."""
    sigma = [_SIGMA_MM / step for step in spacing]
    counted = np.where(undecided, entropy, np.float32(0))
    around = ndimage.gaussian_filter(counted, sigma, mode="constant", truncate=3.0)
    size = [2 * round(_APART_MM / 4 / step) + 1 for step in spacing]
    highest = ndimage.maximum_filter(around, size, mode="constant")
    is_peak = undecided & (around == highest)
    return np.argwhere(is_peak), around[is_peak].astype(np.float64)


def _places(bands: list[_Band]) -> tuple[UncertainPlace, ...]:
    """Take the most uncertain position, leave out what is near to it, and so on."""
    positions = np.concatenate([band.positions_mm for band in bands])
    around = np.concatenate([band.around_nats for band in bands])
    regions = [band.region for band in bands for _ in band.around_nats]
    found: list[UncertainPlace] = []
    while len(found) < _MOST_PLACES and around.size and around.max() > 0:
        row = int(np.argmax(around))
        x, y, z = (float(value) for value in positions[row])
        found.append(UncertainPlace(regions[row], (x, y, z), float(around[row])))
        near = ((positions - positions[row]) ** 2).sum(axis=1) < _APART_MM**2
        around = np.where(near, 0.0, around)
    return tuple(found)
