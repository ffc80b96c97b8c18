"""Layout: one folder per case, `<case>/<modality>.nii.gz` or `<case>/<case>_<modality>.nii.gz`."""

from __future__ import annotations

import re
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import (
    images_in,
    is_folder,
    is_hidden,
    list_folder,
    name_in_case,
)

NAME = "folder per case"
LOOKED_FOR = "folders, one per case, that hold image files (`<case>/<modality>.nii.gz`)"

# Folders of other layouts; they hold images, but are no cases.
_OTHER_LAYOUTS = re.compile(r"(images|labels)[a-z]{0,3}|derivatives|sourcedata", re.IGNORECASE)


def fits(root: Path) -> bool:
    """Tell whether some subfolder holds images."""
    return any(images_in(folder, []) for folder in _case_folders(root, []))


def list_cases(root: Path) -> Listing:
    """List the images of every subfolder; folders without any are named, but are no cases."""
    problems: list[Problem] = []
    case_ids: list[str] = []
    files: list[FoundFile] = []
    for folder in _case_folders(root, problems):
        n_problems = len(problems)
        found = _files(folder, problems)
        files += found
        if found:
            case_ids.append(folder.name)
        elif len(problems) == n_problems:
            problems.append(_not_a_case(folder))
    return Listing(NAME, root, tuple(case_ids), tuple(files), tuple(problems))


def _not_a_case(folder: Path) -> Problem:
    message = (
        f"The folder {folder.name} holds no image and is not taken for a case. Add its images, or"
        " leave it if it is something else."
    )
    return Problem("warning", message, None, folder)


def _case_folders(root: Path, problems: list[Problem]) -> list[Path]:
    return [
        path
        for path in list_folder(root, problems)
        if is_folder(path) and not is_hidden(path) and not _OTHER_LAYOUTS.fullmatch(path.name)
    ]


def _files(folder: Path, problems: list[Problem]) -> list[FoundFile]:
    return [
        FoundFile(folder.name, path, name_in_case(path, folder.name))
        for path in images_in(folder, problems, case_id=folder.name)
    ]
