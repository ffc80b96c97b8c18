"""Which layout a folder has, found by looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Listing, Problem
from MultimodalImagingLib.cohorts.folders import (
    images_in,
    is_folder,
    is_hidden,
    is_text,
    list_folder,
)
from MultimodalImagingLib.cohorts.layouts import (
    bids,
    case_folders,
    csv_manifest,
    decathlon,
    nnunet,
)
from MultimodalImagingLib.cohorts.unread_files import unread_hint
from MultimodalImagingLib.errors import CohortError

_DEPTH = 3
_MAX_FOLDERS = 200
_MAX_FILES = 500


@dataclass(frozen=True)
class FolderLayout:
    """A layout that a folder can have.

    Attributes:
        name: Its name.
        looked_for: What is looked for, in words.
        fits: Tells whether a folder has it.
        list_cases: Lists the cases of such a folder.
    """

    name: str
    looked_for: str
    fits: Callable[[Path], bool]
    list_cases: Callable[[Path], Listing]


FOLDER_LAYOUTS = tuple(
    FolderLayout(module.NAME, module.LOOKED_FOR, module.fits, module.list_cases)
    for module in (nnunet, decathlon, bids, case_folders)
)


def list_cohort(path: Path) -> Listing:
    """Recognize the layout of a folder or manifest and list its cases.

    Raises:
        CohortError: If the path is not there, or if no layout or more than one fits; the text says
            what was looked for.
    """
    if path.is_file():
        if path.suffix.lower() == ".csv":
            return csv_manifest.list_cases(path)
        msg = f"Expected a folder or a CSV manifest as cohort, found the file {path}. Choose one."
        raise CohortError(msg)
    _check_readable(path)
    fitting = [layout for layout in FOLDER_LAYOUTS if layout.fits(path)]
    manifests = csv_manifest.manifests(path)
    if len(fitting) > 1:
        raise CohortError(_ambiguous(path, [layout.looked_for for layout in fitting]))
    if fitting:
        listing = fitting[0].list_cases(path)
        unused = [_unused_manifest(manifest) for manifest in manifests]
        return replace(listing, problems=(*listing.problems, *unused))
    if len(manifests) > 1:
        raise CohortError(_ambiguous(path, [f"the manifest {m.name}" for m in manifests]))
    if not manifests:
        raise CohortError(_nothing_found(path))
    return csv_manifest.list_cases(manifests[0])


def _check_readable(path: Path) -> None:
    if not is_text(str(path)):
        name = str(path).encode("ascii", "backslashreplace").decode()
        msg = f"The path {name} is not valid Unicode text. Rename the folder."
        raise CohortError(msg)
    if not is_folder(path):
        msg = f"Expected a cohort in {path}, but there is no such folder. Check the path."
        raise CohortError(msg)
    try:
        next(path.iterdir(), None)
    except OSError as error:
        msg = (
            f"The folder {path} cannot be read ({error.strerror}). Get permission to read it, or"
            " choose another."
        )
        raise CohortError(msg) from error


def _unused_manifest(path: Path) -> Problem:
    message = (
        f"The manifest {path.name} also lists cases; it is not used because the folder itself is a"
        " cohort. Give the file in place of the folder to use it."
    )
    return Problem("info", message, None, path)


def _ambiguous(path: Path, found: list[str]) -> str:
    return (
        f"Expected one cohort in {path}, found what looks like {len(found)}:"
        f" {'; and '.join(found)}. Move one of them to another folder, or write a CSV manifest"
        " and give that."
    )


def _nothing_found(path: Path) -> str:
    looked_for = [*(layout.looked_for for layout in FOLDER_LAYOUTS), csv_manifest.LOOKED_FOR]
    return (
        f"Expected a cohort in {path}, found none. Looked for: {'; '.join(looked_for)}."
        f" {_hint(path)}"
    )


def _hint(path: Path) -> str:
    """Say what is there instead, so that the person knows what to do."""
    if images_in(path, []):
        return (
            "The images lie directly in this folder: give the folder above if this is one case, or"
            " put every case into a folder of its own."
        )
    deeper = _first_folder_with_images(path)
    if deeper is not None:
        return f"There are images in {deeper}: give the folder above that one."
    files = list(islice(path.rglob("*"), _MAX_FILES))
    if any(_is_dicom(file) for file in files):
        return "There are DICOM files: load them in Slicer, or convert them to .nii.gz first."
    unread = unread_hint(path, files)
    if unread:
        return unread
    return "Give a folder with images (.nii.gz, .nii, .nrrd, .nhdr, .mha, .mhd)."


def _is_dicom(path: Path) -> bool:
    """Tell by suffix or content whether a file is DICOM; many of them have no suffix."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return path.suffix.lower() == ".dcm" or file.read(132).endswith(b"DICM")
    except OSError:
        return False


def _first_folder_with_images(path: Path) -> Path | None:
    level = [path]
    for _ in range(_DEPTH):
        below = [item for folder in level for item in list_folder(folder, []) if is_folder(item)]
        level = [folder for folder in below if not is_hidden(folder)][:_MAX_FOLDERS]
        for folder in level:
            if images_in(folder, []):
                return folder
    return None
