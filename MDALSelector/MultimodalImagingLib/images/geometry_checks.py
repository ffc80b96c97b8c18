"""How the grids of a case's images lie to each other, and whether one may belong on another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations, permutations

import numpy as np

from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.images.geometry import Grid, Volume, extent_mm, is_same_grid
from MultimodalImagingLib.images.position import distance_mm

# Fields of view that share at least this much count as the same space.
SAME_SPACE_OVERLAP = 0.95
# Directions within this angle of the body's axes are not called oblique, degrees.
OBLIQUE_DEG = 0.5

_POINTS_PER_AXIS = 16


class Verdict(StrEnum):
    """How the images of a case lie to each other, from best to worst."""

    SAME_GRID = "same grid"
    SAME_SPACE = "same space, different grids"
    PARTIAL = "partial overlap"
    APART = "no overlap"


def orientation(grid: Grid) -> tuple[str, float]:
    """Return where the axes point to, and how oblique they are.

    Returns:
        Three letters for the `(I, J, K)` axes, such as `LPS` (to the left, posterior, superior),
        and the largest angle between an axis and the body axis that its letter names, degrees.
    """
    matrix = grid.direction_matrix
    order = max(permutations(range(3)), key=lambda rows: np.abs(matrix[rows, range(3)]).sum())
    letters, angles = "", []
    for axis, row in enumerate(order):
        cosine = float(matrix[row, axis])
        letters += ("LR", "PA", "SI")[row][0 if cosine >= 0 else 1]
        angles.append(math.degrees(math.acos(min(abs(cosine), 1.0))))
    return letters, max(angles)


def orientation_text(grid: Grid) -> str:
    """Return the orientation in words, such as `LPS` or `LPS, oblique 12.0 deg`."""
    letters, angle = orientation(grid)
    return letters if angle < OBLIQUE_DEG else f"{letters}, oblique {angle:.1f} deg"


def overlap_fraction(first: Grid, second: Grid) -> float:
    """Share of the smaller field of view that lies inside the larger one.

    Exact for parallel axes; for oblique pairs counted on 16 x 16 x 16 points.

    Returns:
        0 (apart) to 1 (the smaller one lies inside).
    """
    small, large = sorted((first, second), key=lambda grid: math.prod(extent_mm(grid)))
    axes = large.direction_matrix
    if np.abs(axes.T @ small.direction_matrix).max(axis=0).min() > 1 - 1e-6:
        return _box_overlap(small, large)
    steps = (np.arange(_POINTS_PER_AXIS) + 0.5) / _POINTS_PER_AXIS
    index = [steps * n - 0.5 for n in small.size]
    return _share_inside(np.reshape(np.meshgrid(*index), (3, -1)), small, large)


def case_verdict(grids: Mapping[str, Grid]) -> tuple[Verdict, float]:
    """Tell how the images of a case lie to each other.

    Args:
        grids: Grid per modality.

    Returns:
        The verdict and the smallest overlap of two modalities (1 for a single one).
    """
    pairs = list(combinations(grids.values(), 2))
    if all(is_same_grid(first, second) for first, second in pairs):
        return Verdict.SAME_GRID, 1.0
    overlap = min(overlap_fraction(first, second) for first, second in pairs)
    if overlap >= SAME_SPACE_OVERLAP:
        return Verdict.SAME_SPACE, overlap
    return (Verdict.PARTIAL if overlap > 0 else Verdict.APART), overlap


def share_outside(mask: Volume, grid: Grid) -> float:
    """Return the share of a mask's voxels that lie outside of a field of view, 0 to 1.

    Args:
        mask: Volume of booleans.
        grid: The field of view; 0 is returned for an empty mask.
    """
    index = np.array(np.nonzero(mask.array)[::-1], dtype=np.float64)
    return 1.0 - _share_inside(index, mask.grid, grid) if index.size else 0.0


def _share_inside(index: Float64Array, own: Grid, grid: Grid) -> float:
    """Share of the points with an index `(3, n)` on their own grid inside a field of view."""
    points = np.vstack([index, np.ones(index.shape[1])])
    inside = (np.linalg.inv(grid.index_to_lps) @ own.index_to_lps @ points)[:3]
    high = np.asarray(grid.size)[:, None] - 0.5
    return float(((inside >= -0.5) & (inside <= high)).all(axis=0).mean())


def _box_overlap(small: Grid, large: Grid) -> float:
    axes = large.direction_matrix
    a, b = small.corners_lps @ axes, large.corners_lps @ axes
    shared = np.minimum(a.max(axis=0), b.max(axis=0)) - np.maximum(a.min(axis=0), b.min(axis=0))
    return float(np.prod(np.clip(shared, 0.0, None)) / math.prod(extent_mm(small)))


# Voxels of one index that are closer than this share of a voxel count as the same place.
SAME_PLACE_VOXELS = 0.1

_IDENTITY = (np.eye(3), np.diag([-1.0, -1.0, 1.0]))


class Misplacement(StrEnum):
    """In which way an image of another one's size lies elsewhere; `mismatch_text` fills it in."""

    SHIFTED = "its origin is off by {off} mm ({offset} mm to the left, back and top)"
    MIRRORED = (
        "its position is mirrored from left to right and from front to back, as if LPS and RAS were"
        " mixed up (voxels are up to {off} mm off)"
    )
    TURNED = "its axes point elsewhere (voxels are up to {off} mm off)"
    UNPLACED = (
        "the position of a bare array (spacing 1 mm, origin 0; voxels are up to {off} mm off)"
    )
    TRANSPOSED = "its axes are in the reversed order and its origin is off by {off} mm"


