"""The one grid on which all modalities of a case meet: axes, region, coverage and anti-aliasing.

Axes follow the reference image, permuted and flipped to the order that is closest to LPS, so that
arrays, flips and networks see the same anatomical directions in every case, oblique or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import Box, Float64Array, MaskArray, bounding_box
from MultimodalImagingLib.images.geometry import Grid, Volume, image_from_volume, volume_from_image

Triple = tuple[float, float, float]

# Beyond this ratio of spacings an image is smoothed before it is sampled.
MAX_PLAIN_DOWNSAMPLING = 1.5
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
# Voxel centers closer than this (in voxels) to the rim of an image count as outside.
RIM_VOXELS = 1e-4
TYPICAL_VOXELS = 96**3


def canonical_grid(grid: Grid) -> Grid:
    """Return the same voxels with axes permuted and flipped to the order closest to LPS."""
    matrix, size = grid.direction_matrix, np.asarray(grid.size)
    order = list(max(permutations(range(3)), key=lambda p: np.abs(matrix[range(3), list(p)]).sum()))
    signs = np.where(matrix[range(3), order] >= 0, 1.0, -1.0)
    corner = np.array([0.0, 0.0, 0.0, 1.0])
    corner[order] = np.where(signs > 0, 0, size[order] - 1)
    return Grid(
        tuple(size[order].tolist()),
        tuple(np.asarray(grid.spacing_mm)[order].tolist()),
        tuple((grid.index_to_lps @ corner)[:3].tolist()),
        tuple((matrix[:, order] * signs).ravel().tolist()),
    )


def working_grid(reference: Grid, spacing_mm: Triple) -> Grid:
    """Return a grid of the given spacing with canonical axes over the reference's field of view.

    All its voxel centers lie inside the field of view; it equals the (canonical) reference when the
    spacings agree.

    Args:
        reference: Grid of the reference image.
        spacing_mm: Working spacing along the canonical (left, posterior, superior) axes, mm.
    """
    canonical = canonical_grid(reference)
    if np.allclose(canonical.spacing_mm, spacing_mm, rtol=1e-4):
        return canonical
    old, new = np.asarray(canonical.spacing_mm), np.asarray(spacing_mm, dtype=np.float64)
    extent = old * canonical.size
    # A further voxel must reach into the field of view by more than its rim, on both sides.
    least = np.maximum(2.05 * RIM_VOXELS * old / new, 1e-4)
    size = np.maximum(np.ceil(extent / new - least), 1.0)
    offset = (extent - size * new) / 2 + (new - old) / 2
    origin = np.asarray(canonical.origin_mm) + canonical.direction_matrix @ offset
    return Grid(
        tuple(size.astype(int).tolist()),
        tuple(new.tolist()),
        tuple(origin.tolist()),
        canonical.direction,
    )


def coverage(grid: Grid, image: Grid) -> MaskArray:
    """Tell which voxel centers of `grid` lie inside the field of view of `image`.

    Returns:
        Mask of shape `grid.array_shape`.
    """
    to_index = np.linalg.inv(image.index_to_lps) @ grid.index_to_lps
    covered = np.ones(grid.array_shape, dtype=bool)
    i, j, k = (np.arange(n, dtype=np.float64) for n in grid.size)
    for axis, n_voxels in enumerate(image.size):
        a, b, c, d = to_index[axis]
        position = (c * k + d)[:, None, None] + (b * j)[:, None] + a * i
        covered &= (position > RIM_VOXELS - 0.5) & (position < n_voxels - 0.5 - RIM_VOXELS)
    return covered


def cropped_grid(grid: Grid, mask: MaskArray) -> tuple[Grid, Box]:
    """Crop a grid to the bounding box of a mask.

    Returns:
        The smaller grid and the `(K, J, I)` slices that cut arrays to it.

    Raises:
        ValueError: If the mask is empty.
    """
    if not mask.any():
        msg = "Expected a mask with at least one voxel."
        raise ValueError(msg)
    box = bounding_box(mask)
    start, stop = np.array([(part.start, part.stop) for part in reversed(box)]).T
    origin = (grid.index_to_lps @ [*start, 1.0])[:3]
    size = tuple((stop - start).tolist())
    return replace(grid, size=size, origin_mm=tuple(origin.tolist())), box


def smoothed_for(volume: Volume, grid: Grid) -> Volume:
    """Smooth a volume so that sampling it on a coarser grid does not alias.

    Along every axis on which the new grid is more than 1.5 times coarser, a Gaussian widens the
    point spread from one old voxel to one new voxel [1]: `sigma = sqrt(new^2 - old^2) / 2.355`.

    Args:
        volume: Finite float32 values.
        grid: Where the volume will be sampled.

    References:
        [1] Cardoso et al., Scale factor point spread function matching, MICCAI 2015.
    """
    sigma = _sigma_mm(volume.grid, grid)
    if not sigma.any():
        return volume
    kernel = sitk.DiscreteGaussianImageFilter()
    kernel.SetVariance([float(s) ** 2 for s in sigma])
    kernel.SetUseImageSpacing(True)
    kernel.SetMaximumError(1e-3)
    kernel.SetMaximumKernelWidth(257)
    return volume_from_image(kernel.Execute(image_from_volume(volume)))


def default_spacing(grids: Mapping[str, Sequence[Grid]]) -> float:
    """Choose the isotropic working spacing of a cohort.

    The coarsest modality decides: for every modality the median over cases of the voxel volume,
    then the cube root of the largest; but so coarse that a typical case (the median field of view
    of the modality with the smallest) has at most 96^3 voxels. Rounded up to 0.1 mm.

    Args:
        grids: The grids found per modality.

    Returns:
        Spacing in mm.

    Raises:
        ValueError: If there is no grid at all.
    """
    known = [np.array([_volumes_mm3(g) for g in found]) for found in grids.values() if found]
    if not known:
        msg = "Expected at least one grid to choose a working spacing from."
        raise ValueError(msg)
    coarsest = max(float(np.median(volumes[:, 0])) for volumes in known) ** (1 / 3)
    smallest_view = min(float(np.median(volumes[:, 1])) for volumes in known)
    spacing: float = max(coarsest, (smallest_view / TYPICAL_VOXELS) ** (1 / 3))
    return math.ceil(spacing * 10 - 1e-3) / 10


def _volumes_mm3(grid: Grid) -> tuple[float, float]:
    voxel = float(np.prod(grid.spacing_mm))
    return voxel, voxel * float(np.prod(grid.size))


def _sigma_mm(old: Grid, new: Grid) -> Float64Array:
    """Width of the Gaussian along the old grid's `(I, J, K)` axes, mm; 0 where none is needed."""
    between = new.direction_matrix.T @ old.direction_matrix
    reach = 1.0 / np.linalg.norm(between / np.asarray(new.spacing_mm)[:, None], axis=0)
    spacing = np.asarray(old.spacing_mm)
    sigma = np.sqrt(np.maximum(reach**2 - spacing**2, 0.0)) / FWHM_PER_SIGMA
    return np.asarray(np.where(reach > MAX_PLAIN_DOWNSAMPLING * spacing, sigma, 0.0))
