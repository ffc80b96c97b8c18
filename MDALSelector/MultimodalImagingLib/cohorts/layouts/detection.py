"""Which layout a folder has, found by looking; for one without cohort, what lies in it instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from MultimodalImagingLib.cohorts.case_grouping import is_label_folder
from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, Listing, Problem
from MultimodalImagingLib.cohorts.dicom.file_list import is_listed
from MultimodalImagingLib.cohorts.file_matching import exact_pattern
from MultimodalImagingLib.cohorts.folders import images_in, is_folder, is_text, stem, subfolders
from MultimodalImagingLib.cohorts.layouts import (
    bids,
    case_folders,
    csv_manifest,
    dicom,
    flat_files,
)
from MultimodalImagingLib.cohorts.layouts.beside import (
    unread_hint,
    unused_folders,
    with_labels_beside,
)
from MultimodalImagingLib.cohorts.layouts.dataset_json import DECATHLON, NNUNET
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import listed

# Of equally sure ones the first counts, unless both are declared.
FOLDER_LAYOUTS = (
    *(NNUNET, DECATHLON, bids.LAYOUT, case_folders.LAYOUT, flat_files.LAYOUT),
    dicom.LAYOUT,
)
_LOOKED_FOR = (*(layout.looked_for for layout in FOLDER_LAYOUTS), csv_manifest.LOOKED_FOR)
LAYOUTS = f"Cohorts that are understood: {'; '.join(_LOOKED_FOR)}."


def list_cohort(path: Path, patterns: ModalityPatterns, reporter: Reporter) -> Listing:
    """Recognize the layout of a folder or manifest and list its cases.

    Args:
        path: Folder or manifest.
        patterns: Table of modality names, for layouts that need to know them.
        reporter: Receives progress where many files have to be read.

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
    surest, layout = _layout_of(path, patterns)
    manifests = csv_manifest.manifests(path)
    if manifests and surest < Fit.SEEN:
        if len(manifests) > 1:
            raise CohortError(_ambiguous(path, [f"the manifest {m.name}" for m in manifests]))
        return csv_manifest.list_cases(manifests[0])
    if layout is None:
        raise CohortError(_nothing_found(path, patterns), details=LAYOUTS)
    unused = [_unused_manifest(manifest) for manifest in manifests]
    if layout is dicom.LAYOUT:
        listing = dicom.list_series(path, patterns, reporter)
        return replace(listing, problems=(*listing.problems, *unused))
    listing = with_labels_beside(layout.list_cases(path, patterns), patterns)
    return replace(listing, problems=(*listing.problems, *unused, *unused_folders(listing)))


def dicom_instead(
    path: Path, listing: Listing, patterns: ModalityPatterns, reporter: Reporter
) -> Listing | None:
    """List the DICOM files of a folder whose other images are those of no case, if it has any."""
    if listing.is_private or not path.is_dir() or not dicom.fit(path, patterns):
        return None
    return dicom.list_series(path, patterns, reporter)


def _layout_of(path: Path, patterns: ModalityPatterns) -> tuple[Fit, FolderLayout | None]:
    if is_listed(path):  # this program made it a cohort of DICOM files
        return Fit.DECLARED, dicom.LAYOUT
    best: list[FolderLayout] = []
    surest = Fit.NONE
    for layout in FOLDER_LAYOUTS:
        if surest < Fit.SEEN or layout.can_be_declared:
            fit = layout.fit(path, patterns)
            if fit >= max(surest, Fit.INFERRED):
                best = [*best, layout] if fit == surest else [layout]
                surest = fit
    if surest == Fit.DECLARED and len(best) > 1:
        raise CohortError(_ambiguous(path, [layout.looked_for for layout in best]))
    return surest, best[0] if best else None


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


def _nothing_found(path: Path, patterns: ModalityPatterns) -> str:
    below = [
        folder.relative_to(path).as_posix()
        for folder in folders_to_search(path)
        if not is_label_folder(folder, patterns)
        and any(layout.fit(folder, patterns) >= Fit.INFERRED for layout in FOLDER_LAYOUTS)
    ]
    is_one_case = bool(case_folders.one_case(path, patterns))
    return f"Expected a cohort in {path}, found none. {hint(path, below, is_one_case=is_one_case)}"


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
        one = f"There is a cohort in {cohorts[0]}: give that folder."
        several = f"There are {len(cohorts)} cohorts in it: {listed(cohorts)}. Give one of these"
        return one if len(cohorts) == 1 else f"{several} folders."
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
    return (
        unread_hint(path, files)
        or "There is no image in it. Give a folder that holds a folder of images (.nii.gz, .nii,"
        " .nrrd, .nhdr, .mha, .mhd) for every case."
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


def _folders_with_images(path: Path) -> list[str]:
    level = [path]
    for _ in range(_DEPTH):
        level = [child for folder in level for child in subfolders(folder, [])][:_MOST_FOLDERS]
        found = [f.relative_to(path).as_posix() for f in level if images_in(f, [])]
        if found:
            return found
    return []
