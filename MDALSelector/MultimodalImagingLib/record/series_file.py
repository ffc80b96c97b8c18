"""The file that stands for a DICOM volume: it names the files of the slices, in their order.

It lies in the record of a cohort, and whatever handles image files handles it like one. Its own
name and folder say nothing of the patient; the names that it holds may.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import json_value

SUFFIX = ".series.json"
FORMAT_VERSION = 1
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class SeriesFile:
    """A volume of DICOM files.

    Attributes:
        files: File of every slice along the third axis, relative to the cohort or absolute.
        frames: Number of every slice in its file, 0 for files of one picture.
        size: Number of voxels along `(I, J, K)`.
        spacing_mm: Distance of neighbors along `(I, J, K)`, mm.
        origin_mm: LPS position of the center of voxel (0, 0, 0), mm.
        direction: Row-major 3x3 matrix; column i is the LPS direction of axis i.
        factor: What all values are multiplied by, such as to get SUV.
        rescale: Per slice a factor and what is added, if the frames of a file are scaled
            differently, which GDCM does not see; else empty.
    """

    files: tuple[str, ...]
    frames: tuple[int, ...]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    factor: float = 1.0
    rescale: tuple[tuple[float, float], ...] = ()


def is_series_file(path: Path) -> bool:
    """Tell by its name whether a file stands for a DICOM volume."""
    return path.name.endswith(SUFFIX)


def write_series_file(path: Path, series: SeriesFile, *, root: Path) -> None:
    """Write the file, unless it is there already as it should be.

    Args:
        path: The file.
        series: The volume.
        root: The cohort's folder, which relative names are meant in.

    Raises:
        CrossModalError: If it cannot be written.
    """
    folder, root = path.parent.resolve(), root.resolve()
    is_inside = folder.is_relative_to(root)  # then a copy of the cohort finds its own files
    where = os.path.relpath(root, folder) if is_inside else str(root)
    content = {"format": FORMAT_VERSION, "root": Path(where).as_posix(), **asdict(series)}
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if read_series_file(path) == series and _content(path)["root"] == content["root"]:
            return
    except (OSError, ValueError):
        pass
    write_json(path, content)


def read_series_file(path: Path) -> SeriesFile:
    """Read the file.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is not what this program writes; the text is the end of "found ...".
    """
    content = _content(path)
    try:
        return SeriesFile(
            tuple(str(name) for name in content["files"]),
            tuple(int(n) for n in content["frames"]),
            _three(content["size"], int),
            _three(content["spacing_mm"], float),
            _three(content["origin_mm"], float),
            tuple(float(value) for value in content["direction"]),
            float(content["factor"]),
            tuple((float(a), float(b)) for a, b in content["rescale"]),
        )
    except (KeyError, TypeError) as error:
        msg = f"a list of slices that cannot be read ({error})"
        raise ValueError(msg) from error


def slice_files(path: Path) -> list[Path]:
    """Return the DICOM files of a volume, every one once, in the order of the slices.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is not what this program writes.
    """
    root = Path(os.path.normpath(path.parent.resolve() / str(_content(path)["root"])))
    return [root / name for name in dict.fromkeys(read_series_file(path).files)]


def with_slices(paths: Iterable[Path]) -> list[Path]:
    """Replace the files that stand for DICOM volumes by the DICOM files themselves."""
    found: list[Path] = []
    for path in paths:
        try:
            found += slice_files(path) if is_series_file(path) else [path]
        except (OSError, ValueError):  # what cannot be read has no files to keep apart from
            continue
    return found


def _three(values: Any, kind: Callable[[Any], _Number]) -> tuple[_Number, _Number, _Number]:
    i, j, k = (kind(value) for value in values)
    return i, j, k


def _content(path: Path) -> dict[str, Any]:
    content = json_value(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        msg = "no list of slices that this version reads"
        raise ValueError(msg)
    return content
