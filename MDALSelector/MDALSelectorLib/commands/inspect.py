"""The command `mdal-selector inspect`: what is there and what is wrong with it. Needs no torch."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib.inspection.report import InspectionReport, PatternUse
from MultimodalImagingLib.cohorts.cohort import (
    Cohort,
    FileMatch,
    Problem,
    find_cohort,
    patterns_for,
)
from MultimodalImagingLib.cohorts.content_checks import check_contents
from MultimodalImagingLib.cohorts.geometry_report import geometry_report
from MultimodalImagingLib.cohorts.modality_patterns import (
    FILE_NAME,
    IGNORE,
    LABEL,
    ModalityPattern,
    parse_pattern,
    write_patterns,
)
from MultimodalImagingLib.jobs.environment import is_unicode
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.record.cohort_record import open_record


@dataclass(frozen=True)
class InspectionOptions:
    """How thoroughly a cohort is looked at.

    Attributes:
        modality_rows: Rows that come before the cohort's own table.
        is_deep: Whether all voxels are read.
    """

    modality_rows: tuple[ModalityPattern, ...] = ()
    is_deep: bool = False


def inspect_cohort(
    path: Path,
    *,
    options: InspectionOptions | None = None,
    reporter: Reporter | None = None,
) -> InspectionReport:
    """Find out what is in a cohort.

    Args:
        path: Folder or CSV manifest.
        options: How thoroughly; `None` for headers only and the cohort's own pattern table.
        reporter: Receives progress when voxels are read.

    Raises:
        CohortError: If nothing usable is there; the text lists all problems.
        UsageError: If the cohort's own pattern table cannot be used.
    """
    chosen = InspectionOptions() if options is None else options
    cohort = find_cohort(path, patterns=patterns_for(path, chosen.modality_rows))
    deep = _read_everything(cohort, reporter or NullReporter()) if chosen.is_deep else []
    problems = sorted((*cohort.problems, *deep), key=_severity_rank)
    return InspectionReport(cohort, geometry_report(cohort), _pattern_uses(cohort), tuple(problems))


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `inspect` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    add_modality_argument(parser)
    parser.add_argument(
        "--save-modalities",
        action="store_true",
        help="keep the table of patterns, with those of --modality, in the cohort's record",
    )
    parser.add_argument("--deep", action="store_true", help="read all voxels, not only headers")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--all", action="store_true", help="print every case and every problem")


def add_modality_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that corrects the table of modality patterns."""
    parser.add_argument(
        "--modality",
        action="append",
        default=[],
        metavar="PATTERN=NAME",
        help="file names with PATTERN (a regular expression for a part of the name) are modality"
        " NAME; `label` and `ignore` are names too; may be given several times",
    )


def run_inspect(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `inspect` command.

    Args:
        options: What the parser of `add_inspect_arguments` found.
        reporter: Receives progress and, with `--events`, the report.

    Returns:
        The exit code, 0.
    """
    rows = tuple(parse_pattern(text) for text in options.modality)
    chosen = InspectionOptions(rows, options.deep)
    report = inspect_cohort(options.cohort, options=chosen, reporter=reporter)
    if options.save_modalities:
        path = open_record(options.cohort).folder / FILE_NAME
        write_patterns(path, report.cohort.patterns)
        reporter.info(f"The table of modality patterns is kept in {path}.")
    if options.json:
        is_plain = not is_unicode(sys.stdout)
        sys.stdout.write(json.dumps(report.to_json(), indent=2, ensure_ascii=is_plain) + "\n")
    elif getattr(options, "events", False):
        reporter.result(report.to_json())
    else:
        from MDALSelectorLib.inspection.tables import print_inspection  # rich: only for people

        print_inspection(report, show_all=options.all)
    return 0


def _read_everything(cohort: Cohort, reporter: Reporter) -> list[Problem]:
    reporter.stage("Read all voxels", len(cohort.cases))
    problems: list[Problem] = []
    for case in cohort.cases:
        problems += check_contents(case)
        reporter.advance()
    return problems


def _pattern_uses(cohort: Cohort) -> tuple[PatternUse, ...]:
    counts = Counter(map(_use_key, cohort.matches))
    first = {_use_key(match): match for match in reversed(cohort.matches)}
    uses = [
        PatternUse(match.pattern, match.part, match.target, match.is_used, counts[key], example)
        for key, match in first.items()
        for example in (match.file.path.name,)
    ]
    return tuple(sorted(uses, key=lambda use: _use_rank(use, cohort.modalities)))


def _use_key(match: FileMatch) -> tuple[str, str | None, bool]:
    return match.pattern, match.target, match.is_used


def _use_rank(use: PatternUse, modalities: Sequence[str]) -> tuple[bool, int, int, str]:
    order = [*modalities, LABEL, IGNORE, None]
    rank = order.index(use.target) if use.target in order else len(order)
    return not use.is_used, rank, -use.n_files, use.pattern


def _severity_rank(problem: Problem) -> int:
    return ("error", "warning", "info").index(problem.severity)
