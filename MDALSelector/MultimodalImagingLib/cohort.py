"""Cohorts: which cases there are, with which images, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from MultimodalImagingLib import layout_case_folders
from MultimodalImagingLib.case_assembly import Assembly, FileMatch, assemble_cases
from MultimodalImagingLib.cases import Case, Listing, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.geometry import Grid
from MultimodalImagingLib.modality_patterns import (
    DEFAULT_PATTERNS,
    FILE_NAME,
    ModalityPatterns,
    read_patterns,
)
from MultimodalImagingLib.volume_io import ImageFile

__all__ = ["Case", "Cohort", "FileMatch", "Problem", "default_patterns", "find_cohort"]

RECORD_FOLDER = ".crossmodal"


@dataclass(frozen=True)
class Cohort:
    """All usable cases of a folder, and everything that is wrong with it.

    Attributes:
        root: The folder.
        layout: Name of the layout that was recognized.
        modalities: Modalities that at least one case has: in the order in which the cohort's own
            description names them, else sorted.
        cases: Sorted by case.
        problems: All problems of the folder.
        patterns: The table with which names were matched.
        matches: What every file was taken for, and by which pattern.
        grids: Grid of every readable image and label map, from the headers.
    """

    root: Path
    layout: str
    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    patterns: ModalityPatterns
    matches: tuple[FileMatch, ...] = ()
    grids: Mapping[ImageFile, Grid] = field(default_factory=dict)


def find_cohort(path: Path, *, patterns: ModalityPatterns | None = None) -> Cohort:
    """Find the cases of a folder; only headers are read.

    Args:
        path: The cohort's folder, or a CSV manifest.
        patterns: Table of modality names; `None` for the one that the cohort's record holds, or
            else the built-in one.

    Returns:
        The cohort with at least one case. A case without any usable image is left out, and a
        problem says so.

    Raises:
        CohortError: If the folder is not there, is no cohort, or has no usable case; the text lists
            all problems.
    """
    table = default_patterns(path) if patterns is None else patterns
    listing = layout_case_folders.list_cases(path)
    assembly = assemble_cases(listing, table)
    problems = (*listing.problems, *assembly.problems)
    if not assembly.cases:
        raise CohortError(_nothing_usable(path, problems))
    modalities = _modalities(listing, assembly)
    return Cohort(
        listing.root,
        listing.layout,
        modalities,
        assembly.cases,
        problems,
        table,
        assembly.matches,
        assembly.grids,
    )


def default_patterns(path: Path) -> ModalityPatterns:
    """Return the table that a person left in the cohort's record, or the built-in one.

    Raises:
        UsageError: If there is a table and it cannot be used.
    """
    folder = path if path.is_dir() else path.parent
    own = folder / RECORD_FOLDER / FILE_NAME
    return read_patterns(own) if own.is_file() else DEFAULT_PATTERNS


def _modalities(listing: Listing, assembly: Assembly) -> tuple[str, ...]:
    found = {modality for case in assembly.cases for modality in case.images}
    declared = [modality for modality in listing.modalities if modality in found]
    return (*declared, *sorted(found.difference(declared)))


def _nothing_usable(path: Path, problems: tuple[Problem, ...]) -> str:
    lines = [f"Expected at least one usable case in {path}, found none."]
    lines += [f"- {problem}" for problem in problems]
    return "\n".join(lines)
