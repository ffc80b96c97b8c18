"""The fields of a NIfTI header, read before any library repairs them silently.

Which of its positions counts, and what speaks against it, is the matter of `nifti_position`.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MultimodalImagingLib.images.geometry import FloatArray
from MultimodalImagingLib.images.voxel_payload import Payload

_GZIP = b"\x1f\x8b"
_READ_BYTES = 4096
_HEADER_BYTES = {348: "NIfTI-1", 540: "NIfTI-2"}
# Type code to numpy's kind; types of several numbers per voxel have their count.
_KINDS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_KINDS |= {1024: "i8", 1280: "u8"}
_N_VALUES = {32: 2, 1792: 2, 128: 3, 2304: 4}
_BYTES = {32: 8, 1792: 16, 128: 3, 2304: 4}
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metre", 2: "millimetre", 3: "micrometre"}
# Vectors, matrices and the like along the fifth axis.
_VECTOR_INTENTS = frozenset({1005, 1006, 1007, 1010, 1011})

_Unpack = Callable[[str, int], tuple[float, ...]]


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI header says.

    Attributes:
        size: Number of voxels along every axis, as many as the header says there are axes.
        pixdim: The factor that mirrors the third axis of the qform, and the distance of neighbors
            along the first three axes in the file's unit.
        codes: Codes of qform and sform; 0: the header does not hold it.
        quaternion: The three numbers of the rotation and the offset of the qform.
        sform: Rows `(3, 4)` of the sform, voxel index to RAS, in the file's unit.
        unit: Length of the unit in mm; 1 if the header does not say.
        unit_name: The unit in words; empty if the header does not say.
        kind: numpy's name of the number type with its byte order; empty if it is no plain number.
        n_values: Numbers per voxel.
        scale: Slope and intercept of the stored numbers; `(1, 0)` for none.
        offset: Where the voxels begin, bytes.
        n_bytes: Length of the uncompressed file that the header promises, bytes.
        is_compressed: Whether the file is compressed, whatever its suffix says.
    """

    size: tuple[int, ...]
    pixdim: tuple[float, ...]
    codes: tuple[int, int]
    quaternion: tuple[float, ...]
    sform: FloatArray
    unit: float
    unit_name: str
    kind: str
    n_values: int
    scale: tuple[float, float]
    offset: int
    n_bytes: int
    is_compressed: bool

    def payload(self, path: Path) -> Payload:
        """Return where the header and the voxels lie."""
        return Payload(path, 0, "gzip" if self.is_compressed else "raw", self.n_bytes)


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
    for order in "<>" if len(data) >= 4 else "":
        n_header = struct.unpack_from(f"{order}i", data)[0]
        if n_header in _HEADER_BYTES and len(data) >= n_header:
            return _parse(data, order, is_compressed=is_compressed)
    if len(data) < min(_HEADER_BYTES):
        msg = "an empty file" if not data else f"a file that ends after {len(data)} bytes"
        raise ValueError(msg)
    msg = "content that does not begin with a NIfTI header"
    raise ValueError(msg)


def nifti_header_fault(header: NiftiHeader) -> str | None:
    """Say what makes a header unusable, as the end of "found ..."; `None` if nothing does."""
    if min(header.size) < 1:
        return f"a header with the size {'x'.join(str(n) for n in header.size)}"
    spacing = header.pixdim[1 : min(len(header.size), 3) + 1]
    if not all(math.isfinite(value) and value != 0 for value in spacing):
        return f"a header with the spacing {', '.join(f'{value:g}' for value in spacing)}"
    if not header.kind and header.n_values == 1:
        return "a header with an unknown type of numbers"
    qform_code, sform_code = header.codes
    placement = [*header.quaternion] if qform_code > 0 else []
    placement += header.sform.ravel().tolist() if sform_code > 0 else []
    if not all(math.isfinite(value) for value in placement):
        return "a header with NaN or infinities in its position or directions"
    return None


def _parse(data: bytes, order: str, *, is_compressed: bool) -> NiftiHeader:
    def unpack(kind: str, offset: int) -> tuple[float, ...]:
        return struct.unpack_from(order + kind, data, offset)

    n_header = int(unpack("i", 0)[0])
    fields = _fields_1(unpack) if _HEADER_BYTES[n_header] == "NIfTI-1" else _fields_2(unpack)
    (dim, pixdim, codes, quaternion, sform, units, kind, scale, offset, intent) = fields
    n_axes = int(dim[0])
    if not 1 <= n_axes <= 7:
        msg = f"a header that claims {n_axes} axes"
        raise ValueError(msg)
    size = tuple(int(n) for n in dim[1 : n_axes + 1])
    n_values = _N_VALUES.get(int(kind[0]), 1)
    if n_axes >= 5 and int(intent[0]) in _VECTOR_INTENTS:
        n_values, size = n_values * size[4], size[:3]
    code = int(kind[0])
    item = np.dtype(_KINDS[code]).itemsize if code in _KINDS else _BYTES.get(code, 1)
    start = max(int(offset[0]) if math.isfinite(offset[0]) else 0, n_header)
    unit = int(units[0]) & 7
    return NiftiHeader(
        size=size,
        pixdim=tuple(pixdim[:4]),
        codes=(int(codes[0]), int(codes[1])),
        quaternion=tuple(quaternion),
        sform=np.array(sform).reshape(3, 4),
        unit=_UNITS_MM.get(unit, 1.0),
        unit_name=_UNIT_NAMES.get(unit, ""),
        kind=order + _KINDS[code] if code in _KINDS else "",
        n_values=n_values,
        scale=_scale(scale),
        offset=start,
        n_bytes=start + math.prod(int(n) for n in dim[1 : n_axes + 1]) * item,
        is_compressed=is_compressed,
    )


def _fields_1(unpack: _Unpack) -> tuple[tuple[float, ...], ...]:
    places = [("8h", 40), ("8f", 76), ("2h", 252), ("6f", 256), ("12f", 280)]
    places += [("B", 123), ("h", 70), ("2f", 112), ("f", 108), ("h", 68)]
    return tuple(unpack(kind, offset) for kind, offset in places)


def _fields_2(unpack: _Unpack) -> tuple[tuple[float, ...], ...]:
    places = [("8q", 16), ("8d", 104), ("2i", 344), ("6d", 352), ("12d", 400)]
    places += [("i", 500), ("h", 12), ("2d", 176), ("q", 168), ("i", 504)]
    return tuple(unpack(kind, offset) for kind, offset in places)


def _scale(stored: tuple[float, ...]) -> tuple[float, float]:
    slope, intercept = stored
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        return 1.0, 0.0
    return slope, intercept


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(data, max(_HEADER_BYTES))
    except zlib.error as error:
        msg = "damaged compressed data"
        raise ValueError(msg) from error
