"""The course of a training in the scene: a table that is saved with it, and a plot.

Must not import Qt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.helper_nodes import findNode, findOrAddNode, keepLatest, removeHelper
from MultimodalSlicerLib.table_nodes import (
    TABLE,
    Point,
    ScatterPlot,
    SeriesStyle,
    columnsOf,
    setColumns,
)

COURSE_ROLE = "CIML training course"
POINTS_ROLE, CHART_ROLE = "CIML training points", "CIML training plot"
DICE_POINTS_ROLE, DICE_CHART_ROLE = "CIML training Dice points", "CIML training Dice plot"
COLUMNS = ("step", "loss", "validation Dice")
_NO_LINE = slicer.vtkMRMLPlotSeriesNode.LineStyleNone
_SOLID = slicer.vtkMRMLPlotSeriesNode.LineStyleSolid
_CIRCLE = slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle
_DIAMOND = slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond
LOSS_STYLE = SeriesStyle((0.84, 0.37, 0.0), _CIRCLE, size=5.0, line=_SOLID)
DICE_STYLE = SeriesStyle((0.20, 0.60, 0.85), _DIAMOND, size=9.0, line=_SOLID)


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
    """Writes the course of one training at a time: loss and Dice have a plot each.

    Attributes:
        loss: The plot of the loss.
        dice: The plot of the validation Dice.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self.loss = ScatterPlot(scene, CHART_ROLE, POINTS_ROLE)
        self.dice = ScatterPlot(scene, DICE_CHART_ROLE, DICE_POINTS_ROLE)
        self._scene = scene
        self._points: list[CurvePoint] = []
        self.takeOver()

    def clear(self) -> None:
        """Begin anew."""
        self._points = []
        self._removePlots()
        course = findNode(self._scene, TABLE, COURSE_ROLE)
        if course is not None:
            removeHelper(course)

    def takeOver(self) -> None:
        """Know the course that a scene brought, the one of the scene that was read last."""
        course = findNode(self._scene, TABLE, COURSE_ROLE)
        self._points = [] if course is None else _pointsFrom(course)

    def tidy(self) -> None:
        """Keep one course, the latest, in the folder of the modules."""
        keepLatest(self._scene, TABLE, COURSE_ROLE)

    def add(self, point: CurvePoint) -> None:
        """Keep one more point."""
        self._points.append(point)
        course = findOrAddNode(self._scene, TABLE, COURSE_ROLE, name=COURSE_ROLE, isSaved=True)
        values = zip(
            *((p.step, _number(p.loss), _number(p.dice)) for p in self._points), strict=True
        )
        setColumns(course, dict(zip(COLUMNS, map(list, values), strict=True)))

    def draw(self) -> tuple[slicer.vtkMRMLPlotChartNode | None, slicer.vtkMRMLPlotChartNode | None]:
        """Draw the course; return the charts of loss and Dice, `None` for what it has not."""
        if not self._points or findNode(self._scene, TABLE, COURSE_ROLE) is None:
            self._removePlots()
            return None, None
        losses = [(p.step, p.loss) for p in self._points if p.loss is not None]
        dices = [(p.step, p.dice) for p in self._points if p.dice is not None]
        charts = (
            _draw(self.loss, _("loss"), losses, LOSS_STYLE),
            _draw(self.dice, _("validation Dice"), dices, DICE_STYLE),
        )
        if charts[1] is not None:
            charts[1].SetYAxisRangeAuto(False)
            charts[1].SetYAxisRange(0.0, 1.0)
        return charts

    def _removePlots(self) -> None:
        self.loss.remove()
        self.dice.remove()


def _draw(
    plot: ScatterPlot, name: str, values: Sequence[tuple[int, float]], style: SeriesStyle
) -> slicer.vtkMRMLPlotChartNode | None:
    """Draw a curve; the plot's view complains about a line through a single point."""
    if not values:
        plot.remove()
        return None
    points: list[Point] = [(str(step), float(step), value) for step, value in values]
    shown = style if len(points) > 1 else replace(style, line=_NO_LINE)
    chart = plot.draw({name: points}, {name: shown})
    chart.SetXAxisTitle(_("step"))
    chart.SetYAxisTitle(name)
    return chart


def _pointsFrom(course: slicer.vtkMRMLTableNode) -> list[CurvePoint]:
    """Read points back; none from a table that is no course of a training."""
    columns = columnsOf(course)
    if not set(COLUMNS) <= set(columns):
        return []
    rows = zip(*(columns[title] for title in COLUMNS), strict=True)
    return [CurvePoint(int(step), _optional(loss), _optional(dice)) for step, loss, dice in rows]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else value
