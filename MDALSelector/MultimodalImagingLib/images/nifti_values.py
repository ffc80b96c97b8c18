"""NaN and infinities in NIfTI files, counted before the reader replaces them by zero.

The NIfTI library under ITK sets every non-finite voxel to 0 while it reads; in an image that is a
repair nobody asked for.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import IO, cast

import numpy as np

from MultimodalImagingLib.images.nifti_header import read_nifti_header
from MultimodalImagingLib.images.volume_io import ImageFile

_FLOAT_TYPES = {16: "f4", 64: "f8"}
_HEADER_BYTES, _TYPE_OFFSET = 348, 70
_BLOCK_BYTES = 1 << 22


def n_non_finite(file: ImageFile) -> int:
    """Count the NaN and infinite voxels of a NIfTI image as they are stored.

    Args:
        file: A readable NIfTI image; for one of a 4-D file only its own voxels are counted.

    Returns:
        Number of voxels; 0 for integer types, which cannot hold any.

    Raises:
        ValueError: If the header is damaged.
        OSError: If the file cannot be read.
    """
    header = read_nifti_header(file.path)
    with _open(file.path) as stream:
        start = stream.read(_HEADER_BYTES)
        order = "<" if struct.unpack_from("<i", start)[0] == _HEADER_BYTES else ">"
        code = struct.unpack_from(f"{order}h", start, _TYPE_OFFSET)[0]
        if code not in _FLOAT_TYPES:
            return 0
        kind = np.dtype(order + _FLOAT_TYPES[code])
        n_image = math.prod(header.size[:3]) * kind.itemsize
        offset = header.n_bytes - math.prod(header.size) * kind.itemsize
        stream.seek(offset + (file.component or 0) * n_image)
        return _count(stream, n_image, kind)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if is_compressed else path.open("rb")


def _count(stream: IO[bytes], n_bytes: int, kind: np.dtype[np.floating]) -> int:
    n_bad = 0
    while n_bytes > 0 and (block := stream.read(min(n_bytes, _BLOCK_BYTES))):
        values = np.frombuffer(block, dtype=kind, count=len(block) // kind.itemsize)
        n_bad += values.size - int(np.isfinite(values).sum())
        n_bytes -= len(block)
    return n_bad
