"""Volumes and their files, read and written with SimpleITK; what cannot be used is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
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
    "read_layers",
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

Kind = Literal["image", "label map"]

_ADVICE = {
    "image": "Replace the file by an intact copy, or remove it from the cohort.",
    "label map": "Replace the file by an intact copy.",
}
_SPLIT_ADVICE = "Save each 3-D image in a file of its own, or take it out of the cohort."
_LABEL_ADVICE = "Save one 3-D label map with one whole number per label."

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


def read_grid(file: ImageFile, *, is_label: bool = False) -> Grid:
    """Read where the voxels of an image lie, from its header alone.

    Args:
        file: The image.
        is_label: Whether it is a label map, which may be one slice or have several layers.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    kind: Kind = "label map" if is_label else "image"
    return _grid(_open(file.path, is_thorough=False, kind=kind), file, kind)


def read_volume(file: ImageFile) -> Volume:
    """Read an image with its own data type.

    NaN and infinities of a NIfTI file arrive as 0; `nifti_values` counts them.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one 3-D scalar image.
    """
    array, grid = _read(file, "image")
    return Volume(array, grid)


def read_layers(file: ImageFile) -> tuple[list[npt.NDArray[np.generic]], Grid]:
    """Read the layers of a label map, each `(K, J, I)`: one, or several of a segmentation file.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or no label map.
    """
    array, grid = _read(file, "label map")
    layers = [array] if array.ndim == 3 else [array[..., n] for n in range(array.shape[3])]
    return layers, grid


def _read(file: ImageFile, kind: Kind) -> tuple[npt.NDArray[np.generic], Grid]:
    reader = _open(file.path, is_thorough=True, kind=kind)
    grid = _grid(reader, file, kind)
    if reader.GetDimension() > 3:
        reader.SetExtractSize([*grid.size, *[0] * (reader.GetDimension() - 3)])
        reader.SetExtractIndex([0, 0, 0, *_position(reader.GetSize()[3:], file.component or 0)])
    try:
        image = reader.Execute()
    except RuntimeError as error:
        found = "voxels that cannot be read (truncated or damaged)"
        raise _unreadable(file.path, found, kind=kind) from error
    return sitk.GetArrayFromImage(image), grid


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


def _open(path: Path, *, is_thorough: bool, kind: Kind = "image") -> sitk.ImageFileReader:
    """Read the header, after a look at the file itself, because libraries repair silently."""
    suffix = image_suffix(path)
    if suffix is None:
        found = f"a file that is none of {', '.join(IMAGE_SUFFIXES)}"
        raise _unreadable(path, found, kind=kind)
    try:
        fault = _file_fault(path, is_thorough=is_thorough)
    except OSError as error:
        found = f"a file that cannot be opened ({error.strerror})"
        raise _unreadable(path, found, kind=kind) from error
    if fault is not None:
        raise _unreadable(path, fault, kind=kind)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(_READERS[suffix])
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, _reason(str(error)), kind=kind) from error
    return reader


def _file_fault(path: Path, *, is_thorough: bool) -> str | None:
    if not path.stat().st_size:
        return "an empty file"
    if not is_nifti(path):
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


def _grid(reader: sitk.ImageFileReader, file: ImageFile, kind: Kind) -> Grid:
    size = reader.GetSize()
    (_check_axes if kind == "image" else _check_label_axes)(reader, file)
    dimension = len(size)
    direction = np.asarray(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    spacing, origin = reader.GetSpacing()[:3], reader.GetOrigin()[:3]
    if not np.isfinite([*direction.ravel(), *spacing, *origin]).all():
        raise _unreadable(file.path, "a header with NaN or infinities", kind=kind)
    if abs(np.linalg.det(direction)) < 0.5 or not np.allclose(
        direction.T @ direction, np.eye(3), atol=1e-3
    ):
        found = "axes that are not perpendicular (a sheared image)"
        raise _unreadable(file.path, found, kind=kind)
    if min(size[:3]) < 1 or min(spacing) <= 0:
        found = f"the size {size[:3]} and the spacing {spacing} mm"
        raise _unreadable(file.path, found, kind=kind)
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


def _check_label_axes(reader: sitk.ImageFileReader, file: ImageFile) -> None:
    """Refuse what is no label map; one slice or one voxel is one, and so are several layers."""
    size, n_values = reader.GetSize(), reader.GetNumberOfComponents()
    shape = "x".join(str(n) for n in size)
    if len(size) < 3:
        advice = "Save it as a 3-D image with one slice, at its place in the images."
        raise _unreadable(file.path, f"a 2-D image of {shape} voxels", advice, "label map")
    n_images = int(np.prod(size[3:], dtype=int))
    if n_images > 1 and file.component is None:
        found = (
            f"a {len(size)}-D image of {shape} voxels, as a one-hot label with a map per region has"
        )
        raise _unreadable(file.path, found, _LABEL_ADVICE, "label map")
    if n_values > 1 and not file.path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        found = f"{n_values} values per voxel, as a one-hot label with a map per region has"
        raise _unreadable(file.path, found, _LABEL_ADVICE, "label map")


def _unreadable(
    path: Path, found: str, advice: str | None = None, kind: Kind = "image"
) -> CohortError:
    chosen = _ADVICE[kind] if advice is None else advice
    return CohortError(f"Expected one 3-D {kind} in {path.name}, found {found}. {chosen}")
