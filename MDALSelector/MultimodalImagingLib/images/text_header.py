"""The text headers of NRRD and MetaImage files, read once and checked before ITK sees them.

The libraries behind ITK end the process, or reserve whatever memory a header claims, where a header
is damaged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from MultimodalImagingLib.images.file_contents import Payload

_MAX_HEADER = 1 << 16
_N_BYTES = {
    **dict.fromkeys(("signed char", "char", "int8", "int8_t", "uchar", "unsigned char"), 1),
    **dict.fromkeys(("uint8", "uint8_t", "met_char", "met_uchar"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t", "ushort"), 2),
    **dict.fromkeys(("unsigned short", "uint16", "uint16_t", "met_short", "met_ushort"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int"), 4),
    **dict.fromkeys(("uint32", "uint32_t", "float", "met_int", "met_uint", "met_float"), 4),
    **dict.fromkeys(("long long", "longlong", "int64", "int64_t", "ulonglong", "double"), 8),
    **dict.fromkeys(("unsigned long long", "uint64", "uint64_t", "met_double"), 8),
    **dict.fromkeys(("met_long_long", "met_ulong_long"), 8),
}
_NEEDED = ("NDims", "DimSize", "ElementType", "ElementDataFile")
_BEFORE_NDIMS = {"objecttype", "objectsubtype", "comment"}
_MATRICES = ("transformmatrix", "rotation", "orientation")
_OFFSETS = ("offset", "position", "origin")
_NUMBER_LISTS = (*_OFFSETS, "elementspacing", "elementsize", "centerofrotation")
_PER_AXIS = ("kinds", "space directions", "spacings", "thicknesses", "centers", "centerings")
_FREE_TEXT = ("content", "data file", "datafile", "elementdatafile", "comment", "name")
_LONGEST_WORD, _LONGEST_LINE = 120, 1000
_MOST_AXES = 7
_MOST_CHANNELS = 4096
_BEST_COMPRESSION = 1032  # of deflate


@dataclass(frozen=True)
class TextHeader:
    """What stands before the voxels.

    Attributes:
        path: The file.
        is_nrrd: Whether it is NRRD, not MetaImage.
        lines: Keys in lower case and values, without comments and free entries.
        end: Where the header ends, bytes; `None` if that is beyond what was read.
    """

    path: Path
    is_nrrd: bool
    lines: tuple[tuple[str, str], ...]
    end: int | None

    @cached_property
    def fields(self) -> dict[str, str]:
        """Value per key."""
        return dict(self.lines)

    @property
    def n_bytes(self) -> int:
        """Length of the uncompressed voxels, bytes; a fault of the header is a `ValueError`."""
        sizes, kind = ("sizes", "type") if self.is_nrrd else ("dimsize", "elementtype")
        n_values = math.prod(int(word) for word in self.fields[sizes].split())
        n_channels = 1 if self.is_nrrd else int(self.fields.get("elementnumberofchannels", "1"))
        return n_values * n_channels * _N_BYTES[self.fields[kind].lower()]


def read_text_header(path: Path) -> TextHeader:
    """Read the header of a `.nrrd`, `.nhdr`, `.mha` or `.mhd` file.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_HEADER)
    is_nrrd = data.startswith(b"NRRD")
    # An empty line ends an NRRD header, the line of the data file that of a MetaImage.
    mark = rb"\r?\n\r?\n" if is_nrrd else rb"ElementDataFile[^\n]*\n"
    found = re.search(mark, data)
    end = None if found is None else found.end()
    lines = data[:end].decode("latin-1").splitlines()
    pairs = [_pair(line, ":" if is_nrrd else "=") for line in lines]
    return TextHeader(path, is_nrrd, tuple(pair for pair in pairs if pair[0]), end)


def text_header_fault(header: TextHeader) -> str | None:
    """Say what makes a header unusable, as the end of "found ..."; else `None`."""
    is_meta_image = header.path.suffix.lower() in (".mha", ".mhd") and not header.is_nrrd
    missing = _missing_line([key for key, _ in header.lines]) if is_meta_image else None
    try:
        return (
            missing
            or _line_fault(header)
            or _shape_fault(header)
            or (_nrrd_fault if header.is_nrrd else _meta_fault)(header.fields)
            or _size_fault(header)
        )
    except (KeyError, ValueError):
        return "a header with a field that is missing or damaged"


def text_payload(header: TextHeader) -> Payload | None:
    """Return where the voxels lie; `None` if the reading library has to find out."""
    try:
        return _nrrd_payload(header) if header.is_nrrd else _meta_payload(header)
    except (KeyError, ValueError):
        return None


def text_position(header: TextHeader) -> tuple[bool, tuple[str, ...]]:
    """Tell whether a header holds a position, and in full sentences what is odd about it."""
    fields, name = header.fields, header.path.name
    if header.is_nrrd:
        if "space directions" not in fields or "space" in fields:
            return "space directions" in fields, ()
        remark = (
            f"{name} has directions, but does not say in which space; they are read as"
            " left-posterior-superior. If they were meant as right-anterior-superior, left and"
            " right are mixed up. Add the line `space: ...` to its header, or save it again in 3D"
            " Slicer."
        )
        return True, (remark,)
    matrix = next((fields[key] for key in _MATRICES if key in fields), None)
    is_known = matrix is not None or any(key in fields for key in _OFFSETS)
    said = fields.get("anatomicalorientation", "").upper()
    used = _letters(matrix or "1 0 0 0 1 0 0 0 1")
    if not set(said) <= set("RLAPIS") or len(said) != 3 or used in (None, said):
        return is_known, ()
    remark = (
        f"{name} says two things about its axes: AnatomicalOrientation {said}, and a"
        f" TransformMatrix that means {used}{'' if matrix else ' (it has none)'}. The matrix is"
        " used. Check left and right, and save the image again in 3D Slicer."
    )
    return is_known, (remark,)


