"""Names of label values: in the file itself (`.seg.nrrd` of 3D Slicer), or beside the label map.

Beside it are read `dataset.json` (nnU-Net, Decathlon), tables `dseg.tsv` (BIDS) and label
description files of ITK-SNAP, in the folder of the label map and in the one above; for BIDS in all
folders up to the subject's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from MultimodalImagingLib.images.stored_image import image_suffix
from MultimodalImagingLib.record.json_entry import json_value

_LINE = re.compile(r"^Segment(\d+)_(Name|LabelValue|Layer|Tags|Color)(?::=|:\s)(.*)$", re.MULTILINE)
BEGAN_TAG = "CrossModal.BeganAsDraft"  # of a segment: the model whose draft it began as
_BEGAN = re.compile(rf"{re.escape(BEGAN_TAG)}:([^|]+)")
_TERMINOLOGY = re.compile(r"TerminologyEntry:[^~|]*~[^~|]*~([^~|]*)")
_CHUNK, _LONGEST = 1 << 16, 1 << 24


@dataclass(frozen=True)
class LabelName:
    """What a label is called.

    Attributes:
        name: The name.
        code: Standard code of its type as `scheme^code^meaning`; empty if there is none.
    """

    name: str
    code: str = ""


@dataclass(frozen=True)
class Segment:
    """One segment.

    Attributes:
        label: Its name.
        value: Value of its voxels in its layer.
        layer: Index of the layer, from 0.
        color: Red, green and blue, 0 to 1, as the file writes them; empty if it names none.
        tags: Further facts as the file writes them, such as terminology.
    """

    label: LabelName
    value: int
    layer: int
    color: str = ""
    tags: str = ""


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Read the segments of a file, in the file's order; none if it names none.

    Raises:
        OSError: If the file cannot be read.
    """
    fields: dict[int, dict[str, str]] = {}
    for index, key, value in _LINE.findall(_header(path)):
        text = value.rstrip("\r").replace("\\n", "\n").replace("\\\\", "\\").strip()
        fields.setdefault(int(index), {})[key] = text
    return tuple(_segments(fields))


def draft_model(path: Path) -> str:
    """Return the model whose draft the segments of a file began as; empty if none is noted.

    Raises:
        OSError: If the file cannot be read.
    """
    found = (
        _BEGAN.search(value) for _, key, value in _LINE.findall(_header(path)) if key == "Tags"
    )
    return next((match[1].strip() for match in found if match), "")


def _segments(fields: Mapping[int, Mapping[str, str]]) -> Iterator[Segment]:
    # Before 2020 Slicer wrote no layers: each segment was a volume of its own with the value 1.
    is_old = not any("Layer" in values for values in fields.values())
    for position, (index, values) in enumerate(sorted(fields.items())):
        terminology = _TERMINOLOGY.search(values.get("Tags", ""))
        label = LabelName(
            values.get("Name", f"Segment_{index + 1}"), terminology[1] if terminology else ""
        )
        layer = position if is_old else _whole(values.get("Layer", ""), 0)
        color, tags = values.get("Color", ""), values.get("Tags", "")
        yield Segment(label, _whole(values.get("LabelValue", ""), 1), layer, color, tags)


def _whole(text: str, default: int) -> int:
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else default


def _header(path: Path) -> str:
    data = b""
    with path.open("rb") as file:
        if file.read(4) != b"NRRD":
            return ""
        while len(data) < _LONGEST and (chunk := file.read(_CHUNK)):
            data += chunk
            ends = [data.find(mark) for mark in (b"\n\n", b"\r\n\r\n") if mark in data]
            if ends:
                return data[: min(ends)].decode("utf-8", errors="replace")
    return data.decode("utf-8", errors="replace") if path.suffix.lower() == ".nhdr" else ""


Names = Mapping[int, tuple[LabelName, ...]]

_DATASET = "dataset.json"
_ITK_SNAP_LINE = re.compile(r'^\s*(\d+)(?:\s+[\d.]+){6}\s+"(.*)"\s*$')
_LARGEST_BYTES = 1 << 20
_DEEPEST = 6


def names_beside(label: Path) -> Names:
    """Return the names of the values of a label map that a file beside it gives.

    Args:
        label: The label map.

    Returns:
        Names per value; several where the description lists overlapping regions; empty if there is
        no description. Background is left out.
    """
    stem = label.name[: len(label.name) - len(image_suffix(label) or "")]
    sidecar = label.with_name(f"{stem}.tsv")
    if sidecar.is_file():
        return _kept(_tsv(sidecar))
    for folder in _folders(label):
        names = _names_in(folder, _changed_at(folder))
        if names:
            return names
    return {}


def _folders(label: Path) -> Iterator[Path]:
    parents = list(label.absolute().parents)[:_DEEPEST]
    subjects = [n for n, folder in enumerate(parents) if folder.name.startswith("sub-")]
    return iter(parents[: max(2, max(subjects, default=0) + 2)])


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _names_in(folder: Path, _changed_at: int) -> Names:
    """Read the first description of a folder; asked once per label map, hence remembered."""
    try:
        files = sorted(path for path in folder.iterdir() if _is_description(path))
    except OSError:
        return {}
    for path in sorted(files, key=lambda path: path.name != _DATASET):
        reader = {".json": _dataset, ".tsv": _tsv}.get(path.suffix.lower(), _itk_snap)
        names = _kept(reader(path))
        if names:
            return names
    return {}


def _is_description(path: Path) -> bool:
    name = path.name.lower()
    is_text = name.endswith(".txt") and "label" in name
    is_one = name in (_DATASET, "dseg.tsv") or name.endswith((".label", ".lbl")) or is_text
    return is_one and path.is_file() and path.stat().st_size <= _LARGEST_BYTES


def _kept(pairs: Iterator[tuple[int, str]]) -> Names:
    names: dict[int, tuple[LabelName, ...]] = {}
    try:
        for value, name in pairs:
            if value and name.strip():
                names[value] = (*names.get(value, ()), LabelName(name.strip()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error):
        return {}
    return names


def _dataset(path: Path) -> Iterator[tuple[int, str]]:
    """Yield values and names: `{"tumor": 1}`, `{"whole": [1, 2]}`, or `{"1": "tumor"}`."""
    labels = json_value(path.read_text(encoding="utf-8-sig"))["labels"]
    for key, value in labels.items():
        if isinstance(value, str):
            yield int(key), value
        else:
            for number in value if isinstance(value, list) else [value]:
                yield int(number), key


def _tsv(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield int(row["index"]), row["name"]


def _itk_snap(path: Path) -> Iterator[tuple[int, str]]:
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        match = _ITK_SNAP_LINE.match(line)
        if match:
            yield int(match[1]), match[2]
