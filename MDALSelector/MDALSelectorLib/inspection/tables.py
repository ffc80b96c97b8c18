"""The inspection of a cohort on a terminal: one screen, or everything with `show_all`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from itertools import takewhile

from rich.console import Console
from rich.table import Table
from rich.text import Text

from MDALSelectorLib.inspection.cohort_inspection import InspectionReport
from MDALSelectorLib.inspection.geometry import OWN_GRID, CaseGeometry
from MultimodalImagingLib.cohorts.case_names import RULE
from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.geometry_checks import Verdict, orientation_text
from MultimodalImagingLib.jobs.texts import counted, joined, listed

# A screen: more rows than this are only shown on request.
MAX_ROWS = 10
MAX_GRIDS = 6  # of two lines each
MAX_NAMES = 5
MAX_PATIENTS = 2
PLAIN_WIDTH = 120

_VERDICT_TEXT = {
    Verdict.SAME_GRID: "all modalities on one grid",
    Verdict.SAME_SPACE: "modalities on different grids in the same space",
    Verdict.PARTIAL: "modalities on different grids that overlap in part",
    Verdict.APART: "modalities that do not overlap",
}
_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "dim"}
_SEVERITY_NAME = {"error": "error", "warning": "warning", "info": "note"}


def print_inspection(
    report: InspectionReport, console: Console | None = None, *, show_all: bool = False
) -> None:
    """Print what was found.

    Args:
        report: The report.
        console: Where to; `None` for standard output.
        show_all: Print every case and every problem, not only as many as fit on a screen.
    """
    out = _console() if console is None else console
    if report.cohort.left_out:
        out.print(Text(report.cohort.left_out, style="bold red"), soft_wrap=True)
    out.print(Text(report.summary, style="bold"))
    out.print(_plain(_facts(report)))
    for table in (_modality_table(report), _pattern_table(report)):
        out.print()
        out.print(table)
    out.print()
    _print_labels(report, out, show_all=show_all)
    _print_geometry(report, out, show_all=show_all)
    _print_incomplete(report, out, show_all=show_all)
    _print_problems(report, out, show_all=show_all)


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)


def _facts(report: InspectionReport) -> str:
    cohort = report.cohort
    n_patients = len({case.patient_id for case in cohort.cases})
    lines = [
        f"Cohort {cohort.root.resolve().name}, layout: {cohort.layout},"
        f" {counted(n_patients, 'patient')}."
    ]
    if cohort.naming:
        lines.append(cohort.naming)
    if n_patients < len(cohort.cases):
        lines.append(_visits(report))
        lines += [] if "patient" in cohort.naming else [RULE]
    if report.groupings:
        names = joined([f"{name} ({counted(n, 'group')})" for name, n in report.groupings.items()])
        lines.append(f"Cases differ in {names}; `select --within` compares within such groups.")
    return "\n".join(lines)


def _visits(report: InspectionReport) -> str:
    """Say which cases count as visits of one patient."""
    visits: dict[str, list[str]] = {}
    for case in report.cohort.cases:
        visits.setdefault(case.patient_id, []).append(case.case_id)
    several = [f"{name} ({', '.join(c)})" for name, c in visits.items() if len(c) > 1]
    return f"Patients with several cases: {listed(several, most=MAX_PATIENTS)}."


def _modality_table(report: InspectionReport) -> Table:
    table = _table("modality", "images", "size", "spacing, mm", "field of view, mm", "orientation")
    for row in report.geometry.modalities:
        orientations = ", ".join(f"{name} ({n})" for name, n in row.orientations.items())
        sizes = (row.size, row.spacing_mm, row.extent_mm)
        _add_row(table, row.modality, str(row.n_images), *sizes, orientations)
    return table


def _pattern_table(report: InspectionReport) -> Table:
    table = _table("taken for", "files", "for example", "because of", "which fits the pattern")
    for use in report.patterns:
        no_part = "no pattern" if use.target is None else "the cohort says so"
        reason = use.part if use.pattern else no_part
        target = use.target or "unknown"
        target = target if use.is_used else f"not used ({target})"
        pattern = _shortened(use.pattern)
        _add_row(table, target, str(use.n_files), use.example, reason, pattern)
    return table


def _print_labels(report: InspectionReport, out: Console, *, show_all: bool) -> None:
    if not report.n_labels_read:
        return
    shown = report.labels if show_all else report.labels[:MAX_ROWS]
    if shown:
        table = _table("label value", "name", "cases", "volume, ml")
        for row in shown:
            values = ", ".join(str(value) for value in row.values)
            low, high = f"{row.smallest_ml:.3g}", f"{row.largest_ml:.3g}"
            volume = low if low == high else f"{low}-{high}"
            _add_row(table, values, row.name or "no name", str(row.n_cases), volume)
        out.print(table)
        _print_rest(len(report.labels) - len(shown), out)
    elif report.n_labels_read:
        out.print(_plain("All label maps are empty."))
    if report.n_labels_read < report.n_labels:
        text = (
            f"{report.n_labels_read} of {report.n_labels} label maps were read; --deep reads all."
        )
        out.print(_plain(text))
    out.print()


def _print_geometry(report: InspectionReport, out: Console, *, show_all: bool) -> None:
    for verdict, n in report.geometry.verdicts.items():
        out.print(_plain(f"Geometry: {counted(n, 'case')} with {_VERDICT_TEXT[verdict]}."))
    if report.geometry.labels_on:
        parts = (f"{n} on {_grid_of(name)}" for name, n in report.geometry.labels_on.items())
        out.print(_plain(f"Label maps: {', '.join(parts)}."))
    differing = [case for case in report.geometry.cases if case.verdict is not Verdict.SAME_GRID]
    if not differing:
        return
    shown = differing if show_all else differing[:MAX_GRIDS]
    out.print(_grid_table(shown, report.cohort.modalities))
    _print_rest(len(differing) - len(shown), out)


def _grid_table(cases: Iterable[CaseGeometry], modalities: Sequence[str]) -> Table:
    table = _table("case", *modalities, "least overlap", "verdict")
    for case in cases:
        cells = [_grid_text(case.grids.get(modality)) for modality in modalities]
        _add_row(table, case.case_id, *cells, f"{case.overlap:.0%}", case.verdict.value)
    return table


def _grid_text(grid: Grid | None) -> str:
    if grid is None:
        return "missing"
    size = "x".join(str(n) for n in grid.size)
    spacing = "x".join(f"{value:.2f}" for value in grid.spacing_mm)
    return f"{size} {orientation_text(grid)}\n{spacing} mm"


def _print_incomplete(report: InspectionReport, out: Console, *, show_all: bool) -> None:
    incomplete = report.cohort.incomplete
    if not incomplete:
        return
    n_cases = counted(len(incomplete), "case")
    out.print(_plain(f"Incomplete: {n_cases}, scored from the pairs they have, if any."))
    by_missing: dict[tuple[str, ...], list[str]] = {}
    for case_id, missing in incomplete.items():
        by_missing.setdefault(missing, []).append(case_id)
    for missing, case_ids in sorted(by_missing.items()):
        names = _names(case_ids, show_all=show_all)
        out.print(_plain(f"  {' and '.join(missing)} missing in {names}"))


def _print_problems(report: InspectionReport, out: Console, *, show_all: bool) -> None:
    if not report.problems:
        out.print(_plain("No problems."))
        return
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in report.problems:
        groups.setdefault((problem.severity, _without_case(problem)), []).append(problem)
    counts = {
        _SEVERITY_NAME[severity]: sum(p.severity == severity for p in report.problems)
        for severity in _SEVERITY_STYLE
    }
    text = ", ".join(f"{n} {severity}{'s' * (n > 1)}" for severity, n in counts.items() if n)
    out.print(_plain(f"Problems: {text}."))
    shown = list(groups.items()) if show_all else list(groups.items())[:MAX_ROWS]
    for (severity, message), problems in shown:
        case_ids = [p.case_id for p in problems if p.case_id is not None]
        where = f"{_names(case_ids, show_all=show_all)}: " if case_ids else ""
        only = problems[0].message if len(problems) == 1 else message
        line = Text(f"  {_SEVERITY_NAME[severity]}: ", style=_SEVERITY_STYLE[severity])
        out.print(line + Text(f"{where}{only}", style="default"), soft_wrap=True)
    _print_rest(sum(len(problems) for _, problems in list(groups.items())[len(shown) :]), out)


def _print_rest(n: int, out: Console) -> None:
    if n > 0:
        out.print(_plain(f"  ... and {n} more; --all shows them."))


def _without_case(problem: Problem) -> str:
    """The message with the case's name taken out, so that equal problems become one."""
    if problem.case_id is None:
        return problem.message
    text = re.sub(re.escape(problem.case_id), "<case>", problem.message)
    file = "" if problem.path is None else problem.path.name
    same = takewhile(lambda pair: pair[0] == pair[1], zip(problem.case_id, file, strict=False))
    shared = "".join(a for a, _ in same).rstrip(" _.-")
    is_of_case = any(character.isdigit() for character in shared)
    return text.replace(shared, "<case>") if is_of_case else text


def _names(case_ids: Sequence[str], *, show_all: bool) -> str:
    return listed(case_ids, most=len(case_ids) if show_all else MAX_NAMES)


def _grid_of(label_on: str) -> str:
    return label_on if label_on == OWN_GRID else f"the grid of {label_on}"


def _shortened(pattern: str, length: int = 36) -> str:
    return pattern if len(pattern) <= length else pattern[: length - 3] + "..."


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Add a row of texts as they are; a bracket in a name is no markup."""
    table.add_row(*(Text(cell) for cell in cells))


def _plain(text: str) -> Text:
    return Text(text)
