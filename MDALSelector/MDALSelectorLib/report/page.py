"""One self-contained HTML page per run that a radiologist can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.run_folder import read_selection
from MultimodalImagingLib.jobs.texts import counted, joined, render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.ownership import check_own_files

REPORT_NAME = "report.html"
# Pages of older versions are known by their title.
_PAGE_MARKS = (b'content="CrossModal mdal-selector report"', b"<title>Which cases to label next: ")
TEMPLATE_NAME = "report.html.j2"


def write_report(run: Path) -> Path:
    """Write `report.html` into the folder of a run; the same run gives the same bytes.

    The page holds everything that it needs (plotly.js, pictures, styles) and forbids itself any
    request (Content-Security-Policy).

    Args:
        run: Folder that `write_selection` filled.

    Returns:
        The page.

    Raises:
        CohortError: If the run cannot be read.
        UsageError: If a file of that name is there that is no such page.
        CrossModalError: If the page cannot be written.
    """
    path = run / REPORT_NAME
    selection = read_selection(run)
    check_own_files({path: is_page}, option="another run folder")
    page = render_report(run, selection)
    check_own_files({path: is_page}, option="another run folder")
    write_text(path, page)
    return path


def is_page(data: bytes) -> bool:
    """Tell whether the content of a file is a page of this program."""
    return any(mark in data[:4096] for mark in _PAGE_MARKS)


def render_report(run: Path, selection: CaseSelection) -> str:
    """Return the page as text.

    Args:
        run: Folder with the pictures.
        selection: What came out of the run.
    """
    from markupsafe import Markup

    from MDALSelectorLib.report import figures, view

    comparison = selection.comparison
    values = {
        "selection": selection,
        "strategy_summary": _summary(selection.strategy),
        "rows": view.table_rows(selection),
        "has_patients": any(case.patient_id != case.case_id for case in selection.cases),
        "suggested": view.cards(run, selection.suggested),
        "to_check": view.cards(run, selection.to_check),
        "overlap": None if comparison is None else view.overlap_rows(comparison),
        "settings": list(view.flattened(selection.configuration)),
        "plotly_script": Markup(figures.plotly_script()),
        "scatter": Markup(figures.scatter_html(selection)),
        "pmi": Markup(figures.pmi_html(selection)),
    }
    filters: dict[str, Callable[..., str]] = {
        "number": view.number,
        "listed": joined,
        "counted": counted,
        "state_text": view.state_text,
    }
    return render_page(Path(__file__).with_name(TEMPLATE_NAME), values, filters=filters)


def _summary(strategy: str) -> str:
    from MDALSelectorLib.strategies import STRATEGIES

    return STRATEGIES[strategy].summary if strategy in STRATEGIES else "a custom strategy"
