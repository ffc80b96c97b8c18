"""Listing folders in a fixed order, with what cannot be listed as a problem."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.images.stored_image import image_suffix
from MultimodalImagingLib.jobs.environment import same_name

_SEPARATORS = ("_", "-", ".", " ")
# What systems and network drives leave beside data, in lower case; names with a dot are hidden.
_DEBRIS = frozenset(
    {
        "__macosx",
        "@eadir",
        "@recycle",
        "#recycle",
        "$recycle.bin",
        "lost+found",
        "system volume information",
    }
)
# Files of a folder that `ciml-segmenter segment` wrote.
_RESULT_FILES = ("result.json", "segmentation.seg.nrrd")


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
    """Tell whether a path is a folder; one without permission to look at it is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_hidden(path: Path) -> bool:
    """Tell whether a file or folder is hidden, as `.crossmodal` is."""
    return path.name.startswith(".")


def is_debris(path: Path) -> bool:
    """Tell whether a folder is hidden, or one that systems leave behind."""
    return is_hidden(path) or path.name.casefold() in _DEBRIS


def is_result(folder: Path) -> bool:
    """Tell whether a folder holds the result of a segmentation, which is no case."""
    try:
        return all((folder / name).is_file() for name in _RESULT_FILES)
    except OSError:
        return False


def subfolders(
    folder: Path, problems: list[Problem], *, root: Path | None = None, case_id: str | None = None
) -> list[Path]:
    """List the folders in a folder that may hold data, sorted by name.

    Debris is left out, and so are links that would lead in a circle: to a folder that the link
    itself lies in, and with `root` to any folder in it.

    Args:
        folder: The folder.
        problems: As of `list_folder`.
        root: Links to folders in it are not followed.
        case_id: The case that the folder belongs to.
    """
    return [
        path
        for path in list_folder(folder, problems, case_id=case_id)
        if not is_debris(path) and is_folder(path) and not _leads_back(path, root)
    ]


def _leads_back(path: Path, root: Path | None) -> bool:
    if not path.is_symlink():
        return False
    target, own = path.resolve(), path.parent.resolve()
    return own.is_relative_to(target) or (
        root is not None and target.is_relative_to(root.resolve())
    )


def images_in(folder: Path, problems: list[Problem], *, case_id: str | None = None) -> list[Path]:
    """List the image files of a folder, sorted by name; none if there is no such folder."""
    if not is_folder(folder):
        return []
    paths = list_folder(folder, problems, case_id=case_id)
    return [p for p in paths if image_suffix(p) and not is_hidden(p) and not _holds_images(p)]


def _holds_images(path: Path) -> bool:
    """Tell whether a folder is named like an image that lies in it, as some archives have it."""
    return is_folder(path) and any(image_suffix(item) for item in list_folder(path, []))


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
