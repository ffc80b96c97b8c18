"""What `mdal-selector inspect` finds: cases, modalities, geometry, problems. Needs no torch."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohort import Cohort, FileMatch, Problem, find_cohort, patterns_for
from MultimodalImagingLib.content_checks import check_contents
from MultimodalImagingLib.geometry_report import GeometryReport, geometry_report
from MultimodalImagingLib.modality_patterns import (
    FILE_NAME,
    IGNORE,
    LABEL,
    ModalityPattern,
    parse_pattern,
    write_patterns,
)
from MultimodalImagingLib.patient_ids import RULE
from MultimodalImagingLib.progress import NullReporter, Reporter
from MultimodalImagingLib.record import open_record
from MultimodalImagingLib.volume_io import ImageFile


@dataclass(frozen=True)
class InspectionOptions:
    """How thoroughly a cohort is looked at.

    Attributes:
        modality_rows: Rows that come before the cohort's own table.
        is_deep: Whether all voxels are read.
    """

    modality_rows: tuple[ModalityPattern, ...] = ()
    is_deep: bool = False


@dataclass(frozen=True)
class PatternUse:
    """How often a row of the pattern table was used.

    Attributes:
        pattern: The row; empty if the cohort's own description decided, or nothing matched.
        part: The part of the name that it matched, the first one.
        target: What the files were taken for; `None` if nothing or several things match.
        is_used: Whether the files are images or label maps of cases.
        n_files: Number of files.
        example: Name of the first of them.
    """

    pattern: str
    part: str
    target: str | None
    is_used: bool
    n_files: int
    example: str


@dataclass(frozen=True)
class InspectionReport:
    """Everything that is known about a cohort without looking at its images.

    Attributes:
        cohort: The cohort.
        geometry: Where its images lie.
        patterns: Which patterns were used, in the order of modalities and then of frequency.
        problems: All problems, errors first.
    """

    cohort: Cohort
    geometry: GeometryReport
    patterns: tuple[PatternUse, ...]
    problems: tuple[Problem, ...]

    @property
    def n_labels(self) -> int:
        """Number of cases with a label map."""
        return sum(case.label is not None for case in self.cohort.cases)

    @property
    def summary(self) -> str:
        """Cases, modalities and labels in one line."""
        names, n_cases = self.cohort.modalities, len(self.cohort.cases)
        return (
            f"{_count(n_cases, 'case')} \N{MULTIPLICATION SIGN}"
            f" {_count(len(names), 'modality', 'modalities')} ({', '.join(names)}),"
            f" {_count(self.n_labels, 'label')}"
        )

    def to_json(self) -> dict[str, object]:
        """Return everything as plain values; paths are relative to the cohort."""
        cohort = self.cohort
        return {
            "cohort": cohort.root.resolve().name,
            "layout": cohort.layout,
            "summary": self.summary,
            "modalities": list(cohort.modalities),
            "n_cases": len(cohort.cases),
            "n_labels": self.n_labels,
            "n_patients": len({case.patient_id for case in cohort.cases}),
            "patient_rule": RULE,
            "incomplete": {case: list(lacks) for case, lacks in cohort.incomplete.items()},
            "verdicts": {str(verdict): n for verdict, n in self.geometry.verdicts.items()},
            "labels_on": self.geometry.labels_on,
            "cases": self._cases_json(),
            "patterns": [vars(use) for use in self.patterns],
            "pattern_table": [[row.expression, row.target] for row in cohort.patterns.rows],
            "problems": [_problem_json(cohort.root, problem) for problem in self.problems],
        }

    def _cases_json(self) -> list[dict[str, object]]:
        root = self.cohort.root
        pairs = zip(self.cohort.cases, self.geometry.cases, strict=True)
        return [
            {
                "case": case.case_id,
                "patient": case.patient_id,
                "files": {m: _file_json(root, case.images[m]) for m in geometry.grids},
                "label": None if case.label is None else _file_json(root, case.label),
                "has_label": case.label is not None,
                "label_on": geometry.label_on,
                "verdict": str(geometry.verdict),
                "overlap": round(geometry.overlap, 4),
                "grids": {modality: vars(grid) for modality, grid in geometry.grids.items()},
                "attributes": dict(case.attributes),
            }
            for case, geometry in pairs
        ]


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
        sys.stdout.write(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n")
    elif getattr(options, "events", False):
        reporter.result(report.to_json())
    else:
        from MDALSelectorLib.inspection_tables import print_inspection  # rich: only for people

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


def _file_json(root: Path, file: ImageFile) -> str:
    """Path relative to the cohort if it is inside; `#n` names the part of a 4-D file."""
    path = file.path.relative_to(root) if file.path.is_relative_to(root) else file.path
    return path.as_posix() if file.component is None else f"{path.as_posix()}#{file.component}"


def _problem_json(root: Path, problem: Problem) -> dict[str, object]:
    path = problem.path
    is_inside = path is not None and path.is_relative_to(root)
    return {
        "severity": problem.severity,
        "case": problem.case_id,
        "file": None if path is None else str(path.relative_to(root) if is_inside else path.name),
        "message": problem.message,
    }


def _count(n: int, singular: str, plural: str | None = None) -> str:
    return f"{n} {singular if n == 1 else plural or singular + 's'}"
