"""Folders that grow from export to export: files are added, and replaced only if they are ours.

Other programs work in such a folder meanwhile. Its marker lists every file that was written, with
its checksum and what it was made from. A file that changed since, or that was there before, is
somebody else's work: it stays, and is named.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import explained_writing, write_json
from MultimodalImagingLib.record.checksums import file_checksum, json_checksum
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.ownership import is_free

MARKER = "crossmodal-export.json"
FORMAT = "CrossModal export"
FORMAT_VERSION = 1
_LOCK = ".crossmodal-export.lock"
_LOCK_WAIT_S, _LOCK_SILENCE_S = 2.0, 120.0


@dataclass
class ExportFolder:
    """A folder that an export writes into.

    Attributes:
        folder: The folder; exists.
        kind: What it is, for example `nnU-Net raw`.
        content: What the export wants to know next time, JSON-able.
        files: Per file, relative with slashes: its checksum, and that of what it was made from.
        foreign: Files in whose place something else lies; they were left as they are.
    """

    folder: Path
    kind: str
    content: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def write(self, name: str, made_from: object, make: Callable[[Path], None]) -> bool:
        """Write a file unless it is there already, made from the same.

        Args:
            name: Where, relative to the folder, with slashes.
            made_from: All that its content depends on, JSON-able.
            make: Writes it to the path that it gets.

        Returns:
            Whether the file is now as it should be; if not, it is among `foreign`.

        Raises:
            CrossModalError: If it cannot be written.
        """
        path, key = self.folder / name, json_checksum(made_from)
        known = self.files.get(name)
        if path.exists() or path.is_symlink():
            if self.is_own(name):
                if known is not None and known["made_from"] == key:
                    return True
            elif not self._is_what_would_be_written(path, make):
                self.foreign.append(name)
                return False
        with explained_writing(str(path), "Free space or choose another folder."):
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
            self.files[name] = {"sha256": file_checksum(path), "made_from": key}
        return True

    def is_own(self, name: str) -> bool:
        """Tell whether a file was written by an export and has not changed since."""
        known, path = self.files.get(name), self.folder / name
        is_there = known is not None and path.is_file() and not path.is_symlink()
        return is_there and known is not None and file_checksum(path) == known["sha256"]

    def move(self, name: str, new: str) -> None:
        """Rename an own file, if it is one and nothing lies at the new place."""
        target = self.folder / new
        if self.is_own(name) and not target.exists() and not target.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).rename(target)
            self.files[new] = self.files.pop(name)

    def remove(self, name: str) -> None:
        """Remove an own file; one that changed since is left and named."""
        if self.is_own(name):
            (self.folder / name).unlink()
            del self.files[name]
        elif (self.folder / name).exists():
            self.foreign.append(name)

    def save(self) -> None:
        """Write the marker.

        Raises:
            CrossModalError: If it cannot be written.
        """
        write_json(
            self.folder / MARKER,
            {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "kind": self.kind,
                "content": self.content,
                "files": self.files,
            },
        )

    def _is_what_would_be_written(self, path: Path, make: Callable[[Path], None]) -> bool:
        """Recognize a file of an export that was killed before it wrote its marker."""
        if path.is_symlink() or not path.is_file():
            return False
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=self.folder) as place:
            copy = Path(place) / path.name
            make(copy)
            return file_checksum(copy) == file_checksum(path)


@contextmanager
def open_export(folder: Path, kind: str, *, option: str) -> Iterator[ExportFolder]:
    """Open a folder for an export, alone: one that is free, or one that an export wrote.

    Args:
        folder: The folder; made if it is absent.
        kind: What it is.
        option: What the user has to change where it is refused.

    Raises:
        UsageError: If something else lies there.
        LockedError: If another export writes there now.
    """
    _read(folder, kind, option)  # refuses before anything is made
    with explained_writing(f"The folder {folder}", f"Choose another with {option}."):
        folder.mkdir(parents=True, exist_ok=True)
    what = f"The folder {folder}"
    lock = folder / _LOCK
    with locked(lock, wait_s=_LOCK_WAIT_S, silent_for_s=_LOCK_SILENCE_S, what=what) as held:
        held.keep_alive()
        # Another export may have ended while this one waited.
        is_new = not (folder / MARKER).exists()
        yield ExportFolder(folder, kind) if is_new else _read(folder, kind, option)


def _read(folder: Path, kind: str, option: str) -> ExportFolder:
    if is_free(folder):
        return ExportFolder(folder, kind)
    try:
        document = json_value((folder / MARKER).read_text(encoding="utf-8"))
        is_own = (document["format"], document["version"]) == (FORMAT, FORMAT_VERSION)
        if is_own and document["kind"] == kind and not folder.is_symlink():
            return ExportFolder(folder, kind, dict(document["content"]), dict(document["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    msg = (
        f"{folder} was left as it is, because it is neither empty nor an export ({kind}) of this"
        f" program. Choose another folder with {option}."
    )
    raise UsageError(msg)
