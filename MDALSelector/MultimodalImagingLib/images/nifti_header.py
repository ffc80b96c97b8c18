"""What a NIfTI file says about itself, checked before any library repairs it silently.

ITK reads a spacing of 0 or NaN as 1 mm; that must not happen unnoticed.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.images.voxel_payload import Payload

_GZIP = b"\x1f\x8b"
_READ_BYTES = 4096


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI-1 header that can make a file unusable.

    Attributes:
        size: Number of voxels along every axis, as many as the header says there are axes.
        spacing: Distance of neighbors along the first three axes, in the file's unit.
        placement: Offsets and direction terms of the coordinate systems in use.
        n_bytes: Length of the uncompressed file that the header promises, bytes.
        is_compressed: Whether the file is compressed, whatever its suffix says.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    placement: tuple[float, ...]
    n_bytes: int
    is_compressed: bool

    def payload(self, path: Path) -> Payload:
        """Return where the header and the voxels lie."""
        return Payload(path, 0, "gzip" if self.is_compressed else "raw", self.n_bytes)


_HEADER_BYTES = 348
_NIFTI_2_HEADER_BYTES = 540


def is_nifti(path: Path) -> bool:
    """Tell by the suffix whether a file should be NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read a header without the voxels.

    Raises:
        ValueError: If there is no usable header; the text is the end of "found ...".
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_READ_BYTES)
    is_compressed = data.startswith(_GZIP)
    if is_compressed:
        data = _inflated(data)
    if len(data) < _HEADER_BYTES:
        msg = "an empty file" if not data else f"a file that ends after {len(data)} bytes"
        raise ValueError(msg)
    for order in "<>":
        n_header = struct.unpack_from(f"{order}i", data)[0]
        if n_header == _HEADER_BYTES:
            return _parse(data, order, is_compressed=is_compressed)
        if n_header == _NIFTI_2_HEADER_BYTES:
            msg = "a NIfTI-2 file, which ITK cannot read (save it as NIfTI-1)"
            raise ValueError(msg)
    msg = "content that does not begin with a NIfTI header"
    raise ValueError(msg)


def nifti_header_fault(header: NiftiHeader) -> str | None:
    """Say what makes a header unusable, as the end of "found ..."; `None` if nothing does."""
    if min(header.size) < 1:
        return f"a header with the size {'x'.join(str(n) for n in header.size)}"
    if not all(math.isfinite(value) and value > 0 for value in header.spacing):
        spacing = ", ".join(f"{value:g}" for value in header.spacing)
        return f"a header with the spacing {spacing}"
    if not all(math.isfinite(value) for value in header.placement):
        return "a header with NaN or infinities in its position or directions"
    return None


def _parse(data: bytes, order: str, *, is_compressed: bool) -> NiftiHeader:
    def unpack(kind: str, offset: int) -> tuple[float, ...]:
        return struct.unpack_from(order + kind, data, offset)

    dim = [int(value) for value in unpack("8h", 40)]
    if not 1 <= dim[0] <= 7:
        msg = f"a header that claims {dim[0]} axes"
        raise ValueError(msg)
    size = tuple(dim[1 : dim[0] + 1])
    qform_code, sform_code = unpack("2h", 252)
    placement = unpack("6f", 256) if qform_code > 0 else ()
    placement += unpack("12f", 280) if sform_code > 0 else ()
    (n_bits,), (data_offset,) = unpack("h", 72), unpack("f", 108)
    n_before = int(data_offset) if math.isfinite(data_offset) else 0
    n_bytes = n_before + math.prod(size) * int(n_bits) // 8
    spacing = unpack("8f", 76)[1 : min(dim[0], 3) + 1]
    return NiftiHeader(size, spacing, placement, n_bytes, is_compressed)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(data, _HEADER_BYTES)
    except zlib.error as error:
        msg = "damaged compressed data"
        raise ValueError(msg) from error
