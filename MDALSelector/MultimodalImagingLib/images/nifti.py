"""NIfTI files: header and voxels, read before any library repairs them silently.

The library under ITK sets NaN and infinities to 0, and takes a compressed file named `.nii` for
damaged. Which position of the header counts is the matter of `position`.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from MultimodalImagingLib.images.arrays import Float64Array, VoxelArray
from MultimodalImagingLib.images.file_contents import Payload, decompressing
from MultimodalImagingLib.jobs.texts import counted

_GZIP = b"\x1f\x8b"
_READ_BYTES = 4096
_TOO_LARGE = 1e15
# Type code to numpy's kind; types of several numbers per voxel have their count.
_KINDS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_KINDS |= {1024: "i8", 1280: "u8"}
_N_VALUES = {32: 2, 1792: 2, 128: 3, 2304: 4}
_BYTES = {32: 8, 1792: 16, 128: 3, 2304: 4}
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metre", 2: "millimetre", 3: "micrometre"}
_BLOCK_BYTES = 1 << 20
_SMALL_TYPES = ("u1", "i1", "u2", "i2", "f4")
# Vectors, matrices and the like along the fifth axis.
_VECTOR_INTENTS = frozenset({1005, 1006, 1007, 1010, 1011})

# Type and place of the fields, in the order in which `_parse` takes them.
_FIELDS = {
    348: "8h40 8f76 2h252 6f256 12f280 B123 h70 2f112 f108 h68",
    540: "8q16 8d104 2i344 6d352 12d400 i500 h12 2d176 q168 i504",
}


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
    sform: Float64Array
    unit: float
    unit_name: str
    kind: str
    n_values: int
    scale: tuple[float, float]
    offset: int
    n_bytes: int
    is_compressed: bool

    @property
    def size_3d(self) -> tuple[int, int, int]:
        """Number of voxels along `(I, J, K)`."""
        i, j, k = (*self.size, 1, 1)[:3]
        return i, j, k

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
        with decompressing():
            data = zlib.decompressobj(31).decompress(data, max(_FIELDS))
    for order in "<>" if len(data) >= 4 else "":
        n_header = struct.unpack_from(f"{order}i", data)[0]
        if n_header in _FIELDS and len(data) >= n_header:
            return _parse(data, order, is_compressed=is_compressed)
    if len(data) < min(_FIELDS):
        msg = (
            "an empty file" if not data else f"a file that ends after {counted(len(data), 'byte')}"
        )
        raise ValueError(msg)
    msg = "content that does not begin with a NIfTI header"
    raise ValueError(msg)


def nifti_header_fault(header: NiftiHeader) -> str | None:
    """Say what makes a header unusable, as the end of "found ..."; `None` if nothing does."""
    if min(header.size) < 1:
        return f"a header with the size {'x'.join(str(n) for n in header.size)}"
    spacing = header.pixdim[1 : min(len(header.size), 3) + 1]
    if not all(_is_number(value) and value != 0 for value in spacing):
        return f"a header with the spacing {', '.join(f'{value:g}' for value in spacing)}"
    if not header.kind and header.n_values == 1:
        return "a header with an unknown type of numbers"
    qform_code, sform_code = header.codes
    placement = [*header.quaternion] if qform_code > 0 else []
    placement += header.sform.ravel().tolist() if sform_code > 0 else []
    if not all(_is_number(value) for value in placement):
        return "a header with NaN or infinities in its position or directions"
    return None


def _is_number(value: float) -> bool:
    """Tell whether a length or cosine is one; larger ones overflow where they are squared."""
    return math.isfinite(value) and abs(value) < _TOO_LARGE


def _parse(data: bytes, order: str, *, is_compressed: bool) -> NiftiHeader:
    n_header = struct.unpack_from(f"{order}i", data)[0]
    places = re.findall(r"(\d*[a-zA-Z])(\d+)", _FIELDS[n_header])
    (dim, pixdim, codes, quaternion, sform, units, kind, scale, offset, intent) = (
        struct.unpack_from(order + form, data, int(place)) for form, place in places
    )
    n_axes, code = int(dim[0]), int(kind[0])
    if not 1 <= n_axes <= 7:
        msg = f"a header that claims {n_axes} axes"
        raise ValueError(msg)
    size = tuple(int(n) for n in dim[1 : n_axes + 1])
    n_values = _N_VALUES.get(code, 1)
    if n_axes >= 5 and int(intent[0]) in _VECTOR_INTENTS:
        n_values, size = n_values * size[4], size[:3]
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
        scale=scale if np.isfinite(scale).all() and scale[0] != 0 else (1.0, 0.0),
        offset=start,
        n_bytes=start + math.prod(int(n) for n in dim[1 : n_axes + 1]) * item,
        is_compressed=is_compressed,
    )


def read_nifti_voxels(path: Path, header: NiftiHeader, component: int = 0) -> VoxelArray:
    """Read one 3-D image of a file, scaled as the header says.

    Args:
        path: The file.
        header: Its header, without fault.
        component: Number of the 3-D image along the further axes.

    Returns:
        Values `(K, J, I)`: of the stored type, or floating point if they are scaled.

    Raises:
        ValueError: If voxels are missing or damaged; the text is the end of "found ...".
        OSError: If the file cannot be opened.
    """
    stored = np.empty(header.size_3d[::-1], dtype=header.kind)
    with decompressing(), (gzip.open if header.is_compressed else open)(path, "rb") as stream:
        stream.seek(header.offset + component * stored.nbytes)
        n_read = _fill(stream, stored.data.cast("B"))
        while header.is_compressed and stream.read(_BLOCK_BYTES):
            pass  # the check sum is compared at the end
    if n_read < stored.nbytes:
        share = 100 * n_read / stored.nbytes
        msg = f"a truncated file with {share:.0f} % of the voxels that its header promises"
        raise ValueError(msg)
    return _scaled(stored, header)


def _fill(stream: BufferedIOBase, target: memoryview) -> int:
    """Read into a buffer until it is full or the file ends; return the number of bytes."""
    n_read = 0
    while n_read < len(target) and (block := stream.read(min(len(target) - n_read, _BLOCK_BYTES))):
        target[n_read : n_read + len(block)] = block
        n_read += len(block)
    return n_read


def _scaled(stored: VoxelArray, header: NiftiHeader) -> VoxelArray:
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    slope, intercept = header.scale
    if math.isclose(slope, 1.0, abs_tol=0.0) and intercept == 0:
        return native
    kind = np.float32 if header.kind[1:] in _SMALL_TYPES else np.float64
    return (native.astype(np.float64) * slope + intercept).astype(kind)
