"""A DICOM Segmentation object on the series that it belongs to, by highdicom.

The file is read back after it was written and compared voxel by voxel. highdicom is imported when
it is needed; it is not part of 3D Slicer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from CIMLSegmentLib.task.parts import Terminology
from MultimodalImagingLib.errors import CohortError, CrossModalError, UsageError
from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.record.atomic_files import atomic_path
from MultimodalImagingLib.record.checksums import array_checksum, json_checksum
from MultimodalImagingLib.version import CROSSMODAL_VERSION

SegType = Literal["binary", "labelmap", "fractional"]
SEG_TYPES: tuple[SegType, ...] = ("binary", "labelmap", "fractional")
RESEARCH = "Research use only, not for clinical use"
STEPS = 255  # fractional values are multiples of 1 / STEPS
# May be empty but have to be there; what a de-identified series lacks is written as empty.
_MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True)
class SegSegment:
    """One segment.

    Attributes:
        label: Its name.
        terminology: Standard codes.
        color: Red, green, blue, each 0 to 255.
        values: Mask, or share of 0 to 1 for a fractional object, `(K, J, I)`.
    """

    label: str
    terminology: Terminology
    color: tuple[int, int, int]
    values: VoxelArray


@dataclass(frozen=True)
class Algorithm:
    """What segmented.

    Attributes:
        name: Name of the model; empty if people drew everything.
        version: Its version.
        is_edited: Whether people worked on it afterwards.
    """

    name: str = ""
    version: str = ""
    is_edited: bool = False


def require_highdicom() -> None:
    """Make sure that highdicom is there.

    Raises:
        UsageError: If it is not; the text says how to install it.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        msg = (
            "DICOM SEG needs the Python package highdicom, which is not installed. Install it with"
            " `pip install highdicom` (in 3D Slicer: `PythonSlicer -m pip install highdicom`)."
        )
        raise UsageError(msg) from error


