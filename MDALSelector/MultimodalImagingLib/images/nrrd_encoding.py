"""Compresses the voxels of a NRRD file, in a thread if wanted: no lock is held meanwhile."""

from __future__ import annotations

import zlib
from pathlib import Path

_PLAIN, _COMPRESSED = b"\nencoding: raw\n", b"\nencoding: gzip\n"
_END_OF_HEADER = b"\n\n"
_GZIP = zlib.MAX_WBITS + 16
_CHUNK = 1 << 22  # bytes
_MAX_HEADER = 1 << 24  # bytes


def compress_nrrd(source: Path, target: Path, *, level: int = 4) -> None:
    """Write a copy of a NRRD file with compressed voxels; the header is otherwise the same.

    Args:
        source: A file that holds its voxels itself, uncompressed.
        target: Receives the copy.
        level: 1 is fast, 9 is small; labels shrink to the same within a few percent from 4 on.

    Raises:
        ValueError: If it is no such file.
        OSError: If a file cannot be read or written.
    """
    with source.open("rb") as read:
        start = read.read(_MAX_HEADER)
        end = start.find(_END_OF_HEADER) + len(_END_OF_HEADER)
        header = start[:end]
        if not header.startswith(b"NRRD") or header.count(_PLAIN) != 1:
            msg = f"Expected a NRRD file with its own voxels, uncompressed, found {source.name}."
            raise ValueError(msg)
        packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
        read.seek(end)
        with target.open("wb") as written:
            written.write(header.replace(_PLAIN, _COMPRESSED))
            while chunk := read.read(_CHUNK):
                written.write(packer.compress(chunk))
            written.write(packer.flush())
