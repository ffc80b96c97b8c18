"""A scatter plot inside a panel; a picked point is a case."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk

from MultimodalSlicerLib.helper_nodes import ROLE_ATTRIBUTE, roleOf
from MultimodalSlicerLib.table_nodes import pointLabels
from MultimodalSlicerLib.volume_nodes import hideHelper
from MultimodalWidgetsLib.plot_look import ThemeColors, legendText
from MultimodalWidgetsLib.room import keepRoom, reserveLines
from MultimodalWidgetsLib.signal import Signal

HEIGHT = 230


class CasePlot:
    """Shows a chart of the scene in a plot view of its own.

    Attributes:
        picked: Emits the label of the point that was picked.
        view: The widget.
        legend: Says below it which sign is what; `None` if there is no legend.
    """

    def __init__(
        self, layout: qt.QLayout, name: str, *, height: int = HEIGHT, legendLines: int = 0
    ) -> None:
        """Make a view.

        Args:
            layout: Receives the view, and a legend below it, where it hides no point.
            name: Name of the view's node.
            height: Least height of the view, pixels.
            legendLines: Lines of the legend; 0 for none.
        """
        self.picked = Signal()
        self._name = name
        self.view = slicer.qMRMLPlotView()
        self.view.setMinimumHeight(height)
        self.view.setMRMLScene(slicer.mrmlScene)
        self.view.setMRMLPlotViewNode(self._viewNode())
        self.view.connect("dataSelected(vtkStringArray*,vtkCollection*)", self._onSelected)
        keepRoom(self.view)
        layout.addWidget(self.view)
        self.colors = ThemeColors(self.view)
        self.legend = qt.QLabel() if legendLines else None
        if self.legend is not None:
            self.legend.setWordWrap(True)
            layout.addWidget(self.legend)
            reserveLines(legendLines, self.legend)

    def show(self, chart: slicer.vtkMRMLPlotChartNode | None) -> None:
        """Show a chart; without one the view is hidden."""
        node = self._viewNode()
        self.view.setMRMLPlotViewNode(node)
        self.colors.apply()
        self.view.setVisible(chart is not None)
        if chart is not None:
            chart.SetLegendVisibility(False)
        node.SetPlotChartNodeID(None if chart is None else chart.GetID())
        if self.legend is not None:
            self.legend.setText("" if chart is None else legendText(chart))

    def _viewNode(self) -> slicer.vtkMRMLPlotViewNode:
        """The view's node is a singleton, so that a scene that is read does not bring a second."""
        node = slicer.mrmlScene.GetSingletonNode(self._name, "vtkMRMLPlotViewNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLPlotViewNode")
            node.UnRegister(None)
            node.SetSingletonTag(self._name)
            node.SetLayoutName(self._name)
            node.SetInteractionMode(slicer.vtkMRMLPlotViewNode.InteractionModeSelectPoints)
            node = slicer.mrmlScene.AddNode(node)
        if roleOf(node) != self._name:  # new, or as new after the scene was closed
            node.SetName(self._name)
            node.SetAttribute(ROLE_ATTRIBUTE, self._name)
            hideHelper(node)
        return node

    def _onSelected(self, seriesIDs: vtk.vtkStringArray, selections: vtk.vtkCollection) -> None:
        for index in range(seriesIDs.GetNumberOfValues()):
            series = slicer.mrmlScene.GetNodeByID(seriesIDs.GetValue(index))
            ids: Any = selections.GetItemAsObject(index)
            labels = pointLabels(series, [ids.GetValue(i) for i in range(ids.GetNumberOfValues())])
            if labels:
                self._planPick(labels[0])
                return

    def _planPick(self, label: str) -> None:
        """Tell it a moment later: the chart still handles the click, and may be changed by it."""
        qt.QTimer.singleShot(0, lambda: self.picked.emit(label))
