"""The series of a DICOM case: which can be used, as which volume, and what is left out and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from MultimodalImagingLib.cohorts.dicom.headers import KINDS, Header
from MultimodalImagingLib.cohorts.dicom.patients import Named
from MultimodalImagingLib.cohorts.dicom.volumes import FoundVolume, volumes_of_series
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.checksums import file_checksum

_CAPTURE = "1.2.840.10008.5.1.4.1.1.7."  # secondary captures, all forms of them
_REFORMATS = frozenset(
    {"MPR", "MIP", "MINIP", "CPR", "REFORMATTED", "PROJECTION IMAGE", "VRT", "3D RENDERING"}
)
# What GDCM decompresses; DICOM PS3.6, table A-1.
_READABLE = frozenset(
    f"1.2.840.10008.1.2{rest}"
    for rest in (
        *("", ".1", ".1.99", ".2", ".5", ".4.50", ".4.51", ".4.57", ".4.70"),
        *(".4.80", ".4.81", ".4.90", ".4.91"),
    )
)
_UNCOMPRESSED = frozenset(f"1.2.840.10008.1.2{rest}" for rest in ("", ".1", ".2"))


@dataclass(frozen=True)
class Series:
    """One series of a case.

    Attributes:
        label: Its number; with a letter if another series of the case has the same.
        header: Header of its first image.
        volumes: What its images are, the largest first.
        left_out: Why it is not used unless the user says otherwise; else empty.
        notes: What was done about single images, full sentences.
    """

    label: str
    header: Header
    volumes: tuple[FoundVolume, ...]
    left_out: str = ""
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`CT`, `PET` or `MR`."""
        return KINDS[str(self.header["Modality"])]


@dataclass
class CaseSeries:
    """What the files of a case are.

    Attributes:
        series: Its series of images, by number.
        unused: Number of series per reason why they are no images of the case.
        faults: What is wrong with a series, and what to do, by its label.
    """

    series: list[Series] = field(default_factory=list)
    unused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    faults: list[tuple[str, str, str]] = field(default_factory=list)


def series_of_case(files: Sequence[Named], root: Path) -> CaseSeries:
    """Sort the files of a case into series.

    Args:
        files: Files with their headers.
        root: Folder that names of files are relative to.
    """
    by_uid: dict[str, list[Named]] = defaultdict(list)
    for name, header in files:
        by_uid[str(header.get("SeriesInstanceUID", ""))].append((name, header))
    found = CaseSeries()
    for label, group in _labelled(by_uid):
        images = [item for item in group if not _no_image(item[1])]
        reasons = sorted({reason for _, header in group if (reason := _no_image(header))})
        if reasons:
            found.unused[" and ".join(reasons)] += 1
        if images:
            _add(found, label, images, root)
    return found


def _add(found: CaseSeries, label: str, images: Sequence[Named], root: Path) -> None:
    fault = next((fault for _, header in images if (fault := _fault(header))), None)
    if fault is not None:
        found.faults.append((label, *fault))
        return
    single, notes = _without_copies(images, root)
    volumes = volumes_of_series(single)
    header = images[0][1]
    found.series.append(Series(label, header, tuple(volumes), _left_out(header), notes))


def _labelled(by_uid: Mapping[str, Sequence[Named]]) -> Iterator[tuple[str, Sequence[Named]]]:
    """Yield the series by number; of equal numbers the later ones get a letter."""
    groups = sorted(by_uid.items(), key=lambda item: (_number(item[1]), _time(item[1]), item[0]))
    n_same: dict[int, int] = defaultdict(int)
    for _, group in groups:
        number = _number(group)
        letter = _letters(n_same[number])
        n_same[number] += 1
        yield f"{number}{letter}", group


def _letters(n: int) -> str:
    """Return nothing for 0, then `b`, `c`, ... `z`, `ba`."""
    text = ""
    while n:
        n, rest = divmod(n, 26)
        text = chr(ord("a") + rest) + text
    return text


def _number(group: Sequence[Named]) -> int:
    value = group[0][1].get("SeriesNumber", 0)
    return value if isinstance(value, int) else 0


def _time(group: Sequence[Named]) -> str:
    header = group[0][1]
    return f"{header.get('SeriesDate', '')}{header.get('SeriesTime', '')}"


def _image_type(header: Header) -> set[str]:
    value = header.get("ImageType", [])
    return {str(item).upper() for item in (value if isinstance(value, list) else [value])}


def _no_image(header: Header) -> str:
    """Say why a file is no image of a case; empty if it is one."""
    modality = str(header.get("Modality", "")) or "without a modality"
    if not header.get("Rows"):
        return f"no images ({modality})"
    if f"{header.get('SOPClassUID', '')}.".startswith(_CAPTURE):
        return "secondary captures (screenshots, pictures that were made later)"
    if modality not in KINDS:
        return f"no CT, MR or PET ({modality})"
    if header.get("SamplesPerPixel", 1) != 1:
        return "color pictures"
    return "localizers" if "LOCALIZER" in _image_type(header) else ""


def _left_out(header: Header) -> str:
    """Say why a series of images is rather not wanted; empty if it may be."""
    made = sorted(_image_type(header) & _REFORMATS)
    return f"it was computed from another series ({', '.join(made)})" if made else ""


def _fault(header: Header) -> tuple[str, str] | None:
    """Return what is wrong with the file of an image, and what to do; `None` if nothing is."""
    syntax = str(header.get("TransferSyntaxUID", ""))
    if "MOSAIC" in _image_type(header):
        return "several slices in one picture (Siemens mosaic)", "Convert it with `dcm2niix`."
    if syntax and syntax not in _READABLE:
        from pydicom import config
        from pydicom.uid import UID

        advice = "Decompress the files (`gdcmconv --raw`, `dcmdjpeg`) or get them uncompressed."
        return f"a compression that is not read ({UID(syntax, config.IGNORE).name})", advice
    n_bytes = header["Rows"] * header.get("Columns", 0) * header.get("BitsAllocated", 8) // 8
    n_bytes *= max(int(header.get("NumberOfFrames", 1)), 1)
    if syntax in _UNCOMPRESSED and header["PixelBytes"] < n_bytes:
        return "truncated files, shorter than their images", "Get the files again."
    return None


def _without_copies(
    images: Sequence[Named], root: Path
) -> tuple[dict[str, Header], tuple[str, ...]]:
    """Keep every image once, by its UID, and say how many copies there were."""
    by_uid: dict[str, list[Named]] = defaultdict(list)
    for name, header in images:
        by_uid[str(header.get("SOPInstanceUID", "")) or name].append((name, header))
    kept = {group[0][0]: group[0][1] for group in by_uid.values()}
    copied = [group for group in by_uid.values() if len(group) > 1]
    if not copied:
        return kept, ()
    n_copies = sum(len(group) - 1 for group in copied)
    differ = sum(len({_content(root / name) for name, _ in group}) > 1 for group in copied)
    note = f"{n_copies} of {counted(len(images), 'file')} repeat an image: not used."
    if differ:
        note += (
            f" {differ} of the images have copies with another content; the first file of each is"
            " used. Remove those that are wrong."
        )
    return kept, (note,)


def _content(path: Path) -> str:
    try:
        return file_checksum(path)
    except OSError:
        return ""
