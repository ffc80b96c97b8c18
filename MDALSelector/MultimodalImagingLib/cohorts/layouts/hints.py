"""What to do with a folder that is no cohort: says what lies in it instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from MultimodalImagingLib.cohorts.folders import images_in, stem, subfolders
from MultimodalImagingLib.cohorts.label_choice import exact_pattern
from MultimodalImagingLib.cohorts.unread_files import unread_hint
from MultimodalImagingLib.jobs.sentences import listed

_CHANNEL = re.compile(r"_\d{4}$")
_DEPTH = 3
_MOST_FOLDERS = 200
_MOST_FILES = 500


def folders_to_search(path: Path) -> list[Path]:
    """Return the folders in which a cohort may lie: all siblings of the level that is nearest."""
    level = [path]
    for _ in range(_DEPTH):
        level = [child for folder in level for child in subfolders(folder, [])][:_MOST_FOLDERS]
        if any(images_in(child, []) for folder in level for child in subfolders(folder, [])):
            break
    return level


def hint(path: Path, cohorts: Sequence[str], *, is_one_case: bool) -> str:
    """Say what is there instead, so that the user knows what to do.

    Args:
        path: The folder that is no cohort.
        cohorts: Folders in it that are, relative to it.
        is_one_case: Whether it looks like the folder of a case.
    """
    if cohorts:
        return _one_of(cohorts)
    if is_one_case and not images_in(path, []):
        return (
            "The folders in it look like parts of one case: give the folder above, which holds all"
            " cases."
        )
    if images_in(path, []):
        return (
            "The images lie directly in this folder: give the folder above if this is one case, or"
            " put every case into a folder of its own, or name the files `<case>_<modality>` with a"
            " number in the case; a pattern such as `volume=CT` gives a word its modality."
        )
    with_images = _folders_with_images(path)
    if with_images:
        return _names_tell_nothing(path, with_images)
    files = list(islice(path.rglob("*"), _MOST_FILES))
    if any(_is_dicom(file) for file in files):
        return "There are DICOM files: load them in Slicer, or convert them to .nii.gz first."
    return (
        unread_hint(path, files)
        or "Give a folder with images (.nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd)."
    )


def _names_tell_nothing(path: Path, folders: Sequence[str]) -> str:
    files = [file for folder in folders for file in images_in(path / folder, [])]
    if any(_CHANNEL.search(stem(file)) for file in files):
        return (
            f"The files in {listed(folders)} look like the channels of nnU-Net, but there is no"
            ' `dataset.json` that names them. Add it, with `channel_names` such as {"0": "CT"}, or'
            " give patterns such as `0000=CT`."
        )
    return (
        f"There are images in {listed(folders)}, but their names give no case or no modality. Put"
        " every case into a folder of its own, write a CSV manifest, or name the modality of a"
        f" folder with a pattern such as `{exact_pattern(folders[0])}=CT`."
    )


def _one_of(cohorts: Sequence[str]) -> str:
    if len(cohorts) == 1:
        return f"There is a cohort in {cohorts[0]}: give that folder."
    return f"There are {len(cohorts)} cohorts in it: {listed(cohorts)}. Give one of these folders."


def _folders_with_images(path: Path) -> list[str]:
    level = [path]
    for _ in range(_DEPTH):
        level = [child for folder in level for child in subfolders(folder, [])][:_MOST_FOLDERS]
        found = [f.relative_to(path).as_posix() for f in level if images_in(f, [])]
        if found:
            return found
    return []


def _is_dicom(path: Path) -> bool:
    """Tell by suffix or content whether a file is DICOM; many of them have no suffix."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return path.suffix.lower() == ".dcm" or file.read(132).endswith(b"DICM")
    except OSError:
        return False
