"""One self-contained HTML page per run that a radiologist can read."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib.estimation.config import POSITION_ESTIMATORS
from MDALSelectorLib.report import figures
from MDALSelectorLib.report.figures import STATE_SIGNS
from MDALSelectorLib.selection.case_selection import (
    LEAST_AGREEMENT,
    CaseSelection,
    RankedCase,
)
from MDALSelectorLib.selection.diagnostics import Pair
from MDALSelectorLib.selection.run_folder import (
    REPORT_NAME,
    THUMBNAILS_NAME,
    is_page,
    read_selection,
)
from MDALSelectorLib.strategies import STRATEGIES
from MultimodalImagingLib.jobs.texts import counted, decimals, joined, render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.ownership import check_own_files

TEMPLATE_NAME = "report.html.j2"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


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


def render_report(run: Path, selection: CaseSelection) -> str:
    """Return the page as text.

    Args:
        run: Folder with the pictures.
        selection: What came out of the run.
    """
    from markupsafe import Markup

    strategy = STRATEGIES.get(selection.strategy)
    shown = (*selection.suggested, *selection.to_check)
    values = {
        "selection": selection,
        "strategy_summary": strategy.summary if strategy else "a custom strategy",
        "measures": selection.known_measures,
        "least": least_agreement_texts(selection),
        "rows": table_rows(selection),
        "has_maps": selection.diagnostics.is_per_position,
        "position_estimators": POSITION_ESTIMATORS,
        "has_patients": any(case.patient_id != case.case_id for case in selection.cases),
        "signs": STATE_SIGNS,
        "pictures": {case.case_id: _data_uri(run, case.thumbnail) for case in shown},
        "settings": list(flattened(selection.configuration)),
        "plotly_script": Markup(figures.plotly_script()),
        "scatter": Markup(figures.scatter_html(selection)),
        "pmi": Markup(figures.pmi_html(selection)),
    }
    filters: dict[str, Callable[..., str]] = {
        "number": number,
        "listed": joined,
        "counted": counted,
        "state_text": figures.state_text,
    }
    return render_page(Path(__file__).with_name(TEMPLATE_NAME), values, filters=filters)


@dataclass(frozen=True)
class TableRow:
    """One row of the ranking.

    Attributes:
        case: The case.
        bars: Every measure of the case from 0 (smallest of the cohort) to 100 (largest); outliers
            are cut off, so that they do not flatten the others.
        shades: Per pair, how far below the median its PMI lies, from 0 to 100.
    """

    case: RankedCase
    bars: Mapping[str, float]
    shades: Mapping[Pair, int]


def table_rows(selection: CaseSelection) -> list[TableRow]:
    """Return the rows of the ranking."""
    values: dict[str, list[float]] = {}
    for case in selection.cases:
        for name, value in case.measures.items():
            values.setdefault(name, []).append(value)
    limits = {name: figures.shown_range(of_measure) for name, of_measure in values.items()}
    return [
        TableRow(
            case=case,
            bars={n: _share(v, *limits[n]) for n, v in case.measures.items()},
            shades={pair: round(min(max(-z / 3, 0.0), 1.0) * 100) for pair, z in case.z.items()},
        )
        for case in selection.cases
    ]


def least_agreement_texts(selection: CaseSelection) -> dict[str, str]:
    """Say, per case, how little its modalities share where they agree least, against the others."""
    measured = {
        case.case_id: case.measures[LEAST_AGREEMENT]
        for case in selection.cases
        if LEAST_AGREEMENT in case.measures
    }
    if not measured:
        return {}
    median = statistics.median(measured.values())
    return {
        name: (
            "Where they agree least: in the worst twentieth of the body, its modalities fit less"
            f" well than in {sum(other > value for other in measured.values())} of the"
            f" {counted(len(measured) - 1, 'other case')} ({number(value, 1)} nats per"
            " position; half of the"
            f" cases have more than {number(median, 1)})."
        )
        for name, value in measured.items()
    }


def _share(value: float, low: float, high: float) -> float:
    share = (value - low) / max(high - low, 1e-9)
    return round(100 * min(max(share, 0.0), 1.0), 1)


def flattened(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """List nested settings as `("outer.inner", "value")`, sorted by name."""
    for name in sorted(values):
        value = values[name]
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with a true minus sign; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    return decimals(value, digits)


def _data_uri(run: Path, name: str | None) -> str | None:
    if name is None:
        return None
    path = run / THUMBNAILS_NAME / name
    data = path.read_bytes() if path.is_file() else b""
    if not data.startswith(_PNG_SIGNATURE):
        return None
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
