"""What an inspection finds: cases, modalities, geometry and problems, also as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib.inspection.acquisition_groups import acquisition_groups
from MDALSelectorLib.inspection.geometry import GeometryReport, geometry_report
from MultimodalImagingLib.cohorts.case_names import RULE
from MultimodalImagingLib.cohorts.cases import Cohort, FileMatch, Problem
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.content_checks import check_images
from MultimodalImagingLib.cohorts.label_survey import (
    LabelRow,
    LabelSurvey,
    label_problems,
    label_table,
    survey_labels,
)
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPattern,
    normalized_name,
)
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.workload import stored_megavoxels


@dataclass(frozen=True)
class PatternUse:
    """How often a row of the pattern table was used.

    Attributes:
        pattern: The row; empty if the cohort's own description decided, or nothing matched.
        part: The part of the name that it matched, the first one; for files that are not used, the
            part that they share, which a correction can name.
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
        labels: What the label maps hold.
        n_labels_read: How many of them were read.
    """

    cohort: Cohort
    geometry: GeometryReport
    patterns: tuple[PatternUse, ...]
    problems: tuple[Problem, ...]
    labels: tuple[LabelRow, ...] = ()
    n_labels_read: int = 0

    @property
    def n_labels(self) -> int:
        """Number of cases with a label map."""
        return sum(case.label is not None for case in self.cohort.cases)

    @property
    def groupings(self) -> dict[str, int]:
        """Number of groups by the name of every grouping that `select --within` knows."""
        found = acquisition_groups(self.cohort)
        return {name: len({*found[name].values()}) for name in sorted(found)}

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
            "naming": cohort.naming,
            "left_out": cohort.left_out,
            "summary": self.summary,
            "modalities": list(cohort.modalities),
            "n_cases": len(cohort.cases),
            "n_labels": self.n_labels,
            "n_patients": len({case.patient_id for case in cohort.cases}),
            "patient_rule": RULE,
            "incomplete": {case: list(lacks) for case, lacks in cohort.incomplete.items()},
            "verdicts": {str(verdict): n for verdict, n in self.geometry.verdicts.items()},
            "labels_on": self.geometry.labels_on,
            "labels": [vars(row) for row in self.labels],
            "n_labels_read": self.n_labels_read,
            "cases": self._cases_json(),
            "patterns": [vars(use) for use in self.patterns],
            "pattern_table": [[row.expression, row.target] for row in cohort.patterns.rows],
            "problems": [_problem_json(cohort.root, problem) for problem in self.problems],
            "groupings": self.groupings,
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
        reporter: Receives progress.

    Raises:
        CohortError: If nothing usable is there; the text lists all problems.
        UsageError: If the cohort's own pattern table cannot be used.
    """
    chosen = InspectionOptions() if options is None else options
    teller = reporter or NullReporter()
    teller.stage("Find cases", 1)
    patterns = patterns_for(path, chosen.modality_rows)
    cohort = find_cohort(path, patterns=patterns, reporter=teller)
    teller.advance()
    teller.plan(_plan(cohort, is_deep=chosen.is_deep))
    survey = _survey(cohort, teller, is_deep=chosen.is_deep)
    found = _read_images(cohort, teller) if chosen.is_deep else []
    found += label_problems(cohort.cases, survey, with_empty=chosen.is_deep)
    problems = sorted((*cohort.problems, *found), key=_severity_rank)
    return InspectionReport(
        cohort,
        geometry_report(cohort),
        _pattern_uses(cohort),
        tuple(problems),
        label_table(survey.cases),
        len(survey.cases),
    )


def _plan(cohort: Cohort, *, is_deep: bool) -> JobPlan:
    """Return what is read after the headers."""
    n_labels = len(_read_labels(cohort, is_deep=is_deep))
    stages = (PlannedStage("Read label values", n_labels, 0.1),) if n_labels else ()
    size = stored_megavoxels(cohort) if is_deep else 0.0
    voxels = PlannedStage("Read all voxels", len(cohort.cases), 0.03, size)
    return JobPlan("inspect", (*stages, *((voxels,) if is_deep else ())))


def _read_images(cohort: Cohort, reporter: Reporter) -> list[Problem]:
    reporter.stage("Read all voxels", len(cohort.cases))
    problems: list[Problem] = []
    for case in cohort.cases:
        problems += check_images(case)
        reporter.advance()
    return problems


def _survey(cohort: Cohort, reporter: Reporter, *, is_deep: bool) -> LabelSurvey:
    chosen = _read_labels(cohort, is_deep=is_deep)
    return survey_labels(chosen, reporter) if chosen else LabelSurvey((), {})


def _read_labels(cohort: Cohort, *, is_deep: bool) -> dict[str, ImageFile]:
    """Return the label maps to read: all, or as many as take seconds, evenly over the cases."""
    files = {case.case_id: case.label for case in cohort.cases if case.label is not None}
    step = 1 if is_deep else -(-len(files) // MOST_LABELS_READ)
    return dict(list(files.items())[:: max(step, 1)])


def _pattern_uses(cohort: Cohort) -> tuple[PatternUse, ...]:
    parts = _parts(cohort.matches)
    keys = [_use_key(match, part) for match, part in zip(cohort.matches, parts, strict=True)]
    counts = Counter(keys)
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    uses = [
        PatternUse(
            match.pattern, parts[i], match.target, match.is_used, counts[key], match.file.example
        )
        for key, i in first.items()
        for match in (cohort.matches[i],)
    ]
    return tuple(sorted(uses, key=lambda use: _use_rank(use, cohort.modalities)))


def _use_key(match: FileMatch, part: str) -> tuple[str, str | None, bool, str]:
    has_own_row = _is_open(match) or " and " in match.pattern or match.file.kind
    return match.pattern, match.target, match.is_used, part if has_own_row else ""


def _parts(matches: Sequence[FileMatch]) -> list[str]:
    """Return the part of every name that a correction can name.

    Of a DICOM series that is its description, or its place if the case has several of the same.
    """
    same = Counter((match.file.case_id, match.file.name) for match in matches)
    return [
        (_part(match) if not match.file.kind else _part_of_series(match, same)) for match in matches
    ]


def _part_of_series(match: FileMatch, same: Counter[tuple[str, str]]) -> str:
    file = match.file
    is_only = same[file.case_id, file.name] == 1
    return normalized_name(file.name if is_only else file.place)


def _part(match: FileMatch) -> str:
    return match.file.shape if _is_open(match) else match.part


def _is_open(match: FileMatch) -> bool:
    """Tell whether a row of its own should say what to do with files of this name."""
    return not match.is_used and match.target not in (LABEL, IGNORE)


def _use_rank(use: PatternUse, modalities: Sequence[str]) -> tuple[bool, int, int, str]:
    order = [*modalities, LABEL, IGNORE, None]
    rank = order.index(use.target) if use.target in order else len(order)
    return not use.is_used, rank, -use.n_files, use.pattern


def _severity_rank(problem: Problem) -> int:
    return ("error", "warning", "info").index(problem.severity)
