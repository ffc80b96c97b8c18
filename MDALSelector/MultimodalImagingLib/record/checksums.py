"""Checksums: of files, of JSON content, of arrays. What each saves is part of a format.

What is kept of a file is used for its content only. Size and time do not tell that a file was
replaced: copying programs keep both. Its content does, and is the same after a cohort was copied
with its record. A file is read for it once; later its checksum is trusted as long as the disk says
that the file is untouched (size, times of content and of status, number on the disk).
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.series_file import is_series_file, read_series_file, slice_files


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


_FILE_NAME = "checksums.json"
# A file that was written this recently may be written again without another time stamp.
_QUIET_S = 2.0


class FileChecksums:
    """Checksums of the files of a cohort, remembered in a folder of its record.

    Attributes:
        root: Folder of the cohort.
    """

    def __init__(self, cache: Path, root: Path) -> None:
        """Remember what an earlier process left.

        Args:
            cache: Folder that keeps the checksums.
            root: Folder of the cohort; files are known by their path in it.
        """
        self._path = cache / _FILE_NAME
        self.root = root
        self._lock = threading.Lock()
        self._known = _read(self._path)
        self._is_changed = False

    def of(self, path: Path) -> str:
        """Return the checksum of a file's content; empty for a file that cannot be read.

        That of a DICOM volume is made of those of its slices and of what becomes of them.
        """
        if not is_series_file(path):
            return self._of_file(path)
        try:
            parts = [self._of_file(file) for file in slice_files(path)]
            series = asdict(read_series_file(path))
        except (OSError, ValueError):
            return ""
        del series["files"]  # a name is no content
        return json_checksum([parts, series]) if all(parts) else ""

    def _of_file(self, path: Path) -> str:
        name = relative_name(path, self.root)
        try:
            state = file_state(path)
            known = self._known.get(name)
            if known is not None and known[:-1] == state:
                return str(known[-1])
            checksum = file_checksum(path)
            is_quiet = time.time() - max(state[1], state[2]) / 1e9 > _QUIET_S
            if is_quiet and file_state(path) == state:
                with self._lock:
                    self._known[name] = [*state, checksum]
                    self._is_changed = True
        except OSError:
            return ""
        return checksum

    def save(self) -> None:
        """Keep what was learned.

        Raises:
            CrossModalError: If the file cannot be written.
        """
        with self._lock:
            if self._is_changed:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_json(self._path, self._known)
                self._is_changed = False


def relative_name(path: Path, root: Path) -> str:
    """Return the path in a folder, with slashes; the whole path of a file elsewhere."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def file_state(path: Path) -> list[int]:
    """Return what changes on the disk when a file is written or replaced."""
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _read(path: Path) -> dict[str, list[int | str]]:
    try:
        content = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_table = isinstance(content, Mapping)
    return {k: v for k, v in content.items() if isinstance(v, list) and v} if is_table else {}
