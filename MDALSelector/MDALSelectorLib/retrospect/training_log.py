"""Finished steps of a run, one JSON line each, so that a kill loses only the step under way."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.atomic_files import write_bytes, write_text
from MultimodalImagingLib.record.json_entry import json_value

LOG_NAME = "trainings.jsonl"
PROGRAM = "mdal-selector retrospect"


class TrainingLog:
    """Results of finished steps by name; steps of a run with other settings are not taken over."""

    def __init__(self, folder: Path, key: str) -> None:
        """Open the log of a folder, or begin a new one.

        Args:
            folder: The run's folder; exists.
            key: What stands for images, labels, settings and versions.
        """
        self._path = folder / LOG_NAME
        self._found = _read(self._path, key)
        if not self._found:
            _begin(self._path, key)

    @property
    def n_found(self) -> int:
        """Number of finished steps."""
        return len(self._found)

    def get(self, name: str) -> Any | None:
        """Return what a step left, `None` if it is not finished."""
        return self._found.get(name)

    def put(self, name: str, content: object) -> None:
        """Write what a step found, so that it is on the disk when this returns.

        Raises:
            CrossModalError: If it cannot be written.
        """
        line = json.dumps({"step": name, "content": content}, allow_nan=False) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            msg = (
                f"{self._path} cannot be written ({error.strerror}). Free space, then start the"
                " same command again: what was finished is kept."
            )
            raise CrossModalError(msg) from error
        self._found[name] = content


def mark_folder(folder: Path) -> None:
    """Begin a log that belongs to no settings yet, so that the folder is known to be a run's."""
    if not (folder / LOG_NAME).exists():
        _begin(folder / LOG_NAME, "")


def is_training_log(data: bytes) -> bool:
    """Tell whether the content of a file is a log of this program."""
    return _head(data.split(b"\n", 1)[0]).get("program") == PROGRAM


def _begin(path: Path, key: str) -> None:
    write_text(path, json.dumps({"program": PROGRAM, "key": key}) + "\n")


def _read(path: Path, key: str) -> dict[str, Any]:
    """Return the finished steps under a key; a line that a kill cut off ends them."""
    if not path.is_file():
        return {}
    lines = path.read_bytes().split(b"\n")
    if _head(lines[0]).get("key") != key:
        return {}
    found: dict[str, Any] = {}
    whole = [lines[0]]
    for line in lines[1:-1]:
        entry = _head(line)
        if "step" not in entry:
            break
        found[str(entry["step"])] = entry.get("content")
        whole.append(line)
    if len(whole) < len(lines) - 1 or lines[-1]:
        write_bytes(path, b"\n".join(whole) + b"\n")
    return found


def _head(line: bytes) -> Mapping[str, Any]:
    try:
        entry = json_value(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
