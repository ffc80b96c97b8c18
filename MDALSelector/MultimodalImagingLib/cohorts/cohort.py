"""Cohorts: which cases there are, with which images, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from MultimodalImagingLib.cohorts.case_builder import build_cases
from MultimodalImagingLib.cohorts.cases import Cohort, FileMatch, Problem
from MultimodalImagingLib.cohorts.content_checks import find_duplicates
from MultimodalImagingLib.cohorts.layouts.beside import unread_files
from MultimodalImagingLib.cohorts.layouts.detection import dicom_instead, list_cohort
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    FILE_NAME,
    IGNORE,
    LABEL,
    ModalityPattern,
    ModalityPatterns,
    read_patterns,
)
from MultimodalImagingLib.cohorts.place_problems import place_problems
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.cohort_record import FOLDER_NAME, default_record_folder

# With one modality left, unknown names in half of the cases may well be the others.
FEWEST_MODALITIES = 2


def find_cohort(
    path: Path, *, patterns: ModalityPatterns | None = None, reporter: Reporter | None = None
) -> Cohort:
    """Find the cases of a folder; only headers are read.

    Args:
        path: The cohort's folder, or a CSV manifest.
        patterns: Table of modality names; `None` for the one that the cohort's record holds, or
            else the built-in one.
        reporter: Receives progress where many files have to be read, those of DICOM.

    Returns:
        The cohort with at least one case. A case without any usable image is left out, and a
        problem says so.

    Raises:
        CohortError: If the folder is not there, is no cohort, or has no usable case; the text lists
            all problems.
    """
    table = default_patterns(path) if patterns is None else patterns
    teller = reporter or NullReporter()
    listing = list_cohort(path, table, teller)
    built = build_cases(listing, table)
    if not built.cases and (other := dicom_instead(path, listing, table, teller)) is not None:
        listing, built = other, build_cases(other, table)
    unread = () if listing.is_private else unread_files(listing)
    problems = (*listing.problems, *built.problems, *unread)
    if not built.cases:
        lines = [f"Expected at least one usable case in {path}, found none."]
        raise CohortError("\n".join([*lines, *(f"- {problem}" for problem in problems)]))
    duplicates, cases = find_duplicates(built.cases)
    return replace(
        built,
        cases=cases,
        problems=(*problems, *_case_problems(built), *duplicates),
        duplicates={p.case_id: p.message for p in duplicates if p.case_id is not None},
        left_out=_left_out_sentence(built),
    )


def default_patterns(path: Path) -> ModalityPatterns:
    """Return the table that the user left in the cohort's record, or the built-in one.

    Raises:
        UsageError: If there is a table and it cannot be used.
    """
    root = path if path.is_dir() else path.parent
    tables = [root / FOLDER_NAME / FILE_NAME]
    with suppress(UsageError, OSError):  # no home folder: then no table was left there
        tables.append(default_record_folder(path) / FILE_NAME)
    try:
        found = [table for table in tables if table.is_file()]
    except OSError:  # no permission: then no table was left there
        return DEFAULT_PATTERNS
    return read_patterns(found[0]) if found else DEFAULT_PATTERNS


def patterns_for(path: Path, rows: Iterable[ModalityPattern] = ()) -> ModalityPatterns:
    """Return the table of a cohort with the rows of the command line before all others.

    Args:
        path: The cohort.
        rows: What `parse_pattern` makes of `t1_gd=T1c`, `seg_final=label` or `scout=ignore`.

    Raises:
        UsageError: If the cohort's table cannot be used.
    """
    return default_patterns(path).with_first(rows)


def _case_problems(cohort: Cohort) -> list[Problem]:
    problems = []
    if len(cohort.cases) == 1:
        message = (
            "Expected several cases, found one; it can be inspected and segmented, but there is"
            " nothing to select from. Add cases to rank them."
        )
        problems.append(Problem("warning", message, cohort.cases[0].case_id))
    for case in cohort.cases:
        problems += place_problems(case, cohort.image_grids(case), cohort.positions)
    return problems


def _left_out_sentence(cohort: Cohort) -> str:
    """Say which modalities files were taken for and no case, or few, could use.

    Returns:
        One or two sentences that end with what to do; empty if no main modality drops out.
    """
    matches = cohort.matches
    used = Counter(modality for case in cohort.cases for modality in case.images)
    lost = _lost(used, matches)
    is_rest_enough = len(used) - len(lost) >= FEWEST_MODALITIES
    unknown = [] if is_rest_enough else _unknown(len(cohort.cases), matches)
    if not lost and not unknown:
        return ""
    total = len({match.file.case_id for match in matches})
    parts = [f"{m} ({n - used[m]} of {counted(total, 'case')})" for m, n in lost.items()]
    parts += [f"files named `{shape}` ({n} of {counted(total, 'case')})" for shape, n in unknown]
    rest = ", ".join(sorted(name for name in used if name not in lost)) or "what is left"
    return (
        f"Not used although most cases have it: {', '.join(parts)}; the cohort goes on with {rest}"
        " only. The problems below say why; say which files are meant with --modality PATTERN=NAME,"
        " or go on if this is intended."
    )


def _lost(used: Counter[str], matches: Sequence[FileMatch]) -> dict[str, int]:
    """Return the number of cases with a file of each modality that fewer than half can use."""
    found = Counter(
        {
            (match.file.case_id, modality)
            for match in matches
            for modality in match.candidates or (match.target,)
            if modality not in (None, LABEL, IGNORE)
        }
    )
    n_cases = Counter(modality for _, modality in found if modality is not None)
    n_all = len({match.file.case_id for match in matches})
    return {m: n for m, n in sorted(n_cases.items()) if 2 * n >= n_all and 2 * used[m] < n}


def _unknown(n_cases: int, matches: Sequence[FileMatch]) -> list[tuple[str, int]]:
    shapes = {
        (m.file.case_id, m.file.shape) for m in matches if m.target is None and not m.candidates
    }
    counts = Counter(shape for _, shape in shapes)
    return sorted((shape, n) for shape, n in counts.items() if 2 * n >= max(n_cases, 2))
