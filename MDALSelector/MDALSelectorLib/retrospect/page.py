"""One self-contained HTML page: curves, the band of random draws, and one sentence."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib import report
from MDALSelectorLib.report.figures import NEUTRAL_TEXT, plotly_script, to_html
from MDALSelectorLib.report.page import flattened
from MDALSelectorLib.retrospect.config import RANDOM
from MDALSelectorLib.retrospect.outcomes import Outcome
from MDALSelectorLib.retrospect.retrospective import Retrospective, signed
from MDALSelectorLib.retrospect.run_files import PAGE_MARK, PAGE_NAME, is_page
from MDALSelectorLib.strategies import DEFAULT_STRATEGY
from MultimodalImagingLib.jobs.texts import counted, joined, render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.ownership import check_own_files

TEMPLATE_NAME = "retrospect.html.j2"
# Okabe-Ito colors, used again with another dash when they run out.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a9099")
_DASHES = ("solid", "dash", "dot")
_BAND = "rgba(128, 136, 146, 0.2)"


@dataclass(frozen=True)
class Row:
    """A strategy in the table: its outcome per budget (`None` without one), and over all."""

    strategy: str
    cells: tuple[Outcome | None, ...]
    area: Outcome | None


def write_page(run: Path, found: Retrospective) -> Path:
    """Write `retrospect.html` into the folder of a run; the same result gives the same bytes.

    Raises:
        UsageError: If a file of that name is there that is no such page.
        CrossModalError: If the page cannot be written.
    """
    path = run / PAGE_NAME
    check_own_files({path: is_page}, option="another run folder")
    write_text(path, render(found))
    return path


def render(found: Retrospective) -> str:
    """Return the page as text."""
    from markupsafe import Markup

    settings = {"configuration": found.configuration, "versions": found.versions}
    values = {
        "found": found,
        "rows": list(table_rows(found)),
        "settings": list(flattened(settings)),
        "page_mark": Markup(PAGE_MARK),
        "plotly_script": Markup(plotly_script()),
        "curves": Markup(_curves(found)),
        "differences": Markup(_differences(found)),
    }
    filters: dict[str, Callable[..., str]] = {
        "signed": signed,
        "listed": joined,
        "counted": counted,
    }
    template = Path(report.__file__).with_name(TEMPLATE_NAME)
    return render_page(template, values, filters=filters)


def table_rows(found: Retrospective) -> Iterator[Row]:
    """Yield the strategies, the best at the main budget first."""
    of = {(o.strategy, o.budget): o for o in (*found.outcomes, *found.areas)}
    names = [outcome.strategy for outcome in found.at(found.main_budget)]
    names += [o.strategy for o in found.outcomes if o.strategy not in names]
    for name in dict.fromkeys(names):
        if name == RANDOM:
            continue
        cells = tuple(of.get((name, number)) for number in range(len(found.budgets)))
        yield Row(name, cells, of.get((name, None)))


def _curves(found: Retrospective) -> str:
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    x = [round(band.n_cases, 3) for band in found.bands]
    high = [round(band.high, 5) for band in found.bands]
    low = [round(band.low, 5) for band in found.bands]
    figure.add_trace(Scatter(x=x, y=high, mode="lines", line={"width": 0}, showlegend=False))
    figure.add_trace(
        Scatter(
            x=x,
            y=low,
            mode="lines",
            line={"width": 0},
            fill="tonexty",
            fillcolor=_BAND,
            name="random",
        )
    )
    median = [round(band.median, 5) for band in found.bands]
    figure.add_trace(Scatter(x=x, y=median, name="median random draw", line={"color": "gray"}))
    for number, row in enumerate(table_rows(found)):
        figure.add_trace(_curve(row, x, number))
    full = round(found.bands[0].full, 5)
    figure.add_hline(y=full, line={"dash": "dot", "color": NEUTRAL_TEXT})
    figure.update_xaxes(title_text="labeled cases")
    figure.update_yaxes(title_text=f"{found.figure} on cases held out")
    return to_html(figure, "curves-plot", height=560)


def _curve(row: Row, x: list[float], number: int) -> object:
    from plotly.graph_objects import Scatter

    known = [(place, cell) for place, cell in zip(x, row.cells, strict=True) if cell is not None]
    return Scatter(
        x=[place for place, _ in known],
        y=[round(cell.dice, 5) for _, cell in known],
        name=html.escape(row.strategy),
        mode="lines+markers",
        line={
            "color": _COLORS[number % len(_COLORS)],
            "dash": _DASHES[number // len(_COLORS) % len(_DASHES)],
            "width": 4 if row.strategy == DEFAULT_STRATEGY else 2,
        },
    )


def _differences(found: Retrospective) -> str:
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    band = found.bands[found.main_budget]
    shown = [o for o in reversed(found.at(found.main_budget)) if o.strategy != RANDOM]
    low, high = round(band.low - band.median, 5), round(band.high - band.median, 5)
    figure.add_vrect(x0=low, x1=high, fillcolor=_BAND, line_width=0)
    figure.add_vline(x=0.0, line={"color": NEUTRAL_TEXT})
    figure.add_trace(
        Scatter(
            x=[round(o.difference, 5) for o in shown],
            y=[html.escape(o.strategy) for o in shown],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [round(o.high - o.difference, 5) for o in shown],
                "arrayminus": [round(o.difference - o.low, 5) for o in shown],
            },
            mode="markers",
            marker={"color": _COLORS[0], "size": 9},
            showlegend=False,
        )
    )
    figure.update_xaxes(title_text=f"{found.figure} minus that of the median random draw")
    figure.update_yaxes(automargin=True)
    return to_html(figure, "differences-plot", height=120 + 30 * len(shown))
