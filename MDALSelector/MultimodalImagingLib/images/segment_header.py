"""The segments that a `.seg.nrrd` file of 3D Slicer names in its header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^Segment(\d+)_(Name|LabelValue|Layer|Tags)(?::=|:\s)(.*)$", re.MULTILINE)
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
    """

    label: LabelName
    value: int
    layer: int


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


def _segments(fields: Mapping[int, Mapping[str, str]]) -> Iterator[Segment]:
    # Before 2020 Slicer wrote no layers: each segment was a volume of its own with the value 1.
    is_old = not any("Layer" in values for values in fields.values())
    for position, (index, values) in enumerate(sorted(fields.items())):
        terminology = _TERMINOLOGY.search(values.get("Tags", ""))
        label = LabelName(
            values.get("Name", f"Segment_{index + 1}"), terminology[1] if terminology else ""
        )
        layer = position if is_old else _whole(values.get("Layer", ""), 0)
        yield Segment(label, _whole(values.get("LabelValue", ""), 1), layer)


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
