"""Volumes and their files, read and written with SimpleITK; what cannot be used is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.geometry import (
    Grid,
    Volume,
    grid_of_image,
    image_from_volume,
    volume_from_image,
)
from MultimodalImagingLib.images.nifti_header import is_nifti, nifti_header_fault, read_nifti_header
from MultimodalImagingLib.images.text_header import payload_of_text_header
from MultimodalImagingLib.images.text_header_checks import text_header_fault
from MultimodalImagingLib.images.voxel_payload import payload_fault
from MultimodalImagingLib.record.atomic_files import atomic_path

__all__ = [
    "IMAGE_SUFFIXES",
    "ImageFile",
    "Volume",
    "grid_of_image",
    "image_from_volume",
    "image_suffix",
    "n_components",
    "read_grid",
    "read_volume",
    "volume_from_image",
    "write_volume",
]

# Suffix and the ITK reader for it; told explicitly, so that a damaged file gives its own message.
_READERS = {
    ".nii.gz": "NiftiImageIO",
    ".nii": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
IMAGE_SUFFIXES = tuple(_READERS)

_ADVICE = "Replace the file by an intact copy, or remove it from the cohort."
_SPLIT_ADVICE = "Save each 3-D image in a file of its own, or take it out of the cohort."

sitk.ProcessObject_SetGlobalWarningDisplay(False)


@dataclass(frozen=True)
class ImageFile:
    """One 3-D image on disk.

    Attributes:
        path: The file.
        component: Index along the fourth axis of a 4-D file, `None` for a 3-D file.
    """

    path: Path
    component: int | None = None


def image_suffix(path: Path) -> str | None:
    """Return the suffix of an image file in lower case, `None` for any other file."""
    name = path.name.lower()
    return next((suffix for suffix in IMAGE_SUFFIXES if name.endswith(suffix)), None)


def n_components(path: Path) -> int:
    """Return how many 3-D images a file holds, from its header: 1 for a 3-D file.

    Raises:
        CohortError: If the header cannot be read.
    """
    reader = _open(path, is_thorough=False)
    return int(np.prod(reader.GetSize()[3:], dtype=int))


def read_grid(file: ImageFile) -> Grid:
    """Read where the voxels of an image lie, from its header alone.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    return _grid(_open(file.path, is_thorough=False), file)


def read_volume(file: ImageFile) -> Volume:
    """Read an image with its own data type.

    NaN and infinities of a NIfTI file arrive as 0; `nifti_values` counts them.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    reader = _open(file.path, is_thorough=True)
    grid = _grid(reader, file)
    if reader.GetDimension() > 3:
        reader.SetExtractSize([*grid.size, *[0] * (reader.GetDimension() - 3)])
        reader.SetExtractIndex([0, 0, 0, *_position(reader.GetSize()[3:], file.component or 0)])
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable(file.path, "voxels that cannot be read (truncated or damaged)") from error
    return Volume(sitk.GetArrayFromImage(image), grid)


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume, compressed and atomically; booleans become 0 and 1.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    if not path.parent.is_dir():
        msg = f"{path.name} cannot be written: the folder {path.parent} does not exist. Create it."
        raise CrossModalError(msg)
    try:
        with atomic_path(path) as temporary:
            sitk.WriteImage(image_from_volume(volume), str(temporary), True)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        msg = f"{path} cannot be written: {reason}. Free space or choose another folder."
        raise CrossModalError(msg) from error


def _open(path: Path, *, is_thorough: bool) -> sitk.ImageFileReader:
    """Read the header, after a look at the file itself, because libraries repair silently."""
    suffix = image_suffix(path)
    if suffix is None:
        raise _unreadable(path, f"a file that is none of {', '.join(IMAGE_SUFFIXES)}")
    try:
        fault = _file_fault(path, is_thorough=is_thorough)
    except OSError as error:
        raise _unreadable(path, f"a file that cannot be opened ({error.strerror})") from error
    if fault is not None:
        raise _unreadable(path, fault)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(_READERS[suffix])
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, _reason(str(error))) from error
    return reader


def _file_fault(path: Path, *, is_thorough: bool) -> str | None:
    if not path.stat().st_size:
        return "an empty file"
    if not is_nifti(path):
        fault = text_header_fault(path)
        if fault is not None:
            return fault
        payload = payload_of_text_header(path)
        return None if payload is None else payload_fault(payload, is_thorough=is_thorough)
    try:
        header = read_nifti_header(path)
    except ValueError as error:
        return str(error)
    fault = nifti_header_fault(header)
    return fault or payload_fault(header.payload(path), is_thorough=is_thorough)


def _position(sizes: Sequence[int], component: int) -> list[int]:
    """Split a running number into indices along the axes beyond the third, the first fastest."""
    index = []
    for n in sizes:
        component, remainder = divmod(component, n)
        index.append(remainder)
    return index


def _reason(message: str) -> str:
    if "orthonormal" in message:
        return "axes that are not perpendicular (a sheared image)"
    return "a header that cannot be read (damaged or of another format)"


def _grid(reader: sitk.ImageFileReader, file: ImageFile) -> Grid:
    size = reader.GetSize()
    _check_axes(reader, file)
    dimension = len(size)
    direction = np.asarray(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    spacing, origin = reader.GetSpacing()[:3], reader.GetOrigin()[:3]
    if not np.isfinite([*direction.ravel(), *spacing, *origin]).all():
        raise _unreadable(file.path, "a header with NaN or infinities")
    if abs(np.linalg.det(direction)) < 0.5 or not np.allclose(
        direction.T @ direction, np.eye(3), atol=1e-3
    ):
        raise _unreadable(file.path, "axes that are not perpendicular (a sheared image)")
    if min(size[:3]) < 1 or min(spacing) <= 0:
        raise _unreadable(file.path, f"the size {size[:3]} and the spacing {spacing} mm")
    return Grid(
        (size[0], size[1], size[2]),
        (spacing[0], spacing[1], spacing[2]),
        (origin[0], origin[1], origin[2]),
        tuple(float(value) for value in direction.ravel()),
    )


def _check_axes(reader: sitk.ImageFileReader, file: ImageFile) -> None:
    """Refuse what is not one 3-D image with one value per voxel."""
    size, n_values = reader.GetSize(), reader.GetNumberOfComponents()
    shape = "x".join(str(n) for n in size)
    if len(size) < 3 or min(size[:3]) == 1:
        advice = "Only images with several slices along every axis can be used; remove the file."
        raise _unreadable(file.path, f"a 2-D image of {shape} voxels", advice)
    if n_values != 1:
        raise _unreadable(file.path, f"{n_values} values per voxel", _SPLIT_ADVICE)
    n_images = int(np.prod(size[3:], dtype=int))
    if file.component is None and n_images > 1:
        raise _unreadable(file.path, f"a {len(size)}-D image of {shape} voxels", _SPLIT_ADVICE)
    if file.component is not None and not 0 <= file.component < n_images:
        raise _unreadable(file.path, f"{n_images} images, not number {file.component}")


def _unreadable(path: Path, found: str, advice: str = _ADVICE) -> CohortError:
    return CohortError(f"Expected one 3-D image in {path.name}, found {found}. {advice}")
