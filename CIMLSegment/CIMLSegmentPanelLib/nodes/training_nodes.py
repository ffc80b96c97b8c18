"""The course of a training in the scene: a table and a plot that are saved with it.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.table_nodes import Point, ScatterPlot, SeriesStyle

POINTS_ROLE, CHART_ROLE = "CIML training", "CIML training plot"
_NO_LINE = slicer.vtkMRMLPlotSeriesNode.LineStyleNone
_SOLID = slicer.vtkMRMLPlotSeriesNode.LineStyleSolid
_CIRCLE = slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle
_DIAMOND = slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond
STYLES = (
    SeriesStyle((0.84, 0.37, 0.0), _CIRCLE, size=5.0, line=_SOLID),
    SeriesStyle((0.0, 0.45, 0.70), _DIAMOND, size=9.0, line=_SOLID),
)


@dataclass(frozen=True)
class CurvePoint:
    """What a training reported at a step.

    Attributes:
        step: Optimizer step.
        loss: Mean loss since the last point; `None` if not reported.
        dice: Mean validation Dice, 0 to 1; `None` if not validated.
    """

    step: int
    loss: float | None
    dice: float | None


def curvePoint(content: Mapping[str, object]) -> CurvePoint | None:
    """Understand an event of a training; `None` if it is about something else."""
    step, loss, dice = (content.get(name) for name in ("step", "loss", "dice"))
    if not isinstance(step, int) or isinstance(step, bool):
        return None
    values = [value if isinstance(value, int | float) else None for value in (loss, dice)]
    return None if values == [None, None] else CurvePoint(step, *values)


class TrainingNodes:
    """Writes the course of one training at a time.

    Attributes:
        plot: The plot of the course.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self.plot = ScatterPlot(scene, CHART_ROLE, POINTS_ROLE)
        self._points: list[CurvePoint] = []

    def clear(self) -> None:
        """Begin anew."""
        self._points = []
        self.plot.remove()

    def add(self, point: CurvePoint) -> slicer.vtkMRMLPlotChartNode:
        """Draw one more point and return the chart."""
        self._points.append(point)
        groups = self._groups()
        chart = self.plot.draw(groups, self._styles(groups))
        chart.SetXAxisTitle(_("step"))
        chart.SetYAxisTitle(_("loss, validation Dice"))
        return chart

    def _styles(self, groups: Mapping[str, list[Point]]) -> dict[str, SeriesStyle]:
        """The plot's view complains about a line through a single point."""
        isLine = max(map(len, groups.values())) > 1
        styles = STYLES if isLine else [replace(style, line=_NO_LINE) for style in STYLES]
        return dict(zip(groups, styles, strict=True))

    def _groups(self) -> dict[str, list[Point]]:
        losses = [(str(p.step), float(p.step), p.loss) for p in self._points if p.loss is not None]
        dices = [(str(p.step), float(p.step), p.dice) for p in self._points if p.dice is not None]
        return {_("loss"): losses, _("validation Dice"): dices}
