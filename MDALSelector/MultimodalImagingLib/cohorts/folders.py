"""Listing folders in a fixed order, with what cannot be listed as a problem."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.images.volume_io import image_suffix
from MultimodalImagingLib.jobs.environment import same_name

_SEPARATORS = ("_", "-", ".", " ")


def list_folder(folder: Path, problems: list[Problem], *, case_id: str | None = None) -> list[Path]:
    """List a folder sorted by name, so that the order of the file system does not matter.

    Args:
        folder: The folder.
        problems: Receives a problem if the folder cannot be read; the list is empty then. Also one
            per name that is no valid text; such names are left out.
        case_id: The case that the folder belongs to.
    """
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        message = (
            f"The folder {folder.name} cannot be read ({error.strerror}). Get permission to read"
            " it, or move it out of the cohort."
        )
        problems.append(Problem("error", message, case_id, folder))
        return []
    problems += [_undecodable(path, case_id) for path in paths if not is_text(path.name)]
    return [path for path in paths if is_text(path.name)]


def is_text(name: str) -> bool:
    """Tell whether a name is valid Unicode, which names from older systems may not be."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _undecodable(path: Path, case_id: str | None) -> Problem:
    name = path.name.encode("ascii", "backslashreplace").decode()
    message = (
        f"The name {name} is not valid Unicode text, so programs cannot open it; it is not used."
        " Rename it."
    )
    return Problem("error", message, case_id, path.parent)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that nobody may look at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_hidden(path: Path) -> bool:
    """Tell whether a file or folder is hidden, as `.crossmodal` is."""
    return path.name.startswith(".")


def images_in(folder: Path, problems: list[Problem], *, case_id: str | None = None) -> list[Path]:
    """List the image files of a folder, sorted by name; none if there is no such folder."""
    if not is_folder(folder):
        return []
    paths = list_folder(folder, problems, case_id=case_id)
    return [path for path in paths if image_suffix(path) and not is_hidden(path)]


def stem(path: Path) -> str:
    """Return the name of an image file without its suffix, `.nii.gz` included, as `same_name`."""
    return same_name(path.name[: -len(image_suffix(path) or "")] or path.name)


def name_in_case(path: Path, case_id: str) -> str:
    """Return the name of an image file without suffix and without the case at its beginning."""
    name, case_id = stem(path), same_name(case_id)
    rest = name[len(case_id) :]
    if name.lower().startswith(case_id.lower()) and rest[:1] in _SEPARATORS:
        return rest.lstrip("".join(_SEPARATORS)) or name
    return name


def repeated_case(case_id: str, path: Path) -> Problem:
    """Return the problem of a case that was already listed from another folder."""
    message = (
        f"Expected every case once, found it again as {path.parent.name}/{path.name}; that file is"
        " not used. Rename one of the two cases."
    )
    return Problem("error", message, case_id, path)
