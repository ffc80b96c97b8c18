"""Names of label values that lie beside label maps.

Read are `dataset.json` (nnU-Net, Decathlon), tables `dseg.tsv` (BIDS) and label description files
of ITK-SNAP, in the folder of the label map and in the one above; for BIDS in all folders up to the
subject's.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from MultimodalImagingLib.cohorts.folders import stem
from MultimodalImagingLib.images.segment_header import LabelName

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
    sidecar = label.with_name(f"{stem(label)}.tsv")
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
    labels = json.loads(path.read_text(encoding="utf-8-sig"))["labels"]
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
