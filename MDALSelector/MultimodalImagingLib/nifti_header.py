"""What a NIfTI file says about itself, checked before any library repairs it silently.

ITK reads a spacing of 0 or NaN as 1 mm, and fills the missing end of a truncated file with zeros.
Neither may happen unnoticed, so the header and the length are looked at here first.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_READ_SIZE = 1 << 20


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI-1 or NIfTI-2 header that can make a file unusable.

    Attributes:
        size: Number of voxels along every axis, as many as the header says there are axes.
        spacing: Distance of neighbors along the first three axes, in the file's unit.
        placement: Offsets and direction terms of the coordinate systems in use.
        n_bytes: Length of the uncompressed file that the header promises, bytes.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    placement: tuple[float, ...]
    n_bytes: int


@dataclass(frozen=True)
class _Fields:
    """Where and how the fields lie, `(offset, struct format)`."""

    dim: tuple[int, str]
    bits: tuple[int, str]
    pixdim: tuple[int, str]
    data_offset: tuple[int, str]
    codes: tuple[int, str]
    quaternion: tuple[int, str]
    rows: tuple[int, str]


_FIELDS = {
    348: _Fields(
        (40, "8h"), (72, "h"), (76, "8f"), (108, "f"), (252, "2h"), (256, "6f"), (280, "12f")
    ),
    540: _Fields(
        (16, "8q"), (14, "h"), (104, "8d"), (168, "q"), (344, "2i"), (352, "6d"), (400, "12d")
    ),
}


def is_nifti(path: Path) -> bool:
    """Tell by the suffix whether a file should be NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read a header without the voxels.

    Raises:
        ValueError: If there is no usable header; the text is the end of "found ...".
        OSError: If the file cannot be opened.
    """
    data = _first_bytes(path, 540)
    if len(data) < 348:
        msg = "an empty file" if not data else f"a file that ends after {len(data)} bytes"
        raise ValueError(msg)
    for order in "<>":
        fields = _FIELDS.get(struct.unpack_from(f"{order}i", data)[0])
        if fields is not None and len(data) >= (348 if fields is _FIELDS[348] else 540):
            return _parse(data, fields, order)
    msg = "content that does not begin with a NIfTI header"
    raise ValueError(msg)


def nifti_header_fault(header: NiftiHeader) -> str | None:
    """Say what makes a header unusable, as the end of "found ..."; `None` if nothing does."""
    if not header.size or min(header.size) < 1:
        return f"a header with the size {_shape(header.size)}"
    if not all(math.isfinite(value) and value > 0 for value in header.spacing):
        spacing = ", ".join(f"{value:g}" for value in header.spacing)
        return f"a header with the spacing {spacing}"
    if not all(math.isfinite(value) for value in header.placement):
        return "a header with NaN or infinities in its position or directions"
    return None


def missing_data_fault(path: Path, header: NiftiHeader, *, is_thorough: bool) -> str | None:
    """Say whether voxels are missing or damaged, as the end of "found ...".

    Args:
        path: The file.
        header: Its header.
        is_thorough: Decompress everything and compare the check sum. Otherwise only the length that
            the end of the file states is looked at, and the rest if that does not fit.
    """
    if not _is_gzip(path):
        n_found = path.stat().st_size
        return None if n_found >= header.n_bytes else _truncated(n_found, header)
    if not is_thorough and _stated_length(path) == header.n_bytes % 2**32:
        return None
    try:
        n_found = _decompressed_length(path)
    except EOFError:
        return "a compressed file that ends too early (truncated, perhaps a broken download)"
    except (zlib.error, gzip.BadGzipFile):
        return "damaged compressed data"
    return None if n_found >= header.n_bytes else _truncated(n_found, header)


def _truncated(n_found: int, header: NiftiHeader) -> str:
    share = 100 * n_found / header.n_bytes
    return f"a truncated file with {share:.0f} % of the data that its header promises"


def _parse(data: bytes, fields: _Fields, order: str) -> NiftiHeader:
    def unpack(field: tuple[int, str]) -> tuple[float, ...]:
        return struct.unpack_from(order + field[1], data, field[0])

    dim = [int(value) for value in unpack(fields.dim)]
    if not 1 <= dim[0] <= 7:
        msg = f"a header that claims {dim[0]} axes"
        raise ValueError(msg)
    size = tuple(dim[1 : dim[0] + 1])
    qform, sform = unpack(fields.codes)
    placement = unpack(fields.quaternion) if qform > 0 else ()
    placement += unpack(fields.rows) if sform > 0 else ()
    (bits,), (offset,) = unpack(fields.bits), unpack(fields.data_offset)
    n_header = int(offset) if math.isfinite(offset) else 0
    spacing = unpack(fields.pixdim)[1 : min(dim[0], 3) + 1]
    return NiftiHeader(size, spacing, placement, n_header + math.prod(size) * int(bits) // 8)


def _first_bytes(path: Path, n_bytes: int) -> bytes:
    if not _is_gzip(path):
        with path.open("rb") as file:
            return file.read(n_bytes)
    try:
        with gzip.open(path) as file:
            return file.read(n_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = "damaged compressed data"
        raise ValueError(msg) from error


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _stated_length(path: Path) -> int:
    """Uncompressed length modulo 2^32 in the last four bytes of a gzip file."""
    with path.open("rb") as file:
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")


def _decompressed_length(path: Path) -> int:
    n_bytes = 0
    with gzip.open(path) as file:
        while block := file.read(_READ_SIZE):
            n_bytes += len(block)
    return n_bytes


def _shape(size: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in size)
