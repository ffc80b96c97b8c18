"""NRRD and MetaImage headers, checked before the libraries behind ITK see them.

Those end the process, or reserve whatever memory a header claims, where a header is damaged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from MultimodalImagingLib.images.text_header import (
    header_lines,
    n_voxel_bytes,
    payload_of_text_header,
)

_LONGEST_WORD, _LONGEST_LINE = 120, 1000
_FREE_TEXT = ("content", "data file", "datafile", "elementdatafile", "comment", "name")
_NUMBER_LISTS = (
    "offset",
    "position",
    "origin",
    "elementspacing",
    "elementsize",
    "centerofrotation",
)
_MATRICES = ("transformmatrix", "rotation", "orientation")
_MOST_AXES = 7
_MOST_CHANNELS = 4096
_BEST_COMPRESSION = 1032  # of deflate


def text_header_fault(path: Path) -> str | None:
    """Say what makes a NRRD or MetaImage header unusable, as the end of "found ..."; else `None`.

    Raises:
        OSError: If the file cannot be opened.
    """
    lines = header_lines(path)
    is_nrrd = lines[:1] != [] and lines[0].startswith("NRRD")
    pairs = [_pair(line, ":" if is_nrrd else "=") for line in lines]
    fields = [(key, value) for key, value in pairs if key]
    try:
        fault = _line_fault(fields) or (_nrrd_fault if is_nrrd else _meta_fault)(dict(fields))
        return fault or _size_fault(path, dict(fields), is_nrrd=is_nrrd)
    except (KeyError, ValueError):
        return "a header with a field that is missing or damaged"


def _pair(line: str, separator: str) -> tuple[str, str]:
    """Split a line; the key is empty for comments and for the free entries of NRRD."""
    key, found, value = line.partition(separator)
    if not found or line.startswith("#") or (separator == ":" and value.startswith("=")):
        return "", ""
    return key.strip().lower(), value.strip()


def _line_fault(fields: Sequence[tuple[str, str]]) -> str | None:
    names = [key for key, _ in fields]
    for key, value in fields:
        if names.count(key) > 1:
            return f"a header with the field {key[:_LONGEST_WORD]} twice"
        longest = max((len(word) for word in [key, *value.split()]), default=0)
        if len(value) > _LONGEST_LINE or (longest > _LONGEST_WORD and key not in _FREE_TEXT):
            return "a header with a field that is far too long"
    return None


def _nrrd_fault(fields: Mapping[str, str]) -> str | None:
    n_axes = _whole(fields["dimension"])
    sizes = [_whole(word) for word in fields["sizes"].split()]
    if not 1 <= n_axes <= _MOST_AXES or len(sizes) != n_axes or min(sizes) < 1:
        return f"a header with {n_axes} axes of the sizes {fields['sizes']}"
    if n_voxel_bytes(fields["type"]) is None:
        return f"a header with the voxel type {fields['type']}"
    for name in ("kinds", "space directions", "spacings", "thicknesses", "centers", "centerings"):
        n_words = len(_words(fields.get(name, "")))
        if n_words not in (0, n_axes):
            return f"a header with {n_words} entries of {name} for {n_axes} axes"
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\([^)]*\)|\S+", text)


def _meta_fault(fields: Mapping[str, str]) -> str | None:
    n_axes = _whole(fields["ndims"])
    sizes = [_whole(word) for word in fields["dimsize"].split()]
    if not 1 <= n_axes <= _MOST_AXES or len(sizes) != n_axes or min(sizes) < 1:
        return f"a header with {n_axes} axes of the sizes {fields['dimsize']}"
    if n_voxel_bytes(fields["elementtype"]) is None:
        return f"a header with the voxel type {fields['elementtype']}"
    if not _is_safe_name(fields["elementdatafile"]):
        return f"a header with the data file {fields['elementdatafile']}"
    n_channels = _whole(fields.get("elementnumberofchannels", "1"))
    if not 1 <= n_channels <= _MOST_CHANNELS:
        return f"a header with {n_channels} values per voxel"
    wanted = dict.fromkeys(_NUMBER_LISTS, n_axes) | dict.fromkeys(_MATRICES, n_axes**2)
    for name in wanted.keys() & fields.keys():
        numbers = [float(word) for word in fields[name].split()]
        if len(numbers) != wanted[name] or not all(map(math.isfinite, numbers)):
            return f"a header with {len(numbers)} numbers in {name}, some perhaps not finite"
    return None


def _is_safe_name(name: str) -> bool:
    """Tell whether a name holds no `%` but that of a numbered series: it becomes a C format."""
    return "%" not in name or re.fullmatch(r"[^%]*%0?\d?d[^%]*", name) is not None


def _size_fault(path: Path, fields: Mapping[str, str], *, is_nrrd: bool) -> str | None:
    """Compare what the header promises with what can be there, where nothing else does."""
    if payload_of_text_header(path) is not None:
        return None
    sizes = fields["sizes" if is_nrrd else "dimsize"].split()
    n_voxels = math.prod(_whole(word) for word in sizes)
    n_bytes = n_voxels * (n_voxel_bytes(fields["type" if is_nrrd else "elementtype"]) or 1)
    n_there = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    if n_bytes > n_there * _BEST_COMPRESSION:
        return "a header that promises far more data than there is"
    return None


def _whole(word: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", word):
        msg = f"no whole number: {word}"
        raise ValueError(msg)
    return int(word)
