"""One self-contained HTML page: how far labeling has come, what it brought, whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MDALSelectorLib import report
from MDALSelectorLib.labeling.advice import Advice, advice
from MDALSelectorLib.labeling.changes import note_changes
from MDALSelectorLib.labeling.effort import LabelingEffort, labeling_effort
from MDALSelectorLib.labeling.learning_curve import TRAINING_NOISE, Curves
from MDALSelectorLib.report.figures import plotly_script, to_html
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.labelled_cases import is_labelled
from MultimodalImagingLib.cohorts.saved_labels import saved_labels
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalImagingLib.record.ownership import check_own_files
from MultimodalImagingLib.record.rounds import read_rounds

PAGE_NAME = "labeling.html"
PAGE_MARK = 'content="CrossModal mdal-selector labeling"'
TEMPLATE_NAME = "labeling.html.j2"
_BLUE, _BAND = "#0072b2", "rgba(128, 136, 146, 0.2)"
_N_POINTS = 40


@dataclass(frozen=True)
class LabelingProgress:
    """How far the labeling of a cohort has come.

    Attributes:
        cohort: Name of the cohort.
        n_cases: Its cases.
        n_labeled: Cases with a label.
        n_skipped: Cases that are not to be labeled.
        n_left: Cases that are still to be labeled for training.
        n_evaluation: Cases set aside for testing.
        n_evaluation_labeled: Those of them that have a label.
        n_rounds: Rounds so far.
        advice: Whether to go on.
        effort: What labeling took.
    """

    cohort: str
    n_cases: int
    n_labeled: int
    n_skipped: int
    n_left: int
    n_evaluation: int
    n_evaluation_labeled: int
    n_rounds: int
    advice: Advice
    effort: LabelingEffort


def labeling_progress(cohort: Cohort, record: CohortRecord) -> LabelingProgress:
    """Read how far the labeling of a cohort has come.

    Raises:
        CohortError: If the record cannot be read.
    """
    states, rounds = record.read_states(), read_rounds(record)
    names = [case.case_id for case in cohort.cases]
    labeled = {name for name in names if is_labelled(name, None, record, states.of(name))}
    skipped = {name for name in names if states.of(name) is CaseState.SKIPPED} - labeled
    evaluation = {name for name in names if name in states.evaluation}
    n_left = len({*names} - labeled - skipped - evaluation)
    return LabelingProgress(
        cohort=cohort.root.name,
        n_cases=len(names),
        n_labeled=len(labeled),
        n_skipped=len(skipped),
        n_left=n_left,
        n_evaluation=len(evaluation),
        n_evaluation_labeled=len(evaluation & labeled),
        n_rounds=len(rounds),
        advice=advice(rounds, n_left=n_left),
        effort=labeling_effort(saved_labels(record)),
    )


def write_labeling_page(cohort: Cohort, record: CohortRecord, reporter: Reporter) -> Path:
    """Write `labeling.html` into the folder of a record, and note there what was changed of drafts.

    Raises:
        UsageError: If a file of that name is there that is no such page.
        CohortError: If the record cannot be read.
        CrossModalError: If the page cannot be written.
    """
    path = record.folder / PAGE_NAME
    check_own_files({path: is_page}, option="another record")
    note_changes(record, reporter)
    write_text(path, render(labeling_progress(cohort, record)))
    return path


def is_page(data: bytes) -> bool:
    """Tell whether the content of a file is a page of this program."""
    return PAGE_MARK.encode() in data[:4096]


def render(found: LabelingProgress) -> str:
    """Return the page as text."""
    from markupsafe import Markup

    values = {
        "found": found,
        "noise": f"{100 * TRAINING_NOISE:g}",
        "page_mark": Markup(PAGE_MARK),
        "plotly_script": Markup(plotly_script()),
        "curve": Markup(_curve(found.advice)),
    }
    filters: dict[str, Callable[..., str]] = {"counted": counted}
    template = Path(report.__file__).with_name(TEMPLATE_NAME)
    return render_page(template, values, filters=filters)


def _curve(found: Advice) -> str:
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    if found.curves is not None:
        _add_fit(figure, found.curves)
    known = [row for row in found.rounds if row.dice is not None]
    figure.add_trace(
        Scatter(
            x=[row.n_labels for row in known],
            y=[round(row.dice or 0.0, 5) for row in known],
            mode="markers",
            marker={"color": _BLUE, "size": 10},
            name="rounds",
        )
    )
    figure.update_xaxes(title_text="labels that the model was trained on")
    figure.update_yaxes(title_text="mean Dice on the evaluation set")
    return to_html(figure, "labels-plot", height=420)


def _add_fit(figure: object, curves: Curves) -> None:
    """Draw the fitted curve with its band, up to twice the labels of now."""
    from plotly.graph_objects import Scatter

    first, last = float(curves.n_labels[0]), float(curves.n_labels[-1])
    x = [round(float(n), 2) for n in np.linspace(first, 2 * last, _N_POINTS)]
    at = [curves.dice(n) for n in x]
    high, low, middle = (
        [round(getattr(interval, name), 5) for interval in at] for name in ("high", "low", "value")
    )
    line = {"width": 0}
    for trace in (
        Scatter(x=x, y=high, mode="lines", line=line, showlegend=False, hoverinfo="skip"),
        Scatter(x=x, y=low, mode="lines", line=line, fill="tonexty", fillcolor=_BAND, name="90 %"),
        Scatter(x=x, y=middle, mode="lines", line={"color": _BLUE}, name="fitted curve"),
    ):
        figure.add_trace(trace)  # type: ignore[attr-defined]
