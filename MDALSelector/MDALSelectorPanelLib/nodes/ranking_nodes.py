"""The ranking in the scene: a table that is saved with it and found again, and a scatter plot.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MDALSelectorLib.selection.case_selection import usual_range
from MDALSelectorPanelLib.nodes.case_rows import (
    STATE_COLORS,
    CaseRow,
    columns_from_rows,
    rows_from_columns,
)
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.helper_nodes import (
    findNode,
    findOrAddNode,
    keepLatest,
    removeHelper,
)
from MultimodalSlicerLib.table_nodes import (
    TABLE,
    Point,
    ScatterPlot,
    SeriesStyle,
    columnsOf,
    setColumns,
)

if TYPE_CHECKING:
    from MDALSelectorLib.selection.case_selection import CaseSelection

TABLE_ROLE, POINTS_ROLE, CHART_ROLE = "MDAL ranking", "MDAL points", "MDAL plot"
RANGE_MARGIN = 0.05  # of the range, above and below the points
SELECTED_STYLE = SeriesStyle(
    (0.93, 0.16, 0.16), slicer.vtkMRMLPlotSeriesNode.MarkerStyleCross, size=18.0
)
MARKERS = {
    CaseState.SUGGESTED: slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond,
    CaseState.CHECK_PAIRING: slicer.vtkMRMLPlotSeriesNode.MarkerStyleSquare,
    CaseState.LABELLED: slicer.vtkMRMLPlotSeriesNode.MarkerStylePlus,
}


@dataclass(frozen=True)
class RunFacts:
    """What the scene keeps of a run beside its rows: an attribute of the table each.

    Attributes:
        run: Folder of the run.
        cohort: Folder or manifest that was ranked.
        trust: How far to trust the ranking, in words.
        note: Whether the order follows how images were acquired, in words; empty if not.
        evidence: What the labels say about the strategies, in words; empty if nothing.
        offered: The strategy that they speak for; empty if they give no reason to change.
    """

    run: str = ""
    cohort: str = ""
    trust: str = ""
    note: str = ""
    evidence: str = ""
    offered: str = ""


def attribute(field: Field[str]) -> str:
    """Return the name of the attribute of the table that keeps a fact."""
    return f"MDALSelector.{field.name.title()}"


def runFacts(run: Path, cohort: str, selection: CaseSelection, evidence: object) -> RunFacts:
    """Return what the scene keeps of a run.

    Args:
        run: Folder of the run.
        cohort: Folder or manifest that was ranked.
        selection: What came out.
        evidence: What the job told about labels and strategies, if it did.
    """
    told = evidence if isinstance(evidence, dict) else {}
    return RunFacts(
        run=str(run),
        cohort=cohort,
        trust=selection.trust.sentence,
        note=acquisitionNote(selection),
        evidence=str(told.get("text") or ""),
        offered=str(told.get("offered") or ""),
    )


def acquisitionNote(selection: CaseSelection) -> str:
    """Say whether the order follows how images were acquired, and what to do; empty if not."""
    found, within = selection.diagnostics, selection.configuration.get("within")
    sentences = []
    if within:
        text = _("The modality difference was compared within {name}.")
        sentences.append(text.format(name=within))
    for name in found.followed:
        text = _(
            "{name} explains {share} of the order: it follows how images were acquired. To compare"
            " cases within these groups alone, choose {name} at 'Compare within' in Advanced and"
            " press Start."
        )
        share = f"{found.acquisition_shares[name]:.0%}"
        sentences.append(text.format(name=name, share=share))
    return " ".join(sentences)


class RankingNodes:
    """Writes and reads the ranking of a scene.

    Attributes:
        plot: The plot of the ranking.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self.plot = ScatterPlot(scene, CHART_ROLE, POINTS_ROLE)
        self._key: tuple[object, ...] = ()
        self._rows: tuple[CaseRow, ...] = ()

    @property
    def facts(self) -> RunFacts:
        """What is known of the run; all empty if there is none."""
        node = findNode(self._scene, TABLE, TABLE_ROLE)
        if node is None:
            return RunFacts()
        return RunFacts(**{f.name: node.GetAttribute(attribute(f)) or "" for f in fields(RunFacts)})

    @property
    def run(self) -> str:
        """Folder of the run that the ranking comes from; empty if there is none."""
        return self.facts.run

    @property
    def pictureFolder(self) -> Path | None:
        """Folder of the pictures of the cases; `None` if there are none."""
        folder = Path(self.run) / "thumbnails"
        return folder if self.run and folder.is_dir() else None

    def reportFile(self) -> Path:
        """Return the report of the run.

        Raises:
            FileNotFoundError: If it is gone.
        """
        path = Path(self.run) / "report.html"
        if not path.is_file():
            text = _("The report {path} is not there any more. Start the selection again.")
            raise FileNotFoundError(text.format(path=path))
        return path

    def rows(self) -> list[CaseRow]:
        """Return the rows of the ranking, none if the scene has no ranking.

        Raises:
            ValueError: If the table of the scene is not a ranking.
        """
        node = findNode(self._scene, TABLE, TABLE_ROLE)
        if node is None:
            return []
        key = (node.GetID(), node.GetMTime(), node.GetTable().GetMTime())
        if self._key != key:
            self._key, self._rows = key, tuple(rows_from_columns(columnsOf(node)))
        return list(self._rows)

    def write(self, rows: Sequence[CaseRow], facts: RunFacts) -> None:
        """Replace the ranking of the scene."""
        node = findOrAddNode(self._scene, TABLE, TABLE_ROLE, name=TABLE_ROLE, isSaved=True)
        setColumns(node, columns_from_rows(rows))
        for field in fields(RunFacts):
            node.SetAttribute(attribute(field), getattr(facts, field.name))

    def update(self, rows: Sequence[CaseRow]) -> None:
        """Write rows whose states changed."""
        self.write(rows, self.facts)

    def remove(self) -> None:
        """Remove the ranking and its plot from the scene."""
        self.plot.remove()
        node = findNode(self._scene, TABLE, TABLE_ROLE)
        if node is not None:
            removeHelper(node)

    def tidy(self) -> None:
        """Keep one ranking, that of the scene that was read last, in the folder of the modules."""
        keepLatest(self._scene, TABLE, TABLE_ROLE)

    def draw(
        self, rows: Sequence[CaseRow], selected: str = ""
    ) -> slicer.vtkMRMLPlotChartNode | None:
        """Draw the modality difference against the first principal component.

        Args:
            rows: The rows; those without a value have no point.
            selected: Case whose point is marked.

        Returns:
            The chart; `None` if there is no point.
        """
        groups = _groups(rows, selected)
        if not any(groups.values()):
            self.plot.remove()
            return None
        chart = self.plot.draw(groups, _styles())
        with slicer.util.NodeModify(chart):
            chart.SetXAxisTitle(_("first principal component"))
            chart.SetYAxisTitle(_("modality difference"))
            _setRange(chart, rows)
        return chart

    def plotHint(self, *, hasRun: bool) -> str:
        """Say what the plot does not show; empty if it shows all.

        Args:
            hasRun: Whether the cohort that was inspected has a ranking on disk.
        """
        if self.plot.chart() is None and self.run:
            return _("No case of this ranking has a modality difference that could be drawn.")
        if self.plot.chart() is None and hasRun:
            return _("The ranking is not in the scene any more. Press Inspect to see it again.")
        if self.plot.chart() is None:
            return _("There is no ranking to draw yet. Press Start under Selection.")
        outliers = _outliers(self.rows())
        text = _("Not shown, as their difference is far from the others: {cases}.")
        return text.format(cases=", ".join(row.case_id for row in outliers)) if outliers else ""


