"""The text headers of NRRD and MetaImage files, as far as they tell where the voxels lie."""

from __future__ import annotations

import math
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


_MATRIX_NAMES = ("transformmatrix", "rotation", "orientation")
_BEFORE_NDIMS = {"objecttype", "objectsubtype", "comment"}
_OFFSET_NAMES = ("offset", "position", "origin")


def n_voxel_bytes(voxel_type: str) -> int | None:
    """Return the length of a number of a type, bytes; `None` for a type that is not known."""
    return _N_BYTES.get(voxel_type.lower())


def header_lines(path: Path) -> list[str]:
    """Read the lines of a header, without the voxels that follow it in the same file.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_HEADER)
    if data.startswith(b"NRRD"):
        return _split(data, b"\n\n", b"\r\n\r\n")[0].splitlines()
    start = data.find(b"ElementDataFile")
    end = data.find(b"\n", start) if start >= 0 else -1
    return data[: end if end >= 0 else len(data)].decode("latin-1").splitlines()


def payload_of_text_header(path: Path) -> Payload | None:
    """Find the voxels of a `.nrrd`, `.nhdr`, `.mha` or `.mhd` file.

    Returns:
        Where they lie; `None` if the header uses something that is left to the reading library.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_HEADER)
    try:
        return _nrrd(path, data) if data.startswith(b"NRRD") else _meta_image(path, data)
    except (KeyError, ValueError):
        return None


def missing_line(path: Path) -> str | None:
    """Say what a MetaImage header lacks, as the end of "found ..."; `None` for NRRD.

    The library that reads MetaImages would say so on the terminal.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_HEADER)
    if data.startswith(b"NRRD") or path.suffix.lower() not in (".mha", ".mhd"):
        return None
    head, mark, _ = data.partition(b"ElementDataFile")
    lines = (head + mark + b"=").decode("latin-1").splitlines()
    keys = [line.split("=", 1)[0].strip().lower() for line in lines if "=" in line]
    for name in ("NDims", "DimSize", "ElementType", "ElementDataFile"):
        if name.lower() not in keys or (name == "ElementDataFile" and not mark):
            return f"a MetaImage header without {name}"
    before = keys[: keys.index("ndims")]
    if set(before) - _BEFORE_NDIMS:
        return f"a MetaImage header with {before[-1]} before NDims"
    return None


def text_position(path: Path) -> tuple[bool, tuple[str, ...]]:
    """Tell whether a header holds a position, and what is odd about it.

    Returns:
        Whether it does, and full sentences.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_HEADER)
    if data.startswith(b"NRRD"):
        return _nrrd_position(path, _fields(_split(data, b"\n\n", b"\r\n\r\n")[0], ":"))
    head = data[: data.find(b"ElementDataFile")].decode("latin-1")
    return _meta_position(path, _fields(head, "="))


def _nrrd_position(path: Path, fields: dict[str, str]) -> tuple[bool, tuple[str, ...]]:
    if "space directions" not in fields:
        return False, ()
    if "space" in fields:
        return True, ()
    remark = (
        f"{path.name} has directions, but does not say in which space; they are read as"
        " left-posterior-superior. If they were meant as right-anterior-superior, left and right"
        " are mixed up. Add the line `space: ...` to its header, or save it again in 3D Slicer."
    )
    return True, (remark,)


def _meta_position(path: Path, fields: dict[str, str]) -> tuple[bool, tuple[str, ...]]:
    matrix = next((fields[name] for name in _MATRIX_NAMES if name in fields), None)
    is_known = matrix is not None or any(name in fields for name in _OFFSET_NAMES)
    said = fields.get("anatomicalorientation", "").upper()
    if not set(said) <= set("RLAPIS") or len(said) != 3:
        return is_known, ()
    used = _letters(matrix or "1 0 0 0 1 0 0 0 1")
    if used is None or used == said:
        return is_known, ()
    remark = (
        f"{path.name} says two things about its axes: AnatomicalOrientation {said}, and a"
        f" TransformMatrix that means {used}{'' if matrix else ' (it has none)'}. The matrix is"
        " used. Check left and right, and save the image again in 3D Slicer."
    )
    return is_known, (remark,)


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


def _fields(text: str, separator: str) -> dict[str, str]:
    """Read `key: value` lines; the first one of a key counts."""
    pairs = (line.split(separator, 1) for line in text.splitlines() if separator in line)
    fields: dict[str, str] = {}
    for key, value in pairs:
        fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _nrrd(path: Path, data: bytes) -> Payload | None:
    text, end = _split(data, b"\n\n", b"\r\n\r\n")
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and ":=" not in line)
    fields = {key.strip().lower(): value.strip() for key, value in pairs}
    encodings: dict[str, Literal["raw", "gzip"]] = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
    encoding = encodings[fields["encoding"].lower()]
    if {"byte skip", "byteskip", "line skip", "lineskip"} & fields.keys():
        return None
    n_bytes = math.prod(int(n) for n in fields["sizes"].split()) * _N_BYTES[fields["type"].lower()]
    other = fields.get("data file", fields.get("datafile"))
    if other is not None:
        return _detached(path, other, encoding, n_bytes)
    return None if end is None else Payload(path, end, encoding, n_bytes)


def _meta_image(path: Path, data: bytes) -> Payload | None:
    start = data.index(b"ElementDataFile")
    end = data.index(b"\n", start) + 1
    lines = data[:end].decode("latin-1").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    fields = {key.strip().lower(): value.strip() for key, value in pairs}
    if fields.get("headersize", "0") != "0":
        return None
    n_values = math.prod(int(n) for n in fields["dimsize"].split())
    n_values *= int(fields.get("elementnumberofchannels", "1"))
    n_bytes = n_values * _N_BYTES[fields["elementtype"].lower()]
    other = fields["elementdatafile"]
    is_compressed = fields.get("compresseddata", "false").lower() == "true"
    if other.lower() != "local":
        return _detached(path, other, "raw", n_bytes) if not is_compressed else None
    if not is_compressed:
        return Payload(path, end, "raw", n_bytes)
    stored = fields.get("compresseddatasize")
    return Payload(path, end, "zlib", n_bytes, None if stored is None else int(stored))


def _detached(
    path: Path, name: str, encoding: Literal["raw", "gzip"], n_bytes: int
) -> Payload | None:
    if "\0" in name or " " in name.strip() or "%" in name or name.upper().startswith("LIST"):
        return None  # several files
    return Payload(path.parent / name, 0, encoding, n_bytes)


def _split(data: bytes, *separators: bytes) -> tuple[str, int | None]:
    """Return the header and where it ends; `None` if that is beyond what was read."""
    found = [(data.index(s), len(s)) for s in separators if s in data]
    if not found:
        return data.decode("latin-1"), None
    start, length = min(found)
    return data[:start].decode("latin-1"), start + length
