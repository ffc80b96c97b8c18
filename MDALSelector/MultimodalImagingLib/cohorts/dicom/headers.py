"""Headers of DICOM files, read by pydicom without the pixels, and kept for the next time.

A header is a table of plain values by DICOM keyword, so that it can be kept as JSON. It holds the
patient's name, so what is kept stays in the record's folder `dicom`, and no value of it is ever
part of a message.
"""

from __future__ import annotations

import json
import logging
import math
import struct
import time
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from MultimodalImagingLib.errors import CancelledError, CohortError
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.checksums import file_state, relative_name
from MultimodalImagingLib.record.json_entry import json_value

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Header = Mapping[str, Any]

HEADERS_NAME = "headers.json"
FORMAT_VERSION = 1
STAGE = "Read DICOM headers"
# DICOM's names of the images that are read, and what they are called here.
KINDS = {"CT": "CT", "PT": "PET", "MR": "MR"}
# A file that was written this recently may be written again without another time stamp.
_QUIET_S = 2.0

PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientWeight")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime")
_SERIES = (
    *("SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "ProtocolName", "Modality"),
    *("SeriesDate", "SeriesTime", "FrameOfReferenceUID", "ContrastBolusAgent"),
)
_IMAGE = (
    *("SOPClassUID", "SOPInstanceUID", "ImageType", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "BitsAllocated", "InstanceNumber", "GantryDetectorTilt"),
)
# What frames have of their own, or share, or the file has for all of them.
PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
# What tells images at one place apart, the first that does is taken.
KINDS_OF_IMAGE = (
    *("StackID", "FrameType", "ImageType", "EchoTime", "EffectiveEchoTime", "EchoNumbers"),
    *("TemporalPositionIdentifier", "TemporalPositionIndex", "DiffusionBValue"),
    *("AcquisitionNumber", "TriggerTime", "NominalCardiacTriggerDelayTime", "InversionTime"),
)
_SCALE = ("RescaleSlope", "RescaleIntercept")
_PET = (
    *("Units", "DecayCorrection", "CorrectedImage", "SUVType"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"),
)
RADIOPHARMACEUTICAL = (
    *("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
    *("RadionuclideTotalDose", "RadionuclideHalfLife"),
)
_DOSES = "RadiopharmaceuticalInformationSequence"
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PLAIN = frozenset((*PATIENT, *_STUDY, *_SERIES, *_IMAGE, *PLACE, *KINDS_OF_IMAGE, *_SCALE, *_PET))
# Philips: SUV per stored value, and Bq/ml per stored value (its PET conformance statements).
PHILIPS_SUV, PHILIPS_ACTIVITY = "PhilipsSUVFactor", "PhilipsActivityFactor"
_PHILIPS = {PHILIPS_SUV: (0x7053, 0x1000), PHILIPS_ACTIVITY: (0x7053, 0x1009)}
_PHILIPS_CREATOR = (0x7053, 0x0010)

_WHOLE = frozenset(
    ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "SeriesNumber")
)
_NUMBERS = frozenset((*_SCALE, "PatientWeight", "GantryDetectorTilt", *RADIOPHARMACEUTICAL[2:]))
# What pydicom raises for a damaged file, besides its own errors.
_FAULTS = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(NotImplementedError, RecursionError, struct.error, zlib.error),
)

_PIXELS, _UNDEFINED = b"\xe0\x7f\x10\x00", 0xFFFFFFFF
_MARK = slice(128, 132)


def read_headers(
    root: Path, paths: Sequence[Path], kept: Path, reporter: Reporter
) -> tuple[dict[str, Header], list[str]]:
    """Read the headers of files; what an earlier job read of untouched files is not read again.

    Args:
        root: The cohort's folder.
        paths: Files, in a fixed order.
        kept: Folder that keeps headers.
        reporter: Receives progress.

    Returns:
        Header per DICOM file, and the files that are none or cannot be read; names are relative
        to the cohort.

    Raises:
        CohortError: If pydicom is not installed.
        CancelledError: If the user stopped; what was read is kept.
    """
    known = _read_kept(kept / HEADERS_NAME)
    entries: dict[str, list[Any]] = {}
    reporter.stage(STAGE, len(paths))
    try:
        with _quiet_pydicom():
            for path in paths:
                name = relative_name(path, root)
                entries[name], is_new = _entry(path, known.get(name))
                (reporter.advance if is_new else reporter.kept)()
    except CancelledError:
        _keep(kept, {**known, **entries})  # for the next time
        raise
    if entries != known:
        _keep(kept, entries)
    headers = {name: entry[-1] for name, entry in entries.items() if entry[-1] is not None}
    return headers, [name for name in entries if name not in headers]


def _keep(folder: Path, entries: Mapping[str, list[Any]]) -> None:
    """Keep the headers of files that were not written just now."""
    now = time.time()
    quiet = {name: entry for name, entry in entries.items() if _is_quiet(entry, now)}
    folder.mkdir(parents=True, exist_ok=True)
    content = {"format": FORMAT_VERSION, "files": quiet}
    write_text(folder / HEADERS_NAME, json.dumps(content, ensure_ascii=False))


def is_dicom(path: Path) -> bool:
    """Tell by its content whether a file is DICOM; many of them have no suffix."""
    try:
        with path.open("rb") as file:
            data = file.read(_MARK.stop)
    except OSError:
        return False
    return bool(data[_MARK] == b"DICM")


def _entry(path: Path, known: list[Any] | None) -> tuple[list[Any], bool]:
    """Return the state of a file with its header, and whether it had to be read."""
    try:
        state = file_state(path)
    except OSError:
        return [0, 0, 0, 0, None], True
    if known is not None and known[:-1] == state:
        return known, False
    return [*state, _header(path)], True


def _is_quiet(entry: Sequence[Any], now: float) -> bool:
    return bool(now - max(entry[1], entry[2]) / 1e9 > _QUIET_S)


def _header(path: Path) -> Header | None:
    """Read one header; `None` for a file that is not DICOM or cannot be read."""
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    if not (is_dicom(path) or path.suffix.lower() in (".dcm", ".ima")):
        return None
    try:
        # Without the mark, the suffix says it; without either, it is some other file.
        with path.open("rb") as file:
            dataset = dcmread(file, stop_before_pixels=True, specific_tags=_tags(), force=True)
            n_pixel_bytes = _pixel_bytes(file, path.stat().st_size)
        found = _values(dataset, _PLAIN)
        found |= _doses(dataset) | _philips(dataset)
        if (frames := _frames(dataset)) is not None:
            found["Frames"] = frames
        found["TransferSyntaxUID"] = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        found["PixelBytes"] = n_pixel_bytes
    except (InvalidDicomError, BytesLengthException, *_FAULTS):
        return None
    return found if "SOPClassUID" in found else None


def _pixel_bytes(file: BinaryIO, size: int) -> int:
    """Return how many bytes there are where the pixels begin; 0 if they should be more.

    The file is read up to the element of the pixels: its tag, a type or none, and its length.
    """
    head = file.read(12)
    has_type = head[4:6].isalpha()
    length = int.from_bytes(head[8:12] if has_type else head[4:8], "little")
    n_left = size - file.tell() + (0 if has_type else 4)
    is_pixels = head[:4] == _PIXELS
    return 0 if is_pixels and length != _UNDEFINED and length > n_left else max(n_left, 0)


@cache
def _tags() -> list[Any]:
    from pydicom.tag import Tag

    keywords = (*_PLAIN, _DOSES, *_GROUPS, "SpecificCharacterSet")
    return [Tag(tag) for tag in (*keywords, _PHILIPS_CREATOR, *_PHILIPS.values())]


def _values(dataset: Dataset, keywords: Collection[str]) -> dict[str, Any]:
    """Return the values that are there and not empty."""
    found: dict[str, Any] = {}
    for element in dataset:
        if element.keyword in keywords:
            value = _plain(element.value)
            if value not in (None, "", []):
                _check(element.keyword, value)
                found[element.keyword] = value
    return found


def _check(keyword: str, value: Any) -> None:
    """Refuse a header in which what must be one number is something else: it is damaged."""
    kind = int if keyword in _WHOLE else float if keyword in _NUMBERS else None
    if kind is not None and not (isinstance(value, int | kind) and math.isfinite(value)):
        msg = f"Expected a number as {keyword}."
        raise ValueError(msg)


def _plain(value: Any) -> Any:
    """Return a value as text, number, or list of these."""
    if isinstance(value, str):
        return value.strip("\0 ")
    for kind in (int, float):  # of pydicom's own classes, too
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    return None if value is None else str(value).strip("\0 ")


def _doses(dataset: Dataset) -> dict[str, Any]:
    items = dataset.get(_DOSES) or []
    found = _values(items[0], RADIOPHARMACEUTICAL) if len(items) else {}
    return found | {"NumberOfDoses": len(items)} if len(items) else {}


def _philips(dataset: Dataset) -> dict[str, float]:
    if "Philips PET Private Group" not in str(getattr(dataset.get(_PHILIPS_CREATOR), "value", "")):
        return {}
    found = {}
    for name, tag in _PHILIPS.items():
        value = getattr(dataset.get(tag), "value", None)
        text = value.decode("ascii") if isinstance(value, bytes) else str(value or "")
        if text.strip("\0 "):
            found[name] = float(text.strip("\0 "))
    return found


def _frames(dataset: Dataset) -> list[dict[str, Any]] | None:
    """Return what every frame of an enhanced image says of itself; `None` for other files."""
    shared, per_frame = (dataset.get(name) for name in _GROUPS)
    if not per_frame:
        return None
    keywords = {*PLACE, *KINDS_OF_IMAGE, *_SCALE}
    common = _in_groups(shared[0], keywords) if shared else {}
    return [common | _in_groups(item, keywords) for item in per_frame]


def _in_groups(item: Dataset, keywords: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element in item:
        if element.VR == "SQ" and len(element.value):
            found |= _values(element.value[0], keywords)
    return found


@contextmanager
def _quiet_pydicom() -> Iterator[None]:
    """Let pydicom read what scanners write, without telling values of patients in warnings.

    Raises:
        CohortError: If pydicom is not installed.
    """
    try:
        from pydicom import config
    except ImportError as error:
        msg = (
            "DICOM files are read with the Python package pydicom, which is not installed. Install"
            " it (`pip install pydicom`, or in 3D Slicer *Install packages* of the module), or"
            " convert the series to .nii.gz."
        )
        raise CohortError(msg) from error
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _read_kept(path: Path) -> dict[str, list[Any]]:
    try:
        content = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        return {}
    return {name: entry for name, entry in content["files"].items() if len(entry) == 5}
