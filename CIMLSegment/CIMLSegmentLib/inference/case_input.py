"""Where the cases of a command come from: a cohort, one case's folder, or named files.

Imports no torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from MultimodalImagingLib.cohorts.case_builder import build_cases
from MultimodalImagingLib.cohorts.cases import Case, Listing, Problem
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.layouts.case_folders import one_case
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPattern, parse_pattern
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted

Cases = tuple[tuple[Case, ...], tuple[Problem, ...]]


def modality_rows(options: argparse.Namespace) -> tuple[ModalityPattern, ...]:
    """Return what `--modality` said.

    Raises:
        UsageError: If a row cannot be used.
    """
    return tuple(parse_pattern(text) for text in options.modality)


def cases_of_path(
    path: Path, rows: Sequence[ModalityPattern] = (), reporter: Reporter | None = None
) -> Cases:
    """Find the cases of a cohort, or the one case whose images lie directly in a folder.

    Args:
        path: The cohort or folder.
        rows: Rows that come before the cohort's table of names.
        reporter: Receives progress where many files have to be read.

    Returns:
        The cases, and what is wrong with the files.

    Raises:
        CohortError: If there is no usable case.
    """
    patterns = patterns_for(path.resolve().parent, rows)
    found = tuple(one_case(path, patterns)) if path.is_dir() else ()
    if not found:
        cohort = find_cohort(path, patterns=patterns_for(path, rows), reporter=reporter)
        return cohort.cases, cohort.problems
    case_id = path.resolve().name
    listing = Listing("folder of one case", path, (case_id,), found)
    built = build_cases(listing, patterns)
    if not built.cases:
        reasons = " ".join(str(problem) for problem in built.problems)
        msg = f"Expected the images of one case in {path}, found none that can be used. {reasons}"
        raise CohortError(msg)
    return built.cases, built.problems


def case_of_images(images: Sequence[str], case_id: str | None) -> Case:
    """Build a case from `MODALITY=FILE` entries.

    Args:
        images: The entries.
        case_id: Name of the case; by default that of the first file's folder.

    Raises:
        UsageError: If an entry has no name or no file, or a modality comes twice.
    """
    files: dict[str, ImageFile] = {}
    for text in images:
        modality, separator, name = text.partition("=")
        path = Path(name)
        if not separator or not modality or not path.is_file():
            msg = f"Expected --image MODALITY=FILE with a file that exists, got {text!r}."
            raise UsageError(msg)
        if modality in files:
            msg = f"Expected one image per modality, got {modality} twice. Remove one --image."
            raise UsageError(msg)
        files[modality] = ImageFile(path)
    first = next(iter(files.values())).path.resolve()
    name = first.parent.name if case_id is None else case_id
    return Case(name, name, files)


def chosen_cases(cases: Sequence[Case], wanted: Sequence[str]) -> tuple[Case, ...]:
    """Return the wanted cases, all if none is named.

    Raises:
        CohortError: If a case is not there.
    """
    known = {case.case_id: case for case in cases}
    names = {same_name(case_id) for case_id in wanted}
    unknown = sorted(names - known.keys())
    if unknown:
        msg = (
            f"The cohort has no case {' and no case '.join(unknown)}. Choose among its"
            f" {counted(len(known), 'case')}, {min(known)} to {max(known)}."
        )
        raise CohortError(msg)
    return tuple(known[case_id] for case_id in sorted(names)) if names else tuple(cases)
