"""The voxels of a NIfTI file, decompressed once; NaN and infinities stay what they are.

The NIfTI library under ITK sets them to 0, and takes a compressed file named `.nii` for damaged.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.images.nifti_header import NiftiHeader
from MultimodalImagingLib.images.voxel_payload import payload_fault

_BLOCK_BYTES = 1 << 20
_SMALL_TYPES = ("u1", "i1", "u2", "i2", "f4")


def read_nifti_voxels(
    path: Path, header: NiftiHeader, component: int = 0
) -> npt.NDArray[np.generic]:
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
    fault = payload_fault(header.payload(path), is_thorough=False)
    if fault is not None:
        raise ValueError(fault)
    i, j, k = (*header.size, 1, 1)[:3]
    stored = np.empty((k, j, i), dtype=header.kind)
    try:
        with _open(path, is_compressed=header.is_compressed) as stream:
            _skip(stream, header.offset + component * stored.nbytes)
            n_read = _fill(stream, stored.data.cast("B"))
            while header.is_compressed and stream.read(_BLOCK_BYTES):
                pass  # the check sum is compared at the end
    except EOFError as error:
        msg = "a compressed file that ends too early (truncated, perhaps a broken download)"
        raise ValueError(msg) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        msg = "damaged compressed data"
        raise ValueError(msg) from error
    if n_read < stored.nbytes:
        share = 100 * n_read / stored.nbytes
        msg = f"a truncated file with {share:.0f} % of the voxels that its header promises"
        raise ValueError(msg)
    return _scaled(stored, header)


def _open(path: Path, *, is_compressed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if is_compressed else path.open("rb")


def _skip(stream: IO[bytes], n_bytes: int) -> None:
    while n_bytes > 0 and (block := stream.read(min(n_bytes, _BLOCK_BYTES))):
        n_bytes -= len(block)


def _fill(stream: IO[bytes], target: memoryview) -> int:
    """Read into a buffer until it is full or the file ends; return the number of bytes."""
    n_read = 0
    while n_read < len(target) and (block := stream.read(min(len(target) - n_read, _BLOCK_BYTES))):
        target[n_read : n_read + len(block)] = block
        n_read += len(block)
    return n_read


def _scaled(stored: npt.NDArray[np.generic], header: NiftiHeader) -> npt.NDArray[np.generic]:
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    slope, intercept = header.scale
    if math.isclose(slope, 1.0, abs_tol=0.0) and intercept == 0:
        return native
    kind = np.float32 if header.kind[1:] in _SMALL_TYPES else np.float64
    return (native.astype(np.float64) * slope + intercept).astype(kind)
