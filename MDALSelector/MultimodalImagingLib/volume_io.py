"""Volumes and their files, read and written with SimpleITK."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.geometry import Grid


@dataclass(frozen=True)
class ImageFile:
    """One 3-D image on disk.

    Attributes:
        path: The file.
        component: Index along the fourth axis of a 4-D file, `None` for a 3-D file.
    """

    path: Path
    component: int | None = None


@dataclass(frozen=True)
class Volume:
    """Voxel values and where they lie.

    Attributes:
        array: Values, shape `(K, J, I)` = `grid.array_shape`.
        grid: The voxel grid.
    """

    array: npt.NDArray[np.generic]
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse an array that does not fit the grid."""
        if self.array.shape != self.grid.array_shape:
            msg = f"Expected an array of shape {self.grid.array_shape}, got {self.array.shape}."
            raise ValueError(msg)


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