def _pair(line: str, separator: str) -> tuple[str, str]:
    """Split a line; the key is empty for comments and for the free entries of NRRD."""
    key, found, value = line.partition(separator)
    if not found or line.startswith("#") or (separator == ":" and value.startswith("=")):
        return "", ""
    return key.strip().lower(), value.strip()


def _missing_line(keys: list[str]) -> str | None:
    """Say what a MetaImage lacks; the library that reads it would say so on the terminal."""
    for name in _NEEDED:
        if name.lower() not in keys:
            return f"a MetaImage header without {name}"
    before = keys[: keys.index("ndims")]
    return (
        f"a MetaImage header with {before[-1]} before NDims" if {*before} - _BEFORE_NDIMS else None
    )


def _line_fault(header: TextHeader) -> str | None:
    names = [key for key, _ in header.lines]
    for key, value in header.lines:
        if names.count(key) > 1:
            return f"a header with the field {key[:_LONGEST_WORD]} twice"
        longest = max((len(word) for word in [key, *value.split()]), default=0)
        if len(value) > _LONGEST_LINE or (longest > _LONGEST_WORD and key not in _FREE_TEXT):
            return "a header with a field that is far too long"
    return None


def _shape_fault(header: TextHeader) -> str | None:
    names = "dimension sizes type" if header.is_nrrd else "ndims dimsize elementtype"
    n_axes, sizes, kind = (header.fields[name] for name in names.split())
    found = [_whole(word) for word in sizes.split()]
    if not 1 <= _whole(n_axes) <= _MOST_AXES or len(found) != int(n_axes) or min(found) < 1:
        return f"a header with {n_axes} axes of the sizes {sizes}"
    return None if kind.lower() in _N_BYTES else f"a header with the voxel type {kind}"


def _nrrd_fault(fields: dict[str, str]) -> str | None:
    for name in _PER_AXIS:
        n_words = len(re.findall(r"\([^)]*\)|\S+", fields.get(name, "")))
        if n_words not in (0, int(fields["dimension"])):
            return f"a header with {n_words} entries of {name} for {fields['dimension']} axes"
    return None


def _meta_fault(fields: dict[str, str]) -> str | None:
    name, n_axes = fields["elementdatafile"], int(fields["ndims"])
    # It becomes a C format: no `%` but that of a numbered series is safe.
    if "%" in name and not re.fullmatch(r"[^%]*%0?\d?d[^%]*", name):
        return f"a header with the data file {name}"
    n_channels = _whole(fields.get("elementnumberofchannels", "1"))
    if not 1 <= n_channels <= _MOST_CHANNELS:
        return f"a header with {n_channels} values per voxel"
    wanted = dict.fromkeys(_NUMBER_LISTS, n_axes) | dict.fromkeys(_MATRICES, n_axes**2)
    for key in wanted.keys() & fields.keys():
        numbers = [float(word) for word in fields[key].split()]
        if len(numbers) != wanted[key] or not all(map(math.isfinite, numbers)):
            return f"a header with {len(numbers)} numbers in {key}, some perhaps not finite"
    return None


def _size_fault(header: TextHeader) -> str | None:
    """Compare what the header promises with what can be there, where nothing else does."""
    if text_payload(header) is not None:
        return None
    files = (file for file in header.path.parent.iterdir() if file.is_file())
    n_there = sum(file.stat().st_size for file in files)
    is_too_much = header.n_bytes > n_there * _BEST_COMPRESSION
    return "a header that promises far more data than there is" if is_too_much else None


def _letters(matrix: str) -> str | None:
    """Return where the axes come from, in MetaImage's letters (`RAI` for axes along LPS)."""
    try:
        values = [float(value) for value in matrix.split()]
    except ValueError:  # the reading library says what it makes of it
        return None
    if len(values) != 9:
        return None
    letters = ""
    for axis in range(3):
        cosines = values[3 * axis : 3 * axis + 3]
        row = max(range(3), key=lambda index: abs(cosines[index]))
        letters += ("RL", "AP", "IS")[row][0 if cosines[row] >= 0 else 1]
    return letters


def _nrrd_payload(header: TextHeader) -> Payload | None:
    fields = header.fields
    encodings: dict[str, Literal["raw", "gzip"]] = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
    encoding = encodings[fields["encoding"].lower()]
    if {"byte skip", "byteskip", "line skip", "lineskip"} & fields.keys():
        return None
    other = fields.get("data file", fields.get("datafile"))
    if other is not None:
        return _detached(header, other, encoding)
    return (
        None if header.end is None else Payload(header.path, header.end, encoding, header.n_bytes)
    )


def _meta_payload(header: TextHeader) -> Payload | None:
    fields = header.fields
    if header.end is None or fields.get("headersize", "0") != "0":
        return None
    is_compressed = fields.get("compresseddata", "false").lower() == "true"
    if fields["elementdatafile"].lower() != "local":
        return None if is_compressed else _detached(header, fields["elementdatafile"], "raw")
    stored = fields.get("compresseddatasize")
    if not is_compressed:
        return Payload(header.path, header.end, "raw", header.n_bytes)
    n_stored = None if stored is None else int(stored)
    return Payload(header.path, header.end, "zlib", header.n_bytes, n_stored)


def _detached(header: TextHeader, name: str, encoding: Literal["raw", "gzip"]) -> Payload | None:
    if "\0" in name or " " in name.strip() or "%" in name or name.upper().startswith("LIST"):
        return None  # several files
    return Payload(header.path.parent / name, 0, encoding, header.n_bytes)


def _whole(word: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", word):
        msg = f"no whole number: {word}"
        raise ValueError(msg)
    return int(word)