@dataclass(frozen=True)
class Mismatch:
    """How an image lies that could belong exactly on another one.

    Attributes:
        kind: In which way it lies elsewhere.
        distance_mm: Largest distance of voxels with the same index, mm.
        offset_mm: Its origin less that of the other one, LPS, mm.
    """

    kind: Misplacement
    distance_mm: float
    offset_mm: tuple[float, float, float]


def is_same_place(first: Grid, second: Grid) -> bool:
    """Tell whether voxels of the same index lie within a tenth of a voxel on both grids."""
    return first.size == second.size and _is_near(first, second)


def mismatch(grid: Grid, other: Grid) -> Mismatch | None:
    """Tell whether an image that could belong exactly on another one lies elsewhere.

    That is so if both have as many voxels and the same spacing, but not the same place; or if one
    has no position but that of a bare array. The same box with its axes in another order is fine.

    Args:
        grid: The image in question.
        other: The image that it could belong on.

    Returns:
        How it lies, `None` if nothing is suspicious.
    """
    kind = _misplacement(grid, other)
    if kind is None:
        return None
    x, y, z = (a - b for a, b in zip(grid.origin_mm, other.origin_mm, strict=True))
    distance = distance_mm(grid, other) if grid.size == other.size else math.hypot(x, y, z)
    return Mismatch(kind, distance, (x, y, z))


def image_mismatch(grid: Grid, other: Grid) -> Mismatch | None:
    """Tell the same of two images, which may well lie apart: only what is hardly meant so."""
    found = mismatch(grid, other)
    if found is None or found.kind in (Misplacement.UNPLACED, Misplacement.MIRRORED):
        return found
    return found if overlap_fraction(grid, other) < SAME_SPACE_OVERLAP else None


def mismatch_text(found: Mismatch) -> str:
    """Say how an image lies elsewhere, as the end of "it has the size of ..., but ..."."""
    offset = ", ".join(f"{round(value, 2) + 0.0:g}" for value in found.offset_mm)
    return found.kind.format(off=f"{found.distance_mm:.3g}", offset=offset)


def _misplacement(grid: Grid, other: Grid) -> Misplacement | None:
    is_same_size = grid.size == other.size
    is_reversed = grid.size == other.size[::-1]
    if not (is_same_size or is_reversed) or _is_same_box(grid, other):
        return None
    if _is_unplaced(grid) and not _is_unplaced(other):
        return Misplacement.UNPLACED
    if not is_same_size:
        is_alike = np.allclose(grid.spacing_mm[::-1], other.spacing_mm, rtol=1e-2)
        return Misplacement.TRANSPOSED if is_alike else None
    if not np.allclose(grid.spacing_mm, other.spacing_mm, rtol=1e-2):
        return None
    if any(_is_near(turned, other) for turned in _mirrored(grid)):
        return Misplacement.MIRRORED
    is_parallel = np.allclose(grid.direction, other.direction, atol=1e-3)
    return Misplacement.SHIFTED if is_parallel else Misplacement.TURNED


def _is_near(first: Grid, second: Grid) -> bool:
    return distance_mm(first, second) <= SAME_PLACE_VOXELS * min(second.spacing_mm)


def _is_same_box(first: Grid, second: Grid) -> bool:
    """Tell whether two fields of view have the same corners, whatever the order of the axes."""
    apart = np.linalg.norm(first.corners_lps[:, None] - second.corners_lps[None], axis=2)
    return bool(apart.min(axis=1).max() <= SAME_PLACE_VOXELS * min(second.spacing_mm))


def _is_unplaced(grid: Grid) -> bool:
    """Tell whether a grid is what an array gets that is saved without a position."""
    has_axes = any(np.allclose(grid.direction_matrix, axes, atol=1e-6) for axes in _IDENTITY)
    return has_axes and set(grid.spacing_mm) == {1.0} and not any(grid.origin_mm)


def _mirrored(grid: Grid) -> tuple[Grid, ...]:
    """Return the grid with the signs of left and posterior changed in all, or in one half only."""
    x, y, z = grid.origin_mm
    axes = tuple((np.diag([-1.0, -1.0, 1.0]) @ grid.direction_matrix).ravel().tolist())
    moved, turned = replace(grid, origin_mm=(-x, -y, z)), replace(grid, direction=axes)
    return replace(moved, direction=axes), moved, turned
