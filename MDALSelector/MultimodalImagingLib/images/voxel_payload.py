"""Whether all voxels that a header promises are in the file, without reading the image.

Libraries fill the missing end of a truncated file with zeros, or write to standard error only.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

_BLOCK_BYTES = 1 << 18
# Deflate cannot make more than this of a byte.
_MOST_INFLATION = 1100


@dataclass(frozen=True)
class Payload:
    """Where the voxels lie in a file.

    Attributes:
        path: The file.
        offset: Where the (compressed) data begins, bytes.
        encoding: `"gzip"` and `"zlib"` carry a check sum, `"raw"` does not.
        n_bytes: Length of the uncompressed data that the header promises, bytes.
        n_stored: Length of the compressed data, if the header says it, bytes.
    """

    path: Path
    offset: int
    encoding: Literal["raw", "gzip", "zlib"]
    n_bytes: int
    n_stored: int | None = None


def payload_fault(payload: Payload, *, is_thorough: bool) -> str | None:
    """Say whether voxels are missing or damaged, as the end of "found ..."; else `None`.

    Args:
        payload: Where the voxels should be.
        is_thorough: Decompress everything and compare the check sum. Otherwise only the lengths
            that the file states are compared, and the rest only if they do not fit.

    Raises:
        OSError: If the file cannot be opened.
    """
    n_there = payload.path.stat().st_size - payload.offset
    if payload.encoding == "raw":
        return _fault(n_there, payload)
    if payload.n_stored is not None and n_there < payload.n_stored:
        return _fault(n_there, payload, payload.n_stored)
    if not is_thorough and _is_length_as_stated(payload):
        return None
    try:
        with payload.path.open("rb") as file:
            file.seek(payload.offset)
            n_found = _inflated_length(file, payload.encoding)
    except EOFError:
        return "a compressed file that ends too early (truncated, perhaps a broken download)"
    except (zlib.error, gzip.BadGzipFile):
        return "damaged compressed data"
    return _fault(n_found, payload)


def _fault(n_found: int, payload: Payload, n_expected: int | None = None) -> str | None:
    expected = payload.n_bytes if n_expected is None else n_expected
    if n_found >= expected:
        return None
    share = 100 * max(n_found, 0) / expected
    return f"a truncated file with {share:.0f} % of the data that its header promises"


def _is_length_as_stated(payload: Payload) -> bool:
    if payload.encoding == "zlib":
        return payload.n_stored is not None
    if payload.n_bytes > _MOST_INFLATION * payload.path.stat().st_size:
        return False
    with payload.path.open("rb") as file:
        file.seek(-4, 2)  # a gzip file ends with its uncompressed length modulo 2^32
        return int.from_bytes(file.read(4), "little") == payload.n_bytes % 2**32


def _inflated_length(file: BinaryIO, encoding: str) -> int:
    n_bytes = 0
    if encoding == "gzip":
        with gzip.open(file) as stream:
            while block := stream.read(4 * _BLOCK_BYTES):
                n_bytes += len(block)
        return n_bytes
    inflater = zlib.decompressobj()
    while not inflater.eof:
        block = inflater.unconsumed_tail or file.read(_BLOCK_BYTES)
        if not block:
            raise EOFError
        n_bytes += len(inflater.decompress(block, 4 * _BLOCK_BYTES))
    return n_bytes
