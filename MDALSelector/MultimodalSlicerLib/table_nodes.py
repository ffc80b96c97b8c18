"""Tables and scatter plots of the scene: written from columns, read back after the scene was saved.

Must not import Qt. Nodes are found again by their role, an attribute that the scene's file keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from MultimodalSlicerLib.volume_nodes import nodesOf

ROLE_ATTRIBUTE = "CrossModal.Role"
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


def findNode(scene: slicer.vtkMRMLScene, className: str, role: str) -> slicer.vtkMRMLNode | None:
    """Return the node of a class that has a role; `None` if there is none."""
    nodes = nodesOf(scene, className)
    return next((node for node in nodes if node.GetAttribute(ROLE_ATTRIBUTE) == role), None)


def findOrAddNode(
    scene: slicer.vtkMRMLScene, className: str, role: str, *, name: str
) -> slicer.vtkMRMLNode:
    """Return the node of a class that has a role, made if there is none."""
    node = findNode(scene, className, role)
    if node is None:
        node = scene.AddNewNodeByClass(className, scene.GenerateUniqueName(name))
        node.SetAttribute(ROLE_ATTRIBUTE, role)
    return node


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
    """A chart of the scene with the table of its points; found again after the scene was saved.

    Attributes:
        scene: The scene.
        chartRole: Role of the chart.
        pointsRole: Role of the table.
    """

    scene: slicer.vtkMRMLScene
    chartRole: str
    pointsRole: str

    def chart(self) -> slicer.vtkMRMLPlotChartNode | None:
        """Return the chart; `None` if there is none."""
        return findNode(self.scene, "vtkMRMLPlotChartNode", self.chartRole)

    def remove(self) -> None:
        """Remove the chart, its series and its points from the scene."""
        chart, table = self.chart(), findNode(self.scene, "vtkMRMLTableNode", self.pointsRole)
        series = () if chart is None else seriesByName(chart).values()
        for node in (*series, chart, table):
            if node is not None:
                self.scene.RemoveNode(node)

    def draw(
        self, groups: Mapping[str, Sequence[Point]], styles: Mapping[str, SeriesStyle]
    ) -> slicer.vtkMRMLPlotChartNode:
        """Draw points in groups, one series per group that has any, and return the chart.

        Args:
            groups: Points per name of a group, in the order of drawing.
            styles: Style per name of a group.
        """
        roles = {"vtkMRMLPlotChartNode": self.chartRole, "vtkMRMLTableNode": self.pointsRole}
        chart, table = (
            findOrAddNode(self.scene, kind, role, name=role) for kind, role in roles.items()
        )
        drawn = {name: points for name, points in groups.items() if points}
        existing = seriesByName(chart)
        with slicer.util.NodeModify(chart):
            chart.RemoveAllPlotSeriesNodeIDs()
            setColumns(table, _pointColumns(drawn))
            for name in drawn:
                series = existing.pop(name, None) or _addSeries(chart, name)
                _setSeries(series, table, styles[name])
                chart.AddAndObservePlotSeriesNodeID(series.GetID())
        for series in existing.values():
            self.scene.RemoveNode(series)
        return chart


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


def _addSeries(chart: slicer.vtkMRMLPlotChartNode, name: str) -> slicer.vtkMRMLPlotSeriesNode:
    return chart.GetScene().AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)


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
