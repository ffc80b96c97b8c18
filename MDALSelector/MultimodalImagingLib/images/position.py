"""Where an image lies by its header, and other places that the same header allows.

A NIfTI header has two forms. The one is chosen that ITK and 3D Slicer choose: the sform if it is
the only one, or if its code is 1 and its axes are perpendicular; else the qform. The spacing is
always that of `pixdim`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.images.geometry import Grid, grid_from_affine_ras
from MultimodalImagingLib.images.nifti import NiftiHeader

_SCANNER = 1
# ITK takes an sform for sheared if its axes miss the right angle by more than about this cosine.
_ITK_SHEAR = 2e-4
# Axes may be set right without a word if that moves no voxel by more than this share of a voxel.
ROUNDING_VOXELS = 0.1


@dataclass(frozen=True)
class Reading:
    """One way to read a header.

    Attributes:
        name: What it is read from, for example `sform`.
        grid: Where the voxels lie then.
    """

    name: str
    grid: Grid


@dataclass(frozen=True)
class Position:
    """Where the voxels of an image lie.

    Attributes:
        grid: The grid that is used.
        other: Another reading of the same header that is more than a voxel away.
        source: What `grid` was read from; empty where there is only one way.
        is_known: Whether the header holds a position at all.
        remarks: What else is odd, full sentences.
        unit: Unit that the header names and that was converted to mm; empty for mm or none.
    """

    grid: Grid
    other: Reading | None = None
    source: str = ""
    is_known: bool = True
    remarks: tuple[str, ...] = ()
    unit: str = ""


def distance_mm(first: Grid, second: Grid) -> float:
    """Return the largest distance of voxels with the same index on two grids of one size, mm."""
    apart = first.corner_centers_lps - second.corner_centers_lps
    return float(np.linalg.norm(apart, axis=1).max())


def nifti_position(header: NiftiHeader) -> Position:
    """Return where the voxels lie.

    Raises:
        ValueError: If the axes are not perpendicular; the text is the end of "found ...".
    """
    size, spacing_mm = header.size_3d, _spacing_mm(header)
    unit = header.unit_name if header.unit != 1.0 else ""
    readings: dict[str, Grid] = {}
    shear_mm = 0.0
    if header.codes[1] > 0 and np.linalg.norm(header.sform[:, :3], axis=0).all():
        readings["sform"], shear_mm = _sform_grid(header)
    if header.codes[0] > 0:
        readings["qform"] = grid_from_affine_ras(_qform(header), size)
    if not readings:
        unplaced = np.diag([*np.multiply(spacing_mm, (-1, -1, 1)), 1])
        return Position(grid_from_affine_ras(unplaced, size), is_known=False, unit=unit)
    used = _used_form(header, readings)
    grid = replace(readings[used], spacing_mm=spacing_mm)
    remarks: tuple[str, ...] = ()
    if used == "sform" and _shear_cosine(header) > _ITK_SHEAR:
        sheared = _sheared(header, shear_mm)
        if shear_mm > ROUNDING_VOXELS * min(grid.spacing_mm):
            raise ValueError(sheared)
        remarks = (f"The header has {sheared}; the nearest rotation is used.",)
    return Position(grid, _other(used, grid, readings), used, remarks=remarks, unit=unit)


def _spacing_mm(header: NiftiHeader) -> tuple[float, float, float]:
    """Return the spacing, mm; its sign is no part of the standard."""
    known = [abs(length) * header.unit for length in header.pixdim[1 : len(header.size) + 1]]
    i, j, k = (*known, 1.0, 1.0)[:3]
    return i, j, k


def _used_form(header: NiftiHeader, readings: dict[str, Grid]) -> str:
    if len(readings) == 1:
        return next(iter(readings))
    is_perpendicular = _shear_cosine(header) <= _ITK_SHEAR
    return "sform" if header.codes[1] == _SCANNER and is_perpendicular else "qform"


def _shear_cosine(header: NiftiHeader) -> float:
    """Largest cosine between two axes of the sform; 0 for perpendicular ones."""
    axes = header.sform[:, :3] / np.linalg.norm(header.sform[:, :3], axis=0)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def _other(used: str, grid: Grid, readings: dict[str, Grid]) -> Reading | None:
    """Return the reading that differs most from the one in use by more than a voxel, if any."""
    voxel = min(grid.spacing_mm)
    others = [
        Reading(name if name != used else f"{name} with its own spacing", reading)
        for name, reading in readings.items()
        if distance_mm(grid, reading) > voxel
    ]
    return max(others, key=lambda other: distance_mm(grid, other.grid), default=None)


def _sform_grid(header: NiftiHeader) -> tuple[Grid, float]:
    """Return the grid of the sform with its nearest rotation, and how far that moves voxels, mm."""
    affine = np.vstack([header.sform * header.unit, [0.0, 0.0, 0.0, 1.0]])
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    u, _, vt = np.linalg.svd(affine[:3, :3] / spacing)
    straight = affine.copy()
    straight[:3, :3] = (u @ vt) * spacing
    steps = np.abs(affine[:3, :3] - straight[:3, :3]) @ (np.asarray(header.size_3d) - 1.0)
    return grid_from_affine_ras(straight, header.size_3d), float(np.linalg.norm(steps))


def _qform(header: NiftiHeader) -> Float64Array:
    b, c, d, *offset = header.quaternion
    norm = b * b + c * c + d * d
    a = math.sqrt(max(1.0 - norm, 0.0))
    if 1.0 - norm < 1e-7:
        b, c, d = (value / math.sqrt(norm) for value in (b, c, d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    mirror = -1.0 if header.pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * _spacing_mm(header) * np.array([1.0, 1.0, mirror])
    affine[:3, 3] = np.array(offset) * header.unit
    return affine


def _sheared(header: NiftiHeader, shear_mm: float) -> str:
    angle = math.degrees(math.asin(min(_shear_cosine(header), 1.0)))
    return (
        f"axes that are not perpendicular (the sform is sheared by {angle:.2g} degrees; its nearest"
        f" rotation moves voxels by up to {shear_mm:.2g} mm)"
    )
