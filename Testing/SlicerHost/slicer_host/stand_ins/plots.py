"""Stand-ins for views of plots, drawn by VTK's charts."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.views.abstract_view import Bar, ViewWidget
from slicer_host.views.picture import Picture

AXES = {"X": (vtk.vtkAxis.BOTTOM, vtk.vtkAxis.TOP), "Y": (vtk.vtkAxis.LEFT, vtk.vtkAxis.RIGHT)}
LEFT_BUTTON = vtk.vtkContextMouseEvent.LEFT_BUTTON


class qMRMLPlotView(Picture):
    """Chart of a plot chart node; tells which points were picked."""

    dataSelected = Signal(object, object)
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._series: dict[Any, str] = {}
        self._view = vtk.vtkContextView()
        self._view.SetRenderWindow(self._window)
        self._chart = vtk.vtkChartXY()
        self._view.GetScene().AddItem(self._chart)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        style = vtk.vtkContextInteractorStyle()
        style.SetScene(self._view.GetScene())
        self._interactor.SetInteractorStyle(style)
        self._interactor.Initialize()
        self._chartObservation = Observation(self)
        self._chartObservation.add(self._chart, "SelectionChangedEvent", "_onSelected")
        self._observation = Observation(self)
        window = self._window
        self.destroyed.connect(lambda *_: window.Finalize())

    def interactor(self) -> Any:
        return getattr(self, "_interactor", None)

    def chart(self) -> Any:
        return self._chart

    def scene(self) -> Any:
        return self._view.GetScene()

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
            self._update()

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
        self._setMode()
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

    def _setMode(self) -> None:
        kind, chart = slicer.vtkMRMLPlotViewNode, self._chart
        actions = {
            kind.InteractionModePanView: (vtk.vtkChart.SELECT, vtk.vtkChart.PAN),
            kind.InteractionModeSelectPoints: (vtk.vtkChart.SELECT, vtk.vtkChart.SELECT),
            kind.InteractionModeFreehandSelectPoints: (
                vtk.vtkChart.SELECT,
                vtk.vtkChart.SELECT_POLYGON,
            ),
        }
        found = actions.get(self._node.GetInteractionMode())
        if found is not None:
            chart.SetClickActionToButton(found[0], LEFT_BUTTON)
            chart.SetActionToButton(found[1], LEFT_BUTTON)

    def _addSeries(self, series: Any) -> None:
        if series is None or series.GetTableNode() is None:
            return
        table = series.GetTableNode().GetTable()
        x, y = series.GetXColumnName() or "", series.GetYColumnName() or ""
        names = {table.GetColumnName(column) for column in range(table.GetNumberOfColumns())}
        if y not in names or (series.IsXColumnRequired() and x not in names):
            return
        if any(table.GetColumnByName(name).IsA("vtkStringArray") for name in {x, y} & names):
            return
        isBar = series.GetPlotType() in {series.PlotTypeBar, series.PlotTypeScatterBar}
        plot = self._chart.AddPlot(vtk.vtkChart.BAR if isBar else vtk.vtkChart.LINE)
        plot.SetUseIndexForXSeries(not series.IsXColumnRequired())
        plot.SetInputData(table, x if series.IsXColumnRequired() else y, y)
        self._setStyle(plot, series, isBar=isBar)
        self._series[plot] = series.GetID()

    def _setStyle(self, plot: Any, series: Any, *, isBar: bool) -> None:
        plot.SetColorF(*series.GetColor())
        plot.SetWidth(series.GetLineWidth())
        plot.SetLabel(series.GetName())
        labels = series.GetTableNode().GetTable().GetColumnByName(series.GetLabelColumnName() or "")
        if labels is not None and labels.IsA("vtkStringArray"):
            plot.SetIndexedLabels(labels)
            plot.SetTooltipLabelFormat("%i: (%x, %y)")
        if isBar:
            return
        pens = {
            series.LineStyleSolid: vtk.vtkPen.SOLID_LINE,
            series.LineStyleDash: vtk.vtkPen.DASH_LINE,
            series.LineStyleDot: vtk.vtkPen.DOT_LINE,
        }
        plot.GetPen().SetLineType(pens.get(series.GetLineStyle(), vtk.vtkPen.NO_PEN))
        plot.SetMarkerSize(series.GetMarkerSize())
        styles = ("None", "Cross", "Plus", "Square", "Circle", "Diamond")
        markers = {
            getattr(series, f"MarkerStyle{name}"): number for number, name in enumerate(styles)
        }
        plot.SetMarkerStyle(markers.get(series.GetMarkerStyle(), 0))

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

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()
        self.scheduleRender()

    def RemovePlotSelections(self) -> None:
        for index in range(self._chart.GetNumberOfPlots()):
            selection = self._chart.GetPlot(index).GetSelection()
            if selection is not None:
                selection.SetNumberOfValues(0)
        self._chart.InvokeEvent("SelectionChangedEvent")


class qMRMLPlotViewControllerWidget(Bar):
    """Bar of a plot view."""

    def setPlotView(self, view: qMRMLPlotView) -> None:
        self._view = view

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def fitPlotToAxes(self) -> None:
        self._view.fitToContent()


class qMRMLPlotWidget(ViewWidget):
    """Plot view with its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLPlotViewControllerWidget(), qMRMLPlotView(), parent)
        self._bar.setPlotView(self._view)

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def plotController(self) -> qMRMLPlotViewControllerWidget:
        return self._bar

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        self._bar.setNode(node)
        self._view.setMRMLPlotViewNode(node)

    setMRMLAbstractViewNode = setMRMLPlotViewNode
