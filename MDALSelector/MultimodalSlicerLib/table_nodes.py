"""Tables and scatter plots of the scene, written from columns.

Must not import Qt. A plot is drawn from what the scene keeps; its own nodes are not saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from MultimodalSlicerLib.helper_nodes import (
    addHelper,
    findNode,
    findNodes,
    findOrAddNode,
    removeHelper,
)

CHART, TABLE, SERIES = "vtkMRMLPlotChartNode", "vtkMRMLTableNode", "vtkMRMLPlotSeriesNode"
MARKER_SIZE = 9.0
Point = tuple[str, float, float]  # label, x, y


@dataclass(frozen=True)
class SeriesStyle:
    """How the points of one group are drawn.

    Attributes:
        color: Red, green, blue, 0 to 1.
        marker: A `MarkerStyle...` value of `vtkMRMLPlotSeriesNode`.
        size: Size of the markers, pixels.
        line: A `LineStyle...` value: how the points are joined.
    """

    color: tuple[float, float, float]
    marker: int = slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle
    size: float = MARKER_SIZE
    line: int = slicer.vtkMRMLPlotSeriesNode.LineStyleNone


def setColumns(
    node: slicer.vtkMRMLTableNode, columns: Mapping[str, Sequence[str | float | int]]
) -> None:
    """Replace the content of a table, which the user then can read but not edit.

    Args:
        node: The table.
        columns: Values per title, all of the same number; text, whole numbers or numbers, where
            NaN is a missing one. Kept is what a table's file can hold, so that a saved scene comes
            back as it was: six significant digits, and no line ends or tabs in text.
    """
    with slicer.util.NodeModify(node):
        node.RemoveAllColumns()
        for title, values in columns.items():
            array = _array(title, values)
            node.AddColumn(array)
            node.SetColumnType(title, array.GetDataType())
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)


def columnsOf(node: slicer.vtkMRMLTableNode) -> dict[str, list[str | float | int]]:
    """Return the values of a table per title."""
    table = node.GetTable()
    arrays = (table.GetColumn(index) for index in range(table.GetNumberOfColumns()))
    return {
        array.GetName(): [array.GetValue(row) for row in range(array.GetNumberOfValues())]
        for array in arrays
    }


@dataclass(frozen=True)
class ScatterPlot:
    """A chart of the scene with its series and the table of its points.

    Attributes:
        scene: The scene.
        chartRole: Role of the chart.
        pointsRole: Role of the table.
    """

    scene: slicer.vtkMRMLScene
    chartRole: str
    pointsRole: str

    @property
    def seriesRole(self) -> str:
        """Role of the series."""
        return f"{self.chartRole} series"

    def chart(self) -> slicer.vtkMRMLPlotChartNode | None:
        """Return the chart; `None` if there is none."""
        return findNode(self.scene, CHART, self.chartRole)

    def remove(self) -> None:
        """Remove the chart, its series and its points from the scene, however many there are."""
        self._remove()

    def draw(
        self, groups: Mapping[str, Sequence[Point]], styles: Mapping[str, SeriesStyle]
    ) -> slicer.vtkMRMLPlotChartNode:
        """Draw points in groups, one series per group that has any, and return the chart.

        Args:
            groups: Points per name of a group, in the order of drawing.
            styles: Style per name of a group.
        """
        chart = findOrAddNode(self.scene, CHART, self.chartRole, name=self.chartRole)
        table = findOrAddNode(self.scene, TABLE, self.pointsRole, name=self.pointsRole)
        drawn = {name: points for name, points in groups.items() if points}
        existing, used = seriesByName(chart), []
        with slicer.util.NodeModify(chart):
            chart.RemoveAllPlotSeriesNodeIDs()
            setColumns(table, _pointColumns(drawn))
            for name in drawn:
                series = existing.get(name) or self._addSeries(name)
                _setSeries(series, table, styles[name])
                chart.AddAndObservePlotSeriesNodeID(series.GetID())
                used.append(series)
        self._remove(but=(chart, table, *used))
        return chart

    def _remove(self, but: Sequence[slicer.vtkMRMLNode] = ()) -> None:
        roles = {CHART: self.chartRole, TABLE: self.pointsRole, SERIES: self.seriesRole}
        own = [node for kind, role in roles.items() for node in findNodes(self.scene, kind, role)]
        for node in own:
            if node not in but:
                removeHelper(node)

    def _addSeries(self, name: str) -> slicer.vtkMRMLPlotSeriesNode:
        return addHelper(self.scene, SERIES, self.seriesRole, name=name)


def pointLabels(series: slicer.vtkMRMLPlotSeriesNode, indexes: Sequence[int]) -> list[str]:
    """Return the labels of points of a series, each once."""
    column = series.GetTableNode().GetTable().GetColumnByName(series.GetLabelColumnName())
    return list(dict.fromkeys(column.GetValue(index) for index in indexes))


def seriesByName(
    chart: slicer.vtkMRMLPlotChartNode,
) -> dict[str, slicer.vtkMRMLPlotSeriesNode]:
    """Return the series of a chart by the group that they draw."""
    nodes = (chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes()))
    return {node.GetName(): node for node in nodes if node is not None}


def _array(title: str, values: Sequence[str | float | int]) -> vtk.vtkAbstractArray:
    array: vtk.vtkAbstractArray
    if all(isinstance(value, str) for value in values):
        array = vtk.vtkStringArray()
    elif all(isinstance(value, int) for value in values):
        array = vtk.vtkIntArray()
    else:
        array = vtk.vtkDoubleArray()
    array.SetName(title)
    _append(array, values)
    return array


def _append(array: Any, values: Sequence[str | float | int]) -> None:
    for value in values:
        array.InsertNextValue(_storable(value))


def _storable(value: str | float | int) -> str | float | int:
    if isinstance(value, str):
        return " ".join(value.split())
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _pointColumns(groups: Mapping[str, Sequence[Point]]) -> dict[str, list[str | float]]:
    """Columns of equal length: a group with fewer points repeats its last one.

    Missing values instead would break the view, which takes the range of its axes from them.
    """
    length = max((len(points) for points in groups.values()), default=0)
    columns: dict[str, list[str | float]] = {}
    for name, points in groups.items():
        padded = [*points, *[points[-1]] * (length - len(points))]
        for title, values in zip(_titles(name), zip(*padded, strict=True), strict=True):
            columns[title] = list(values)
    return columns


def _titles(group: str) -> tuple[str, str, str]:
    return f"{group}: case", f"{group}: x", f"{group}: y"


def _setSeries(
    series: slicer.vtkMRMLPlotSeriesNode, table: slicer.vtkMRMLTableNode, style: SeriesStyle
) -> None:
    label, x, y = _titles(series.GetName())
    with slicer.util.NodeModify(series):
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetLabelColumnName(label)
        series.SetXColumnName(x)
        series.SetYColumnName(y)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetLineStyle(style.line)
        series.SetMarkerStyle(style.marker)
        series.SetMarkerSize(style.size)
        series.SetColor(*style.color)
