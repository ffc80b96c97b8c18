"""Stand-ins for views of plots, drawn by VTK's charts."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_host.errors import HostGapError
from slicer_host.stand_ins.mrml_base import Observation, WithScene
from slicer_host.views.picture import Picture

AXES = {"X": (vtk.vtkAxis.BOTTOM, vtk.vtkAxis.TOP), "Y": (vtk.vtkAxis.LEFT, vtk.vtkAxis.RIGHT)}
MARKERS = ("None", "Cross", "Plus", "Square", "Circle", "Diamond")  # in the order of vtkPlotPoints
LEFT_BUTTON = vtk.vtkContextMouseEvent.LEFT_BUTTON


class qMRMLPlotView(WithScene, Picture):
    """Chart of a plot chart node; tells which points were picked."""

    dataSelected = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._series: dict[Any, str] = {}
        self._view = vtk.vtkContextView()
        self._view.SetRenderWindow(self._window)
        self._chart = vtk.vtkChartXY()
        self._view.GetScene().AddItem(self._chart)
        self._chart.GetBackgroundBrush().SetColor(255, 253, 246, 255)
        style = vtk.vtkContextInteractorStyle()
        style.SetScene(self._view.GetScene())
        self._interactor.SetInteractorStyle(style)
        self._chartObservation = Observation(self)
        self._chartObservation.add(self._chart, "SelectionChangedEvent", "_onSelected")
        self._observation = Observation(self)
        window = self._window
        self.destroyed.connect(lambda *_: window.Finalize())

    def chart(self) -> Any:
        return self._chart

    def scene(self) -> Any:
        return self._view.GetScene()

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        self._update()

    def _chartNode(self) -> Any:
        if self._scene is None or self._node is None or self._node.GetPlotChartNodeID() is None:
            return None
        return self._scene.GetNodeByID(self._node.GetPlotChartNodeID())

    def _update(self, *_: Any) -> None:
        self._observation.remove()
        if self._node is None:
            return
        self._observation.add(self._node, "ModifiedEvent", "_update")
        if self._node.GetInteractionMode() == self._node.InteractionModeSelectPoints:
            self._chart.SetClickActionToButton(vtk.vtkChart.SELECT, LEFT_BUTTON)
            self._chart.SetActionToButton(vtk.vtkChart.SELECT, LEFT_BUTTON)
        self._chart.ClearPlots()
        self._series.clear()
        chart = self._chartNode()
        if chart is not None:
            self._observation.add(chart, "ModifiedEvent", "_update")
            self._observation.add(chart, chart.PlotModifiedEvent, "_update")
            for index in range(chart.GetNumberOfPlotSeriesNodes()):
                self._addSeries(chart.GetNthPlotSeriesNode(index))
            self._setTexts(chart)
        self._view.GetScene().SetDirty(True)
        self.scheduleRender()

    def _addSeries(self, series: Any) -> None:
        table = series.GetTableNode().GetTable() if series.GetTableNode() is not None else None
        x, y = series.GetXColumnName(), series.GetYColumnName()
        if table is None or not (table.GetColumnByName(x) and table.GetColumnByName(y)):
            return
        if series.GetPlotType() != series.PlotTypeScatter:
            msg = f"The host draws scatter plots only, not the series {series.GetName()}."
            raise HostGapError(msg)
        plot = self._chart.AddPlot(vtk.vtkChart.LINE)
        plot.SetInputData(table, x, y)
        plot.SetColorF(*series.GetColor())
        plot.SetWidth(series.GetLineWidth())
        plot.SetLabel(series.GetName())
        labels = table.GetColumnByName(series.GetLabelColumnName() or "")
        if labels is not None:
            plot.SetIndexedLabels(labels)
            plot.SetTooltipLabelFormat("%i: (%x, %y)")
        solid = series.GetLineStyle() == series.LineStyleSolid
        plot.GetPen().SetLineType(vtk.vtkPen.SOLID_LINE if solid else vtk.vtkPen.NO_PEN)
        plot.SetMarkerSize(series.GetMarkerSize())
        markers = [getattr(series, f"MarkerStyle{name}") for name in MARKERS]
        plot.SetMarkerStyle(markers.index(series.GetMarkerStyle()))
        self._series[plot] = series.GetID()

    def _setTexts(self, chart: Any) -> None:
        self._chart.SetTitle(chart.GetTitle() or "" if chart.GetTitleVisibility() else "")
        self._chart.SetShowLegend(chart.GetLegendVisibility())
        for name, sides in AXES.items():
            shown = getattr(chart, f"Get{name}AxisTitleVisibility")()
            title = getattr(chart, f"Get{name}AxisTitle")() or "" if shown else ""
            for side in sides:
                axis = self._chart.GetAxis(side)
                axis.SetTitle(title)
                axis.SetGridVisible(chart.GetGridVisibility())
                axis.SetBehavior(vtk.vtkAxis.AUTO)
                if not getattr(chart, f"Get{name}AxisRangeAuto")():
                    axis.SetBehavior(vtk.vtkAxis.FIXED)
                    axis.SetUnscaledRange(*getattr(chart, f"Get{name}AxisRange")())
        self._chart.RecalculateBounds()

    def _onSelected(self, *_: Any) -> None:
        identities, selections = vtk.vtkStringArray(), vtk.vtkCollection()
        for index in range(self._chart.GetNumberOfPlots()):
            plot = self._chart.GetPlot(index)
            selection = plot.GetSelection()
            if selection is not None and selection.GetNumberOfValues() > 0:
                selections.AddItem(selection)
                identities.InsertNextValue(self._series[plot])
        self.dataSelected.emit(identities, selections)