def stateText(state: CaseState) -> str:
    """Return the name of a state in the user's language."""
    return {
        CaseState.UNLABELLED: _("unlabeled"),
        CaseState.SUGGESTED: _("suggested"),
        CaseState.IN_PROGRESS: _("in progress"),
        CaseState.LABELLED: _("labeled"),
        CaseState.SKIPPED: _("skipped"),
        CaseState.CHECK_PAIRING: _("check pairing"),
        CaseState.CONFIRMED: _("pairing confirmed"),
    }[state]


def _setRange(chart: slicer.vtkMRMLPlotChartNode, rows: Sequence[CaseRow]) -> None:
    """Leave outliers out, or all other points would fall together."""
    isAuto = not _outliers(rows)
    chart.SetYAxisRangeAuto(isAuto)
    if not isAuto:
        low, high = usual_range(_differences(rows))
        margin = RANGE_MARGIN * (high - low)
        chart.SetYAxisRange(low - margin, high + margin)


def _outliers(rows: Sequence[CaseRow]) -> list[CaseRow]:
    low, high = usual_range(_differences(rows))
    return [
        row
        for row in rows
        if row.modality_difference is not None and not low <= row.modality_difference <= high
    ]


def _differences(rows: Sequence[CaseRow]) -> list[float]:
    return [row.modality_difference for row in rows if row.modality_difference is not None]


def _groups(rows: Sequence[CaseRow], selected: str) -> dict[str, list[Point]]:
    groups: dict[str, list[Point]] = {stateText(state): [] for state in CaseState}
    chosen = groups[_("selected")] = []
    for row in rows:
        if row.component is None or row.modality_difference is None:
            continue
        point = (row.case_id, row.component, row.modality_difference)
        groups[stateText(row.state)].append(point)
        if row.case_id == selected:
            chosen.append(point)
    return groups


def _styles() -> dict[str, SeriesStyle]:
    circle = slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle
    styles = {
        stateText(state): SeriesStyle(color, MARKERS.get(state, circle))
        for state, color in STATE_COLORS.items()
    }
    return {**styles, _("selected"): SELECTED_STYLE}
