"""Volumes and their files, read and written; what cannot be used is explained."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError, CrossModalError, NoSpaceError
from MultimodalImagingLib.images.arrays import (
    EnclosedNonFiniteError,
    VoxelArray,
    with_finite_background,
)
from MultimodalImagingLib.images.geometry import (
    Grid,
    Volume,
    grid_of_image,
    image_from_volume,
    volume_from_image,
)
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import (
    IMAGE_SUFFIXES,
    ImageFile,
    StoredImage,
    image_suffix,
    open_image,
    unreadable,
)
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.atomic_files import atomic_path, writing_error

__all__ = [
    "IMAGE_SUFFIXES",
    "ImageFile",
    "Volume",
    "grid_of_image",
    "image_from_volume",
    "image_suffix",
    "n_components",
    "read_grid",
    "read_layers",
    "read_position",
    "read_stored_volume",
    "read_volume",
    "volume_from_image",
    "write_volume",
]

_LEAST_SPACE = 1 << 20  # bytes
_LABEL_ADVICE = "Save one 3-D label map with one whole number per label."
_SPLIT_ADVICE = "Save each 3-D image in a file of its own."


def n_components(path: Path) -> int:
    """Return how many 3-D images a file holds, from its header: 1 for a 3-D file.

    Raises:
        CohortError: If the header cannot be read.
    """
    return int(np.prod(open_image(path).size[3:], dtype=int))


def read_grid(file: ImageFile, *, is_label: bool = False) -> Grid:
    """Read where the voxels of an image lie; as `read_position`."""
    return read_position(file, is_label=is_label).grid


def read_position(file: ImageFile, *, is_label: bool = False) -> Position:
    """Read from its header where the voxels of an image lie, and where else it could put them.

    Args:
        file: The image.
        is_label: Whether it is a label map, which may be one slice or have several layers.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    return _opened(file, is_label=is_label)[1]


def read_volume(
    file: ImageFile, *, background: float | None = None, remarks: list[str] | None = None
) -> Volume:
    """Read an image with its own data type; a compressed file is read once.

    Args:
        file: The image.
        background: Value of air in an image; `None` for 0, or the lowest value if that is below.
        remarks: Receives a sentence if NaN or infinities around the body became background.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image, or
            if it holds NaN or infinities that finite voxels enclose.
    """
    stored, position = _opened(file)
    array = stored.voxels(file.component or 0)
    try:
        finite, n_replaced = with_finite_background(array, background=background)
    except EnclosedNonFiniteError as error:
        msg = (
            f"Expected finite values in {file.path.name}, found {error}. Set them to 0 if nothing"
            " was measured there, or get the file again."
        )
        raise CohortError(msg) from error
    if n_replaced and remarks is not None:
        remarks.append(
            f"{file.path.name} holds NaN or infinities in {counted(n_replaced, 'voxel')}"
            f" ({100 * n_replaced / array.size:.0f} %) around the body; they count as background."
        )
    return Volume(finite, position.grid)


def read_stored_volume(file: ImageFile) -> Volume:
    """Read an image as it is stored, NaN and infinities too: to be looked at, not computed with.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    stored, position = _opened(file)
    return Volume(stored.voxels(file.component or 0), position.grid)


def read_layers(file: ImageFile) -> tuple[list[VoxelArray], Grid]:
    """Read the layers of a label map, each `(K, J, I)`: one, or several of a segmentation file.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or no label map.
    """
    stored, position = _opened(file, is_label=True)
    array = stored.voxels(file.component or 0)
    layers = [array] if array.ndim == 3 else [array[..., n] for n in range(array.shape[3])]
    return layers, position.grid


def write_volume(
    path: Path, volume: Volume, *, before_it_counts: Callable[[Path], None] = lambda _path: None
) -> None:
    """Write a volume, compressed and atomically; booleans become 0 and 1.

    Args:
        path: The file.
        volume: The volume.
        before_it_counts: Called with the whole file while it has another name still; if it raises,
            an older file stays.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    if not path.parent.is_dir():
        msg = f"{path.name} cannot be written: the folder {path.parent} does not exist. Create it."
        raise CrossModalError(msg)
    try:
        with atomic_path(path) as temporary:
            sitk.WriteImage(image_from_volume(volume), str(temporary), True)
            before_it_counts(temporary)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        msg = f"{path} cannot be written: {reason}. Free space or choose another folder."
        if isinstance(error, OSError):
            raise writing_error(error)(msg) from error
        is_full = shutil.disk_usage(path.parent).free < _LEAST_SPACE  # ITK does not say why
        raise (NoSpaceError if is_full else CrossModalError)(msg) from error


def _opened(file: ImageFile, *, is_label: bool = False) -> tuple[StoredImage, Position]:
    stored = open_image(file.path)
    shape = "x".join(str(n) for n in stored.size)
    n_images = int(np.prod(stored.size[3:], dtype=int))
    (_check_label_axes if is_label else _check_axes)(stored, file, shape, n_images)
    return stored, stored.position()


def _check_axes(stored: StoredImage, file: ImageFile, shape: str, n_images: int) -> None:
    """Refuse what is not one 3-D image with one value per voxel."""
    size, n_values = stored.size, stored.n_values
    if len(size) < 3 or min(size[:3]) == 1:
        advice = "Only images with several slices along every axis can be used."
        raise unreadable(file.path, f"a 2-D image of {shape} voxels", advice)
    if n_values != 1:
        raise unreadable(file.path, f"{n_values} values per voxel", _SPLIT_ADVICE)
    if file.component is None and n_images > 1:
        raise unreadable(file.path, f"a {len(size)}-D image of {shape} voxels", _SPLIT_ADVICE)
    if file.component is not None and not 0 <= file.component < n_images:
        raise unreadable(file.path, f"{counted(n_images, 'image')}, not number {file.component}")


def _check_label_axes(stored: StoredImage, file: ImageFile, shape: str, n_images: int) -> None:
    """Refuse what is no label map; one slice or one voxel is one, and so are several layers."""
    size, n_values = stored.size, stored.n_values
    one_hot = ", as a one-hot label with a map per region has"
    if len(size) < 3:
        advice = "Save it as a 3-D image with one slice, at its place in the images."
        raise unreadable(file.path, f"a 2-D image of {shape} voxels", advice, kind="label map")
    if n_images > 1 and file.component is None:
        found = f"a {len(size)}-D image of {shape} voxels{one_hot}"
        raise unreadable(file.path, found, _LABEL_ADVICE, kind="label map")
    if n_values > 1 and not file.path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        found = f"{n_values} values per voxel{one_hot}"
        raise unreadable(file.path, found, _LABEL_ADVICE, kind="label map")