def read_source(files: Sequence[Path]) -> list[Any]:
    """Read the headers of a source series.

    Args:
        files: Its files.

    Raises:
        CohortError: If one cannot be read, or lacks what tells where it belongs. No text names a
            file, for its name may be that of the patient.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    found = []
    for number, file in enumerate(files, start=1):
        where = f"file {number} of {len(files)} of the series"
        try:
            dataset = dcmread(file, stop_before_pixels=True)
        except (OSError, InvalidDicomError) as error:
            msg = f"Expected a DICOM file, but {where} cannot be read. Get the series again."
            raise CohortError(msg) from error
        missing = [keyword for keyword in _NEEDED if not dataset.get(keyword)]
        if missing:
            msg = (
                f"Expected {', '.join(missing)} in {where}, found none; without it a segmentation"
                " cannot be tied to the series. Export the series again with its identifiers."
            )
            raise CohortError(msg)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in dataset:
                setattr(dataset, keyword, None)
        found.append(dataset)
    return found


def write_seg(
    path: Path,
    source: Sequence[Any],
    segments: Sequence[SegSegment],
    grid: Grid,
    *,
    kind: SegType,
    algorithm: Algorithm,
) -> None:
    """Write a DICOM Segmentation object and read it back.

    Args:
        path: The file.
        source: Headers of the source series, as `read_source` gives them.
        segments: What is in it; segments of a label map must not overlap.
        grid: Where the voxels lie; the grid of the source series.
        kind: Which form; a fractional one holds probabilities.
        algorithm: What segmented.

    Raises:
        CohortError: If highdicom cannot make an object of this series.
        CrossModalError: If what is read back differs from what was written.
    """
    values = _array(segments, kind)
    dataset = _object(source, values, segments, grid, kind=kind, algorithm=algorithm)
    with atomic_path(path) as temporary:
        dataset.save_as(temporary)
        _check_equal(temporary, values, grid, kind)


def read_seg(path: Path, grid: Grid) -> VoxelArray:
    """Read an object on a grid that its frames lie on.

    Args:
        path: The file.
        grid: The grid of its source series.

    Returns:
        Segments `(K, J, I, S)`; `(K, J, I)` with numbers of segments for a label map.
    """
    import highdicom

    dataset = highdicom.seg.segread(path)
    is_map = dataset.segmentation_type is highdicom.seg.SegmentationTypeValues.LABELMAP
    volume = dataset.get_volume(combine_segments=is_map)
    whole = highdicom.VolumeGeometry(
        affine=_affine(grid),
        spatial_shape=grid.array_shape,
        coordinate_system="PATIENT",
        frame_of_reference_uid=volume.frame_of_reference_uid,
    )
    return np.asarray(volume.match_geometry(whole).array)


def _array(segments: Sequence[SegSegment], kind: SegType) -> VoxelArray:
    if kind == "labelmap":
        numbers = np.zeros(segments[0].values.shape, np.uint8 if len(segments) < 256 else np.uint16)
        for number, segment in enumerate(segments, start=1):
            numbers[segment.values.astype(bool)] = number
        return numbers
    stacked = np.stack([segment.values for segment in segments], axis=-1)
    if kind == "binary":
        return stacked.astype(np.uint8)
    return np.rint(stacked.astype(np.float64) * STEPS) / STEPS


def _object(
    source: Sequence[Any],
    values: VoxelArray,
    segments: Sequence[SegSegment],
    grid: Grid,
    *,
    kind: SegType,
    algorithm: Algorithm,
) -> Any:
    import highdicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    is_map = kind == "labelmap"
    volume = highdicom.Volume(
        array=values,
        affine=_affine(grid),
        coordinate_system="PATIENT",
        frame_of_reference_uid=source[0].FrameOfReferenceUID,
        channels=None if is_map else {"SegmentNumber": list(range(1, len(segments) + 1))},
    )
    content = [str(source[0].SeriesInstanceUID), kind, algorithm.name, algorithm.version]
    key = json_checksum([*content, CROSSMODAL_VERSION, array_checksum([("values", values)])])
    try:
        return highdicom.seg.Segmentation(
            source_images=list(source),
            pixel_array=volume,
            segmentation_type=kind.upper(),
            segment_descriptions=[
                _description(number, segment, algorithm)
                for number, segment in enumerate(segments, start=1)
            ],
            series_instance_uid=generate_uid(entropy_srcs=[key, "series"]),
            series_number=int(source[0].get("SeriesNumber") or 0) * 100 + 1,
            sop_instance_uid=generate_uid(entropy_srcs=[key, "instance"]),
            instance_number=1,
            manufacturer="CrossModal",
            manufacturer_model_name="ciml-segmenter",
            software_versions=CROSSMODAL_VERSION,
            device_serial_number="0",
            max_fractional_value=STEPS,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            content_label="RESEARCH",
            content_description=RESEARCH,
            series_description="CrossModal segmentation (research)",
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        msg = (
            f"Expected a series that a DICOM Segmentation can refer to, but highdicom refuses it"
            f" ({type(error).__name__}). Export the series again with all its fields, or export"
            " the labels in another form."
        )
        raise CohortError(msg, details=str(error)) from error


def _description(number: int, segment: SegSegment, algorithm: Algorithm) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    kinds = highdicom.seg.SegmentAlgorithmTypeValues
    kind, identification = kinds.MANUAL, None
    if algorithm.name:
        kind = kinds.SEMIAUTOMATIC if algorithm.is_edited else kinds.AUTOMATIC
        identification = highdicom.AlgorithmIdentificationSequence(
            name=algorithm.name[:64],
            family=codes.cid7162.ArtificialIntelligence,
            version=(algorithm.version or "unknown")[:64],
            source=RESEARCH,
        )
    terminology = segment.terminology
    anatomy = terminology.anatomy
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label[:64],
        segmented_property_category=_code(terminology.category),
        segmented_property_type=_code(terminology.type),
        algorithm_type=kind,
        algorithm_identification=identification,
        anatomic_regions=None if anatomy is None else [_code(anatomy)],
        display_color=highdicom.color.CIELabColor.from_rgb(*segment.color),
    )


def _code(text: str) -> Any:
    from pydicom.sr.coding import Code

    scheme, value, meaning = text.split("^")
    return Code(value, scheme, meaning[:64])


def _affine(grid: Grid) -> VoxelArray:
    """Return the matrix from indices `(k, j, i)` to LPS mm, the order of highdicom's arrays."""
    return grid.index_to_lps[:, [2, 1, 0, 3]]


def _check_equal(path: Path, values: VoxelArray, grid: Grid, kind: SegType) -> None:
    found = read_seg(path, grid)
    tolerance = 0.1 / STEPS if kind == "fractional" else 0.0
    if found.shape != values.shape or np.abs(found.astype(float) - values).max() > tolerance:
        msg = (
            f"The segmentation {path.name} reads back different from what was written, so it was"
            " not kept. Please report this with the versions of highdicom and pydicom."
        )
        raise CrossModalError(msg)
