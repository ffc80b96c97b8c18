"""Checksums: of files, of JSON content, of arrays. What each saves is part of a format."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_checksum(data: bytes) -> str:
    """Return the SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


def json_checksum(content: object) -> str:
    """Return the SHA-256 of content as JSON in one form: sorted keys, ASCII.

    Raises:
        ValueError: If the content holds NaN or an infinity, which JSON does not have.
    """
    return bytes_checksum(json.dumps(content, sort_keys=True, allow_nan=False).encode())


def array_checksum(parts: Iterable[tuple[str, npt.NDArray[Any]]]) -> str:
    """Return a SHA-256 over arrays, each after a text that names it, in the given order."""
    digest = hashlib.sha256()
    for name, values in parts:
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def array_crc(parts: Iterable[tuple[str, npt.NDArray[Any]]]) -> int:
    """Return a CRC-32 over arrays, each after its name: no proof, but quick for large images."""
    value = 0
    for name, values in parts:
        value = zlib.crc32(np.ascontiguousarray(values).tobytes(), zlib.crc32(name.encode(), value))
    return value
