"""Which layout a folder has, found by looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Listing, Problem
from MultimodalImagingLib.cohorts.folders import is_folder, is_text
from MultimodalImagingLib.cohorts.layouts import (
    bids,
    case_folders,
    csv_manifest,
    decathlon,
    flat_files,
    nnunet,
)
from MultimodalImagingLib.cohorts.layouts.beside import unused_folders, with_labels_beside
from MultimodalImagingLib.cohorts.layouts.fit import Fit
from MultimodalImagingLib.cohorts.layouts.folder_words import is_label_folder
from MultimodalImagingLib.cohorts.layouts.hints import folders_to_search, hint
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.errors import CohortError


@dataclass(frozen=True)
class FolderLayout:
    """A layout that a folder can have.

    Attributes:
        name: Its name.
        looked_for: What is looked for, in words.
        fit: Tells how sure it is that a folder has it.
        list_cases: Lists the cases of such a folder.
        can_be_declared: Whether a cohort can say itself that it has this layout.
    """

    name: str
    looked_for: str
    fit: Callable[[Path, ModalityPatterns], Fit]
    list_cases: Callable[[Path, ModalityPatterns], Listing]
    can_be_declared: bool


# Of equally sure ones the first counts, unless both are declared.
FOLDER_LAYOUTS = tuple(
    FolderLayout(
        module.NAME, module.LOOKED_FOR, module.fit, module.list_cases, module.CAN_BE_DECLARED
    )
    for module in (nnunet, decathlon, bids, case_folders, flat_files)
)


def list_cohort(path: Path, patterns: ModalityPatterns) -> Listing:
    """Recognize the layout of a folder or manifest and list its cases.

    Args:
        path: Folder or manifest.
        patterns: Table of modality names, for layouts that need to know them.

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
        return _listing_of_manifest(path, manifests)
    if layout is None:
        raise CohortError(_nothing_found(path, patterns))
    listing = layout.list_cases(path, patterns)
    listing = with_labels_beside(listing, patterns)
    unused = [_unused_manifest(manifest) for manifest in manifests]
    return replace(listing, problems=(*listing.problems, *unused, *unused_folders(listing)))


def _layout_of(path: Path, patterns: ModalityPatterns) -> tuple[Fit, FolderLayout | None]:
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


def _listing_of_manifest(path: Path, manifests: list[Path]) -> Listing:
    if len(manifests) > 1:
        raise CohortError(_ambiguous(path, [f"the manifest {m.name}" for m in manifests]))
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


def _nothing_found(path: Path, patterns: ModalityPatterns) -> str:
    looked_for = [*(layout.looked_for for layout in FOLDER_LAYOUTS), csv_manifest.LOOKED_FOR]
    below = [
        folder.relative_to(path).as_posix()
        for folder in folders_to_search(path)
        if not is_label_folder(folder, patterns)
        and any(layout.fit(folder, patterns) >= Fit.INFERRED for layout in FOLDER_LAYOUTS)
    ]
    return (
        f"Expected a cohort in {path}, found none. Looked for: {'; '.join(looked_for)}."
        f" {hint(path, below, is_one_case=bool(case_folders.one_case(path, patterns)))}"
    )
