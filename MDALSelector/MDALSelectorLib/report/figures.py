"""The interactive plots of the report, as HTML that needs nothing from outside."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.case_flags import CHECK_PAIRING
from MDALSelectorLib.selection.case_selection import CaseSelection, RankedCase, usual_range

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe-Ito colors, distinct also for color-blind users; the symbols differ too.
STATE_STYLES = {
    "unlabelled": ("#8a9099", "circle-open", 8),
    "labelled": ("#009e73", "square", 9),
    CHECK_PAIRING: ("#d55e00", "x", 10),
    "suggested": ("#0072b2", "star", 12),
}
STATE_SIGNS = {"suggested": "★", CHECK_PAIRING: "⚠", "labelled": "✓", "unlabelled": "○"}
_STATE_TEXTS = {"labelled": "labeled", "unlabelled": "unlabeled"}
RIM = 0.25  # of the usual range, on the side of an outlier
NEUTRAL_TEXT = "#7a828c"
NEUTRAL_LINE = "rgba(128, 136, 146, 0.3)"
CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d", "sendDataToCloud"],
}
SCATTER_ID = "scatter"
PMI_ID = "pmi-per-pair"


def state_text(state: str) -> str:
    """Return the text of a state; records and runs keep their own spelling."""
    return _STATE_TEXTS.get(state, state)


def plotly_script() -> str:
    """Return the whole plotly.js, so that the report needs no network."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def shown_range(values: Sequence[float]) -> tuple[float, float]:
    """Return from where to where values are drawn: what is usual, and a rim for outliers.

    Outliers are drawn at the rim; they would flatten all other cases.
    """
    low, high = usual_range(values)
    if low == high:
        return (min(values), max(values)) if len(values) else (0.0, 1.0)
    rim = RIM * (high - low)
    return max(min(values), low - rim), min(max(values), high + rim)


def scatter_html(selection: CaseSelection) -> str:
    """Plot modality difference against the first principal component, one point per case.

    Cases without a modality difference are not in it. The number of the row in the ranking is the
    `customdata` of every point.
    """
    from plotly.graph_objects import Figure

    figure = Figure()
    shown = [case for case in selection.cases if case.modality_difference is not None]
    low, high = shown_range([case.modality_difference or 0.0 for case in shown])
    for state in STATE_STYLES:
        cases = [case for case in shown if case.state == state]
        _add_points(
            figure,
            state,
            cases,
            x=[case.components[0] for case in cases],
            y=[case.modality_difference or 0.0 for case in cases],
            limits=(low, high),
        )
    figure.update_xaxes(
        title_text="first principal component of the embeddings (similar cases lie close)"
    )
    figure.update_yaxes(title_text="modality difference")
    return to_html(figure, SCATTER_ID, height=460)


def pmi_html(selection: CaseSelection) -> str:
    """Plot the PMI of all cases per pair of modalities: a box, and one point per case."""
    from plotly.graph_objects import Figure

    figure = Figure()
    limits = shown_range([value for case in selection.cases for value in case.pmi.values()])
    for number, pair in enumerate(selection.pairs):
        _add_box(figure, number, [case.pmi[pair] for case in selection.cases if pair in case.pmi])
    for state in STATE_STYLES:
        points = [
            (case, number, pair)
            for case in selection.cases
            if case.state == state
            for number, pair in enumerate(selection.pairs)
            if pair in case.pmi
        ]
        _add_points(
            figure,
            state,
            [case for case, _, _ in points],
            x=[number + _offset(case) for case, number, _ in points],
            y=[case.pmi[pair] for case, _, pair in points],
            limits=limits,
        )
    names = [f"{a} and {b}" for a, b in selection.pairs]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=[html.escape(n) for n in names])
    figure.update_yaxes(title_text="PMI (nats)")
    return to_html(figure, PMI_ID, height=420)


def _add_box(figure: Figure, number: int, values: Sequence[float]) -> None:
    """Draw quartiles and, at most 1.5 times their distance away, the last values (Tukey)."""
    from plotly.graph_objects import Box

    if not values:
        return
    low, middle, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    reach = 1.5 * (high - low)
    inside = [v for v in values if low - reach <= v <= high + reach]
    figure.add_trace(
        Box(
            x=[number],
            q1=[round(low, 5)],
            median=[round(middle, 5)],
            q3=[round(high, 5)],
            lowerfence=[round(min(inside), 5)],
            upperfence=[round(max(inside), 5)],
            hoverinfo="skip",
            line={"color": NEUTRAL_TEXT, "width": 1.5},
            fillcolor="rgba(128, 136, 146, 0.12)",
            showlegend=False,
            width=0.7,
        )
    )


def _add_points(
    figure: Figure,
    state: str,
    cases: Sequence[RankedCase],
    *,
    x: Sequence[float],
    y: Sequence[float],
    limits: tuple[float, float],
) -> None:
    """Add the points of one state; those beyond the limits lie at the rim with a true label."""
    from plotly.graph_objects import Scatter

    if not cases:
        return
    color, symbol, size = STATE_STYLES[state]
    figure.add_trace(
        Scatter(
            x=[round(value, 5) for value in x],
            y=[round(min(max(value, limits[0]), limits[1]), 5) for value in y],
            mode="markers",
            name=state_text(state),
            marker={
                "color": color,
                "symbol": symbol,
                "size": size,
                "line": {"width": 1, "color": color},
            },
            text=[html.escape(case.case_id) for case in cases],
            hovertext=[f"{value:.2f}" for value in y],
            customdata=[case.rank for case in cases],
            hovertemplate="<b>%{text}</b><br>rank %{customdata}, "
            + state_text(state)
            + "<br>%{hovertext}<extra></extra>",
        )
    )


def _offset(case: RankedCase) -> float:
    """Spread the points of a column sidewards, the same way every time."""
    golden = 0.618033988749895
    return ((case.rank * golden) % 1.0 - 0.5) * 0.5


def to_html(figure: Figure, div_id: str, *, height: int) -> str:
    """Return a figure in the style of all pages.

    Args:
        figure: The figure; its axes and layout are set.
        div_id: Identifier of its element.
        height: Height, CSS pixels.
    """
    axis = {"gridcolor": NEUTRAL_LINE, "linecolor": NEUTRAL_LINE, "zerolinecolor": NEUTRAL_TEXT}
    figure.update_xaxes(**axis, zeroline=False)
    figure.update_yaxes(**axis)
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"color": NEUTRAL_TEXT, "family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        margin={"l": 56, "r": 12, "t": 48, "b": 52},
        hoverlabel={"align": "left"},
        modebar={
            "bgcolor": "rgba(0, 0, 0, 0)",
            "color": NEUTRAL_TEXT,
            "activecolor": STATE_STYLES["suggested"][0],
        },
        height=height,
    )
    return str(
        figure.to_html(
            config=CONFIG,
            include_plotlyjs=False,
            full_html=False,
            div_id=div_id,
            default_height=f"{height}px",
        )
    )
