"""Where an image lies by its header, and other places that the same header allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MultimodalImagingLib.images.geometry import FloatArray, Grid


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
    return float(np.linalg.norm(_corners(first) - _corners(second), axis=1).max())


def _corners(grid: Grid) -> FloatArray:
    """LPS positions of the centers of the eight corner voxels, mm, shape `(8, 3)`."""
    sides = [(0.0, n - 1.0) for n in grid.size]
    index = np.array(np.meshgrid(*sides, indexing="ij")).reshape(3, -1)
    return np.asarray((grid.index_to_lps @ np.vstack([index, np.ones(8)]))[:3].T)
