"""Listing folders in a fixed order, with what cannot be listed as a problem."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cases import Problem
from MultimodalImagingLib.volume_io import image_suffix


def list_folder(folder: Path, problems: list[Problem], *, case_id: str | None = None) -> list[Path]:
    """List a folder sorted by name, so that the order of the file system does not matter.

    Args:
        folder: The folder.
        problems: Receives a problem if the folder cannot be read; the list is empty then.
        case_id: The case that the folder belongs to.
    """
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        message = (
            f"The folder {folder.name} cannot be read ({error.strerror}). Get permission to read"
            " it, or move it out of the cohort."
        )
        problems.append(Problem("error", message, case_id, folder))
        return []


def is_hidden(path: Path) -> bool:
    """Tell whether a file or folder is hidden, as `.crossmodal` is."""
    return path.name.startswith(".")


def name_in_case(path: Path, case_id: str) -> str:
    """Return a file's name without suffix and without the case's name at its beginning."""
    name = path.name[: -len(image_suffix(path) or "")] if image_suffix(path) else path.stem
    if name.lower().startswith(case_id.lower()):
        name = name[len(case_id) :].lstrip("_-. ") or name
    return name
