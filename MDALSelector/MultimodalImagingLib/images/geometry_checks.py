"""How the grids of a case's images lie to each other, and grids that cannot be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from itertools import combinations, permutations

import numpy as np

from MultimodalImagingLib.images.geometry import FloatArray, Grid, Volume, is_same_grid

# A spacing outside this range (mm) is unusual enough to be named; it is used nevertheless.
USUAL_SPACING_MM = (0.1, 10.0)
# A field of view outside this range (mm) cannot be a patient: the unit is wrong.
POSSIBLE_EXTENT_MM = (5.0, 3000.0)
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


def extent_mm(grid: Grid) -> tuple[float, float, float]:
    """Return the size of the field of view along `(I, J, K)`, mm."""
    i, j, k = (n * spacing for n, spacing in zip(grid.size, grid.spacing_mm, strict=True))
    return i, j, k


def orientation(grid: Grid) -> tuple[str, float]:
    """Return where the axes point to, and how oblique they are.

    Returns:
        Three letters for the `(I, J, K)` axes, such as `LPS` (to the left, posterior, superior),
        and the largest angle between an axis and the body axis that its letter names, degrees.
    """
    matrix = grid.direction_matrix
    order = max(permutations(range(3)), key=lambda rows: _aligned(matrix, rows))
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
    points = np.stack([*np.meshgrid(*index, indexing="ij"), np.ones((len(steps),) * 3)])
    matrix = np.linalg.inv(large.index_to_lps) @ small.index_to_lps
    inside = (matrix @ points.reshape(4, -1))[:3]
    high = np.asarray(large.size)[:, None] - 0.5
    return float(((inside >= -0.5) & (inside <= high)).all(axis=0).mean())


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
    k, j, i = np.nonzero(mask.array)
    if not len(i):
        return 0.0
    points = np.vstack([i, j, k, np.ones(len(i))])
    inside = (np.linalg.inv(grid.index_to_lps) @ mask.grid.index_to_lps @ points)[:3]
    high = np.asarray(grid.size)[:, None] - 0.5
    return float(1.0 - ((inside >= -0.5) & (inside <= high)).all(axis=0).mean())


def impossible_grid(grid: Grid) -> str | None:
    """Say why a grid cannot be that of a patient, as the end of "found ..."; else `None`."""
    extent = extent_mm(grid)
    low, high = POSSIBLE_EXTENT_MM
    if min(extent) >= low and max(extent) <= high:
        return None
    return (
        f"a field of view of {_mm(extent)} mm (spacing {_mm(grid.spacing_mm)} mm), possible are"
        f" {low:g} to {high:g} mm"
    )


def unit_hint(grid: Grid, unit: str = "") -> str:
    """Say in which other unit an impossible grid would be possible; empty if in none.

    Args:
        grid: The grid.
        unit: The unit that the header names.
    """
    said = f"Its header says {unit}. " if unit not in ("", "millimetre") else ""
    low, high = POSSIBLE_EXTENT_MM
    for factor, words in ((1000.0, "1000 times larger"), (0.001, "1000 times smaller")):
        extent = [factor * length for length in extent_mm(grid)]
        if min(extent) >= low and max(extent) <= high:
            i, j, k = (factor * length for length in grid.spacing_mm)
            return (
                f"{said}With numbers {words} (spacing {_mm((i, j, k))} mm) it would be possible. "
            )
    return said


def unusual_grid(grid: Grid) -> str | None:
    """Say what is unusual about a grid that is used nevertheless; else `None`."""
    low, high = USUAL_SPACING_MM
    if low <= min(grid.spacing_mm) and max(grid.spacing_mm) <= high:
        return None
    return f"a spacing of {_mm(grid.spacing_mm)} mm, usual are {low:g} to {high:g} mm"


def _aligned(matrix: FloatArray, rows: tuple[int, ...]) -> float:
    return float(sum(abs(matrix[row, axis]) for axis, row in enumerate(rows)))


def _box_overlap(small: Grid, large: Grid) -> float:
    axes = large.direction_matrix
    a, b = small.corners_lps @ axes, large.corners_lps @ axes
    shared = np.minimum(a.max(axis=0), b.max(axis=0)) - np.maximum(a.min(axis=0), b.min(axis=0))
    return float(np.prod(np.clip(shared, 0.0, None)) / math.prod(extent_mm(small)))


def _mm(values: tuple[float, float, float]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
