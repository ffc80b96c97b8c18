"""Voxel grids in space; the only file that knows about axis order and the LPS/RAS sign flip.

Positions are ITK's: LPS, mm. Arrays are indexed `(K, J, I)`; sizes and spacings are `(I, J, K)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        size: Number of voxels along `(I, J, K)`.
        spacing_mm: Distance of neighbours along `(I, J, K)`, mm.
        origin_mm: LPS position of the center of voxel (0, 0, 0), mm.
        direction: Row-major 3x3 matrix as ITK gives it; column i is the LPS direction of axis i.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a grid."""
        if min(self.size) < 1 or min(self.spacing_mm) <= 0:
            msg = f"Expected positive size and spacing, got {self.size} and {self.spacing_mm}."
            raise ValueError(msg)
        if len(self.direction) != 9:
            msg = f"Expected 9 direction cosines, got {len(self.direction)}."
            raise ValueError(msg)

    @property
    def direction_matrix(self) -> FloatArray:
        """Direction cosines, shape `(3, 3)`."""
        return np.asarray(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def index_to_lps(self) -> FloatArray:
        """Homogeneous matrix `(4, 4)` from voxel index `(i, j, k, 1)` to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction_matrix * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def affine_ras(self) -> FloatArray:
        """Homogeneous matrix `(4, 4)` from voxel index `(i, j, k, 1)` to RAS mm."""
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.index_to_lps

    @property
    def array_shape(self) -> tuple[int, int, int]:
        """Shape `(K, J, I)` of an array on this grid."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def corners_lps(self) -> FloatArray:
        """LPS positions of the eight outer voxel-edge corners, mm, shape `(8, 3)`."""
        low, high = np.full(3, -0.5), np.asarray(self.size) - 0.5
        index = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1)
        homogeneous = np.vstack([index, np.ones(8)])
        return np.asarray((self.index_to_lps @ homogeneous)[:3].T)


def is_same_grid(first: Grid, second: Grid, *, tolerance_mm: float = 1e-3) -> bool:
    """Tell whether voxels of the same index lie at the same place within a tolerance in mm."""
    if first.size != second.size:
        return False
    difference = np.abs(first.corners_lps - second.corners_lps).max()
    return bool(difference <= tolerance_mm)
