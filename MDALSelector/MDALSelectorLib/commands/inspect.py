"""The command `mdal-selector inspect`: what is there and what is wrong with it. Needs no torch."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib.inspection.geometry import geometry_report
from MDALSelectorLib.inspection.report import InspectionReport, PatternUse
from MultimodalImagingLib.cohorts.case_builder import FileMatch
from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.cohorts.cohort import Cohort, find_cohort, patterns_for
from MultimodalImagingLib.cohorts.content_checks import check_contents
from MultimodalImagingLib.cohorts.label_survey import LabelSurvey, label_table, survey_labels
from MultimodalImagingLib.cohorts.modality_patterns import (
    FILE_NAME,
    IGNORE,
    LABEL,
    ModalityPattern,
    parse_pattern,
    write_patterns,
)
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import is_unicode
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.record.cohort_record import open_record

MOST_LABELS_READ = 50


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
    teller = reporter or NullReporter()
    survey = _survey(cohort, teller, is_deep=chosen.is_deep)
    found = _read_everything(cohort, teller) if chosen.is_deep else _label_problems(cohort, survey)
    problems = sorted((*cohort.problems, *found), key=_severity_rank)
    return InspectionReport(
        cohort,
        geometry_report(cohort),
        _pattern_uses(cohort),
        tuple(problems),
        label_table(survey.cases),
        len(survey.cases),
    )


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
        from MDALSelectorLib.inspection.tables import print_inspection  # rich: only for a terminal

        print_inspection(report, show_all=options.all)
    return 0


def _read_everything(cohort: Cohort, reporter: Reporter) -> list[Problem]:
    reporter.stage("Read all voxels", len(cohort.cases))
    problems: list[Problem] = []
    for case in cohort.cases:
        problems += check_contents(case)
        reporter.advance()
    return problems


def _survey(cohort: Cohort, reporter: Reporter, *, is_deep: bool) -> LabelSurvey:
    """Read label maps: all, or as many as take seconds, evenly over the cases."""
    files = {case.case_id: case.label for case in cohort.cases if case.label is not None}
    step = 1 if is_deep else -(-len(files) // MOST_LABELS_READ)
    chosen = dict(list(files.items())[:: max(step, 1)])
    return survey_labels(chosen, reporter) if chosen else LabelSurvey((), {})


def _label_problems(cohort: Cohort, survey: LabelSurvey) -> list[Problem]:
    files = {case.case_id: case.label for case in cohort.cases}
    return [
        Problem("warning", text, case_id, None if file is None else file.path)
        for case_id, text in survey.faults.items()
        for file in [files[case_id]]
    ]


def _pattern_uses(cohort: Cohort) -> tuple[PatternUse, ...]:
    counts = Counter(map(_use_key, cohort.matches))
    first = {_use_key(match): match for match in reversed(cohort.matches)}
    uses = [
        PatternUse(match.pattern, _part(match), match.target, match.is_used, counts[key], example)
        for key, match in first.items()
        for example in (match.file.path.name,)
    ]
    return tuple(sorted(uses, key=lambda use: _use_rank(use, cohort.modalities)))


def _use_key(match: FileMatch) -> tuple[str, str | None, bool, str]:
    has_own_row = _is_open(match) or " and " in match.pattern
    return match.pattern, match.target, match.is_used, _part(match) if has_own_row else ""


def _part(match: FileMatch) -> str:
    return match.shape if _is_open(match) else match.part


def _is_open(match: FileMatch) -> bool:
    """Tell whether a row of its own should say what to do with files of this name."""
    return not match.is_used and match.target not in (LABEL, IGNORE)


def _use_rank(use: PatternUse, modalities: Sequence[str]) -> tuple[bool, int, int, str]:
    order = [*modalities, LABEL, IGNORE, None]
    rank = order.index(use.target) if use.target in order else len(order)
    return not use.is_used, rank, -use.n_files, use.pattern


def _severity_rank(problem: Problem) -> int:
    return ("error", "warning", "info").index(problem.severity)
