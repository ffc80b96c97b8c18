"""The folders of a record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RecordFolders:
    """What lies where in the record of a cohort.

    Attributes:
        folder: The record's own folder.
    """

    folder: Path

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again; may be deleted at any time."""
        return self.folder / "cache"

    @property
    def labels(self) -> Path:
        """Folder of the labels that were made here."""
        return self.folder / "labels"

    @property
    def models(self) -> Path:
        """Folder of the models that were trained here."""
        return self.folder / "models"

    @property
    def results(self) -> Path:
        """Folder of results, with a folder per model in it."""
        return self.folder / "results"

    def new_run_folder(self, name: str) -> Path:
        """Create the next numbered folder for a run, for example `runs/003-DiverseMD`."""
        runs = self.folder / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name[:3]) for path in runs.iterdir() if path.name[:3].isdigit()]
        number = max(numbers, default=0) + 1
        while True:
            folder = runs / f"{number:03d}-{name}"
            try:
                folder.mkdir()
            except FileExistsError:  # another run of the same second
                number += 1
            else:
                return folder

    @property
    def autosave(self) -> Path:
        """Folder of work that nobody has saved yet."""
        return self.folder / "autosave"
