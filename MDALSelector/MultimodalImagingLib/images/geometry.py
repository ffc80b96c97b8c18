"""Voxel grids in space; the only file that knows about axis order and the LPS/RAS sign flip.

Positions are ITK's: LPS, mm. Arrays are indexed `(K, J, I)`; sizes and spacings are `(I, J, K)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import Float64Array, VoxelArray

# A spacing outside this range (mm) is unusual enough to be named; it is used nevertheless.
USUAL_SPACING_MM = (0.1, 10.0)
# A field of view outside this range (mm) cannot be a patient: the unit is wrong.
POSSIBLE_EXTENT_MM = (5.0, 3000.0)


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        size: Number of voxels along `(I, J, K)`.
        spacing_mm: Distance of neighbors along `(I, J, K)`, mm.
        origin_mm: LPS position of the center of voxel (0, 0, 0), mm.
        direction: Row-major 3x3 matrix as ITK gives it; column i is the LPS direction of axis i.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a grid."""
        if min(self.size) < 1 or not all(0 < spacing < math.inf for spacing in self.spacing_mm):
            msg = f"Expected positive size and spacing, got {self.size} and {self.spacing_mm}."
            raise ValueError(msg)
        if len(self.direction) != 9:
            msg = f"Expected 9 direction cosines, got {len(self.direction)}."
            raise ValueError(msg)
        if not all(math.isfinite(value) for value in (*self.origin_mm, *self.direction)):
            msg = f"Expected finite origin and directions, got {self.origin_mm}, {self.direction}."
            raise ValueError(msg)

    @property
    def direction_matrix(self) -> Float64Array:
        """Direction cosines, shape `(3, 3)`."""
        return np.asarray(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def index_to_lps(self) -> Float64Array:
        """Homogeneous matrix `(4, 4)` from voxel index `(i, j, k, 1)` to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction_matrix * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def affine_ras(self) -> Float64Array:
        """Homogeneous matrix `(4, 4)` from voxel index `(i, j, k, 1)` to RAS mm."""
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.index_to_lps

    @property
    def array_shape(self) -> tuple[int, int, int]:
        """Shape `(K, J, I)` of an array on this grid."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def corners_lps(self) -> Float64Array:
        """LPS positions of the eight outer voxel-edge corners, mm, shape `(8, 3)`."""
        return (self.index_to_lps @ self._corners(0.5))[:3].T

    @property
    def corner_centers_lps(self) -> Float64Array:
        """LPS positions of the centers of the eight corner voxels, mm, shape `(8, 3)`."""
        return (self.index_to_lps @ self._corners(0.0))[:3].T

    def _corners(self, beyond: float) -> Float64Array:
        """Homogeneous index `(4, 8)` of the corners, so far beyond the centers."""
        sides = [(-beyond, n - 1.0 + beyond) for n in self.size]
        return np.vstack([np.array(np.meshgrid(*sides)).reshape(3, -1), np.ones(8)])


@dataclass(frozen=True)
class Volume:
    """Voxel values and where they lie.

    Attributes:
        array: Values, shape `(K, J, I)` = `grid.array_shape`.
        grid: The voxel grid.
    """

    array: VoxelArray
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse an array that does not fit the grid."""
        if self.array.shape != self.grid.array_shape:
            msg = f"Expected an array of shape {self.grid.array_shape}, got {self.array.shape}."
            raise ValueError(msg)


def is_same_grid(first: Grid, second: Grid, *, tolerance_mm: float = 1e-3) -> bool:
    """Tell whether voxels of the same index lie at the same place within a tolerance in mm."""
    if first.size != second.size:
        return False
    difference = np.abs(first.corners_lps - second.corners_lps).max()
    return bool(difference <= tolerance_mm)


def is_part_of(part: Grid, whole: Grid, *, tolerance_mm: float = 1e-2) -> bool:
    """Tell whether the voxels of a grid are some of the voxels of another one, as in a cut-out."""
    to_whole = np.linalg.inv(whole.index_to_lps) @ part.index_to_lps
    if not np.allclose(to_whole[:3, :3], np.eye(3), atol=1e-3):
        return False
    index = (to_whole @ part._corners(0.0))[:3]
    nearest = np.rint(index)
    difference = np.abs(whole.index_to_lps[:3, :3] @ (index - nearest)).max()
    is_inside = nearest.min() >= 0 and (nearest.max(axis=1) < np.asarray(whole.size)).all()
    return bool(is_inside and difference <= tolerance_mm)


def grid_from_affine_ras(affine_ras: Float64Array, size: tuple[int, int, int]) -> Grid:
    """Return the grid whose `affine_ras` is a given matrix; the inverse of `Grid.affine_ras`.

    Args:
        affine_ras: Homogeneous matrix `(4, 4)` from voxel index `(i, j, k, 1)` to RAS mm.
        size: Number of voxels along `(I, J, K)`.

    Raises:
        ValueError: If an axis of the matrix has no length.
    """
    index_to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine_ras, dtype=np.float64)
    spacing = np.linalg.norm(index_to_lps[:3, :3], axis=0)
    if not (np.isfinite(index_to_lps).all() and spacing.all()):
        msg = f"Expected finite axes that are longer than 0 mm, got the matrix {affine_ras}."
        raise ValueError(msg)
    direction = index_to_lps[:3, :3] / spacing
    return Grid(
        size,
        tuple(spacing.tolist()),
        tuple(index_to_lps[:3, 3].tolist()),
        tuple(direction.ravel().tolist()),
    )


def grid_of_image(image: sitk.Image) -> Grid:
    """Return the grid of a 3-D SimpleITK image."""
    return Grid(tuple(image.GetSize()), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def volume_from_image(image: sitk.Image) -> Volume:
    """Copy a 3-D SimpleITK image into a `Volume`."""
    return Volume(sitk.GetArrayFromImage(image), grid_of_image(image))


def image_from_volume(volume: Volume) -> sitk.Image:
    """Copy a `Volume` into a SimpleITK image."""
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.grid.spacing_mm)
    image.SetOrigin(volume.grid.origin_mm)
    image.SetDirection(volume.grid.direction)
    return image


def resample(
    volume: Volume,
    grid: Grid,
    *,
    interpolation: Literal["linear", "nearest"] = "linear",
    fill: float = 0.0,
) -> Volume:
    """Sample a volume at the voxel centers of another grid, in LPS space.

    Half a voxel beyond the outermost centers still belongs to the volume and gets the value at the
    rim. There is no smoothing before downsampling.

    Args:
        volume: What to sample.
        grid: Where to sample.
        interpolation: `"nearest"` for labels; keeps the data type, booleans included. `"linear"`
            gives float32, or float64 for float64.
        fill: Value where the volume has none.

    Returns:
        A volume on `grid`.
    """
    image = image_from_volume(volume)
    kind = volume.array.dtype
    if interpolation == "linear" and kind != np.float64:
        image = sitk.Cast(image, sitk.sitkFloat32)
    method = sitk.sitkLinear if interpolation == "linear" else sitk.sitkNearestNeighbor
    resampled = sitk.Resample(
        image,
        grid.size,
        sitk.Transform(3, sitk.sitkIdentity),
        method,
        grid.origin_mm,
        grid.spacing_mm,
        grid.direction,
        fill,
    )
    array = sitk.GetArrayFromImage(resampled)
    is_mask = interpolation == "nearest" and kind.kind == "b"
    return Volume(array.astype(bool) if is_mask else array, grid)


def extent_mm(grid: Grid) -> tuple[float, float, float]:
    """Return the size of the field of view along `(I, J, K)`, mm."""
    i, j, k = (n * spacing for n, spacing in zip(grid.size, grid.spacing_mm, strict=True))
    return i, j, k


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


def _mm(values: tuple[float, float, float]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
