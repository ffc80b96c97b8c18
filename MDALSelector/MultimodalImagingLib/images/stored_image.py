"""An image file opened: what its header says, and a way to its voxels. NIfTI is read here.

All other formats are read by SimpleITK, after a look at the file, because it repairs silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.images.dicom_image import read_series_voxels, series_grid
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
    read_text_header,
    text_header_fault,
    text_payload,
    text_position,
)
from MultimodalImagingLib.record.series_file import is_series_file

# Suffix and the ITK reader for it; given explicitly, so that a damaged file gives its own message.
_READERS = {".nrrd": "NrrdImageIO", ".nhdr": "NrrdImageIO"}
_READERS |= {".mha": "MetaImageIO", ".mhd": "MetaImageIO"}
IMAGE_SUFFIXES = (".nii.gz", ".nii", *_READERS)

_ADVICE = "Replace the file by an intact copy."
_SERIES_ADVICE = "Get the DICOM files of this series again, and inspect the cohort again."
_SHEARED = "axes that are not perpendicular (a sheared image)"
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
    if is_series_file(path):
        return _open_series(path)
    suffix = image_suffix(path)
    if suffix is None:
        raise unreadable(path, f"a file that is none of {', '.join(IMAGE_SUFFIXES)}")
    try:
        if not path.stat().st_size:
            raise unreadable(path, "an empty file", "Get the file again.")
        return _open_nifti(path) if is_nifti(path) else _open_with_itk(path, _READERS[suffix])
    except OSError as error:
        found = f"a file that cannot be opened ({error.strerror})"
        advice = "Get permission to read it, or check its drive."
        if isinstance(error, FileNotFoundError):
            advice = "Check its name and where it lies."
            if path.is_symlink():
                found = "a link to a file that is not there (No such file)"
                advice = "Fetch it (`git annex get`, `datalad get`)."
        raise unreadable(path, found, advice) from error


def _open_series(path: Path) -> StoredImage:
    """Open a DICOM volume; its geometry was read from the headers when the cohort was listed."""
    try:
        grid = series_grid(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, str(error), _SERIES_ADVICE, kind="DICOM volume") from error

    def voxels(_: int) -> VoxelArray:
        try:
            return read_series_voxels(path)
        except (OSError, ValueError) as error:
            raise unreadable(path, str(error), _SERIES_ADVICE, kind="DICOM volume") from error

    return StoredImage(grid.size, 1, lambda: Position(grid), voxels)


def _open_nifti(path: Path) -> StoredImage:
    try:
        header = read_nifti_header(path)
    except ValueError as error:
        raise unreadable(path, *(foreign_content(path) or (str(error),))) from error
    fault = nifti_header_fault(header) or payload_fault(header.payload(path), is_thorough=False)
    if fault is not None:
        raise unreadable(path, fault, _SPACING_ADVICE if "the spacing" in fault else _ADVICE)

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
    header = read_text_header(path)
    damage = text_header_fault(header)
    if damage is not None:  # before ITK sees it
        raise unreadable(path, *(foreign_content(path) or (damage,)))
    payload = text_payload(header)

    def check_payload(*, is_thorough: bool) -> None:
        fault = payload and payload_fault(payload, is_thorough=is_thorough)
        if fault:
            raise unreadable(path, fault)

    check_payload(is_thorough=False)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        reason = ("a header that cannot be read (damaged or of another format)", _ADVICE)
        if "orthonormal" in str(error):
            reason = (_SHEARED, _SHEAR_ADVICE)
        raise unreadable(path, *(foreign_content(path) or reason)) from error

    def position() -> Position:
        is_known, remarks = text_position(header)
        return Position(_itk_grid(reader, path), is_known=is_known, remarks=remarks)

    def voxels(component: int) -> VoxelArray:
        check_payload(is_thorough=True)
        return _itk_voxels(reader, path, component)

    return StoredImage(reader.GetSize(), reader.GetNumberOfComponents(), position, voxels)


def _itk_voxels(reader: sitk.ImageFileReader, path: Path, component: int) -> VoxelArray:
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        beyond = np.unravel_index(component, size[3:], order="F")
        reader.SetExtractIndex([0, 0, 0, *map(int, beyond)])
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise unreadable(path, "voxels that cannot be read (truncated or damaged)") from error


def _itk_grid(reader: sitk.ImageFileReader, path: Path) -> Grid:
    size, dimension = reader.GetSize(), reader.GetDimension()
    direction = np.asarray(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    spacing, origin = reader.GetSpacing()[:3], reader.GetOrigin()[:3]
    if not np.isfinite([*direction.ravel(), *spacing, *origin]).all():
        raise unreadable(path, "a header with NaN or infinities")
    if abs(np.linalg.det(direction)) < 0.5 or not np.allclose(
        direction.T @ direction, np.eye(3), atol=1e-3
    ):
        raise unreadable(path, _SHEARED, _SHEAR_ADVICE)
    if min(size[:3]) < 1 or min(spacing) <= 0:
        found = f"the size {size[:3]} and the spacing {spacing} mm"
        raise unreadable(path, found, _SPACING_ADVICE)
    return Grid(tuple(size[:3]), spacing, origin, tuple(direction.ravel().tolist()))


def unreadable(
    path: Path, found: str, advice: str = _ADVICE, *, kind: str = "image"
) -> CohortError:
    """Return the error of a file that is no 3-D image; `found` ends "found ..."."""
    return CohortError(f"Expected one 3-D {kind} in {path.name}, found {found}. {advice}")
