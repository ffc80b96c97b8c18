"""An image file opened: what its header says, and a way to its voxels. NIfTI is read here.

All other formats are read by SimpleITK, after a look at the file, because it repairs silently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.images.file_contents import foreign_content, payload_fault
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.nifti import (
    is_nifti,
    nifti_header_fault,
    read_nifti_header,
    read_nifti_voxels,
)
from MultimodalImagingLib.images.position import Position, nifti_position
from MultimodalImagingLib.images.text_header import (
    missing_line,
    payload_of_text_header,
    text_position,
)
from MultimodalImagingLib.images.text_header_checks import text_header_fault

# Suffix and the ITK reader for it; given explicitly, so that a damaged file gives its own message.
_READERS = {
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
IMAGE_SUFFIXES = (".nii.gz", ".nii", *_READERS)

_ADVICE = "Replace the file by an intact copy."
_SHEAR_ADVICE = (
    "Resample it to straight axes (nibabel.processing.resample_to_output, or 3D Slicer), or set its"
    " axes to the nearest rotation if that shift is small enough."
)
_SPACING_ADVICE = "Set the spacing in its header to what the scanner or the publisher says, in mm."

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


@dataclass(frozen=True)
class StoredImage:
    """What the header of an image file says, and how to read on.

    Attributes:
        size: Number of voxels along every axis.
        n_values: Numbers per voxel.
        position: Says where the voxels lie.
        voxels: Reads the 3-D image of the given number, `(K, J, I)`.
    """

    size: tuple[int, ...]
    n_values: int
    position: Callable[[], Position]
    voxels: Callable[[int], VoxelArray]


def open_image(path: Path) -> StoredImage:
    """Read the header of an image file.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or of another format.
    """
    suffix = image_suffix(path)
    if suffix is None:
        raise unreadable(path, f"a file that is none of {', '.join(IMAGE_SUFFIXES)}")
    try:
        if not path.stat().st_size:
            raise unreadable(path, "an empty file", "Get the file again.")
        return _open_nifti(path) if is_nifti(path) else _open_with_itk(path, _READERS[suffix])
    except FileNotFoundError as error:
        if not path.is_symlink():
            found = f"a file that cannot be opened ({error.strerror})"
            raise unreadable(path, found, "Check its name and where it lies.") from error
        found = "a link to a file that is not there (No such file)"
        raise unreadable(path, found, "Fetch it (`git annex get`, `datalad get`).") from error
    except OSError as error:
        found = f"a file that cannot be opened ({error.strerror})"
        raise unreadable(path, found, "Get permission to read it, or check its drive.") from error


def _open_nifti(path: Path) -> StoredImage:
    try:
        header = read_nifti_header(path)
    except ValueError as error:
        raise unreadable(path, *(foreign_content(path) or (str(error),))) from error
    fault = nifti_header_fault(header)
    if fault is not None:
        advice = _SPACING_ADVICE if "spacing" in fault else _ADVICE
        raise unreadable(path, fault, advice)
    fault = payload_fault(header.payload(path), is_thorough=False)
    if fault is not None:
        raise unreadable(path, fault)

    def position() -> Position:
        try:
            return nifti_position(header)
        except ValueError as error:
            raise unreadable(path, str(error), _SHEAR_ADVICE) from error

    def voxels(component: int) -> VoxelArray:
        try:
            return read_nifti_voxels(path, header, component)
        except ValueError as error:
            raise unreadable(path, str(error)) from error

    return StoredImage(header.size, header.n_values, position, voxels)


def _open_with_itk(path: Path, io: str) -> StoredImage:
    damage = missing_line(path) or text_header_fault(path)
    if damage is not None:  # before ITK sees it
        raise unreadable(path, *(foreign_content(path) or (damage,)))
    payload = payload_of_text_header(path)
    fault = None if payload is None else payload_fault(payload, is_thorough=False)
    if fault is not None:
        raise unreadable(path, fault)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        reason = foreign_content(path) or _reason(str(error))
        raise unreadable(path, *reason) from error

    def position() -> Position:
        is_known, remarks = text_position(path)
        return Position(_itk_grid(reader, path), is_known=is_known, remarks=remarks)

    def voxels(component: int) -> VoxelArray:
        whole = None if payload is None else payload_fault(payload, is_thorough=True)
        if whole is not None:
            raise unreadable(path, whole)
        return _itk_voxels(reader, path, component)

    return StoredImage(reader.GetSize(), reader.GetNumberOfComponents(), position, voxels)


def _itk_voxels(reader: sitk.ImageFileReader, path: Path, component: int) -> VoxelArray:
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        reader.SetExtractIndex([0, 0, 0, *_index_beyond(size[3:], component)])
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise unreadable(path, "voxels that cannot be read (truncated or damaged)") from error


def _index_beyond(sizes: Sequence[int], component: int) -> list[int]:
    """Split a running number into indices along the axes beyond the third, the first fastest."""
    index = []
    for n in sizes:
        component, remainder = divmod(component, n)
        index.append(remainder)
    return index


def _reason(message: str) -> tuple[str, str]:
    if "orthonormal" in message:
        return "axes that are not perpendicular (a sheared image)", _SHEAR_ADVICE
    return "a header that cannot be read (damaged or of another format)", _ADVICE


def _itk_grid(reader: sitk.ImageFileReader, path: Path) -> Grid:
    size, dimension = reader.GetSize(), reader.GetDimension()
    direction = np.asarray(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    spacing, origin = reader.GetSpacing()[:3], reader.GetOrigin()[:3]
    if not np.isfinite([*direction.ravel(), *spacing, *origin]).all():
        raise unreadable(path, "a header with NaN or infinities")
    if abs(np.linalg.det(direction)) < 0.5 or not np.allclose(
        direction.T @ direction, np.eye(3), atol=1e-3
    ):
        raise unreadable(path, "axes that are not perpendicular (a sheared image)", _SHEAR_ADVICE)
    if min(size[:3]) < 1 or min(spacing) <= 0:
        found = f"the size {size[:3]} and the spacing {spacing} mm"
        raise unreadable(path, found, _SPACING_ADVICE)
    return Grid(
        (size[0], size[1], size[2]),
        (spacing[0], spacing[1], spacing[2]),
        (origin[0], origin[1], origin[2]),
        tuple(float(value) for value in direction.ravel()),
    )


def unreadable(
    path: Path, found: str, advice: str = _ADVICE, *, kind: str = "image"
) -> CohortError:
    """Return the error of a file that is no 3-D image; `found` ends "found ..."."""
    return CohortError(f"Expected one 3-D {kind} in {path.name}, found {found}. {advice}")
