"""Layout: one folder per case, `<case>/<modality>.nii.gz` or `<case>/<case>_<modality>.nii.gz`."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.folders import is_hidden, list_folder, name_in_case
from MultimodalImagingLib.volume_io import image_suffix

NAME = "folder per case"
LOOKED_FOR = "folders, one per case, that hold image files (`<case>/<modality>.nii.gz`)"

# Folders of other layouts; they hold images, but are no cases.
_OTHER_LAYOUTS = {"imagestr", "imagests", "labelstr", "labelsts", "derivatives", "sourcedata"}


def fits(root: Path) -> bool:
    """Tell whether some subfolder holds images."""
    return any(
        any(image_suffix(path) and not is_hidden(path) for path in list_folder(folder, []))
        for folder in _case_folders(root, [])
    )


def list_cases(root: Path) -> Listing:
    """List the images of every subfolder."""
    problems: list[Problem] = []
    folders = _case_folders(root, problems)
    files = tuple(file for folder in folders for file in _files(folder, problems))
    case_ids = tuple(folder.name for folder in folders)
    return Listing(NAME, root, case_ids, files, tuple(problems))


def _case_folders(root: Path, problems: list[Problem]) -> list[Path]:
    return [
        path
        for path in list_folder(root, problems)
        if path.is_dir() and not is_hidden(path) and path.name.lower() not in _OTHER_LAYOUTS
    ]


def _files(folder: Path, problems: list[Problem]) -> list[FoundFile]:
    return [
        FoundFile(folder.name, path, name_in_case(path, folder.name))
        for path in list_folder(folder, problems, case_id=folder.name)
        if image_suffix(path) and not is_hidden(path)
    ]
