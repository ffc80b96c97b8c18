"""Temporary folders of jobs and results: removed when they are not needed any more, and at exit.

Must not import Slicer or Qt.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class ResultFolders:
    """Makes folders inside one temporary folder, which goes with this object."""

    def __init__(self) -> None:
        self._root: tempfile.TemporaryDirectory[str] | None = None

    def new(self) -> Path:
        """Return a new, empty folder."""
        if self._root is None:
            self._root = tempfile.TemporaryDirectory(prefix="CIMLSegment-")
        return Path(tempfile.mkdtemp(dir=self._root.name))

    def remove(self, path: Path) -> None:
        """Remove a folder of ours, with the folder of the job that it lies in; others are kept.

        A scene from a file may name any folder: only what really lies in ours is removed.
        """
        if self._root is None:
            return
        root, real = Path(self._root.name).resolve(), path.resolve()
        if root in real.parents:
            shutil.rmtree(root / real.relative_to(root).parts[0], ignore_errors=True)

    def clear(self) -> None:
        """Remove all folders."""
        if self._root is not None:
            self._root.cleanup()
            self._root = None
