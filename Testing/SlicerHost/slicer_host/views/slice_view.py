"""Stand-ins for slice views."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QToolButton, QWidget

from slicer_host.stand_ins.mrml_numbers import qMRMLSliderWidget
from slicer_host.views.abstract_view import APPLICATION, Bar, ManagedView, ViewWidget


class qMRMLSliceView(ManagedView):
    """Slice view: an image from the slice logic with the managers' drawings over it."""

    host_names = ("setLogic",)
    factory = "vtkMRMLSliceViewDisplayableManagerFactory"
    managers = (
        "vtkMRMLVolumeGlyphSliceDisplayableManager", "vtkMRMLModelSliceDisplayableManager",
        "vtkMRMLCrosshairDisplayableManager", "vtkMRMLOrientationMarkerDisplayableManager",
        "vtkMRMLRulerDisplayableManager", "vtkMRMLScalarBarDisplayableManager",
        "vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager",
        "vtkMRMLTransformsDisplayableManager2D", "vtkMRMLLinearTransformsDisplayableManager",
        "vtkMRMLColorLegendDisplayableManager",
    )  # fmt: skip

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self._overlay = vtk.vtkRenderer()
        self._overlay.SetLayer(1)
        self._overlay.GetActiveCamera().ParallelProjectionOn()
        self._window.SetNumberOfLayers(2)
        self._window.AddRenderer(self._overlay)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())

    def overlayRenderer(self) -> Any:
        return self._overlay

    def mrmlSliceNode(self) -> Any:
        return self._node

    def setMRMLSliceNode(self, node: Any) -> None:
        self.setNode(node)

    def interactorObserver(self) -> Any:
        return self._style

    sliceViewInteractorStyle = interactorObserver

    def setLogic(self, logic: Any) -> None:
        """Let the interaction style act on the slice logic."""
        self._style.SetSliceLogic(logic)
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)

    def setImageDataConnection(self, connection: Any) -> None:
        """Show the image of the slice logic, or nothing."""
        self._mapper.SetInputConnection(connection)
        if connection is None:
            self._renderer.RemoveViewProp(self._actor)
        elif not self._renderer.HasViewProp(self._actor):
            self._renderer.AddViewProp(self._actor)
        self.scheduleRender()

    def convertXYZToRAS(self, xyz: Any) -> list[float]:
        point = self._node.GetXYToRAS().MultiplyPoint([*xyz, 1])
        return list(point[:3])

    def convertRASToXYZ(self, ras: Any) -> list[float]:
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self._node.GetXYToRAS(), inverse)
        return list(inverse.MultiplyPoint([*ras, 1])[:3])

    def setViewCursor(self, cursor: Any) -> None:
        self.setCursor(cursor)

    def unsetViewCursor(self) -> None:
        self.unsetCursor()


class qMRMLSliceControllerWidget(Bar):
    """Bar of a slice view: offset slider and fit button."""

    renderRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic: Any = None
        self._slider = qMRMLSliderWidget(self)
        self._fit = QToolButton(self, text="Fit", toolTip="Fit the slice to the background volume")
        self._row.addWidget(self._slider, 1)
        self._row.addWidget(self._fit)
        self._slider.valueChanged.connect(self.setSliceOffsetValue)
        self._fit.clicked.connect(lambda: self.fitSliceToBackground())

    def sliceLogic(self) -> Any:
        return self._logic

    def setSliceLogic(self, logic: Any) -> None:
        self._logic = logic

    def mrmlSliceNode(self) -> Any:
        return self._node

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceOffsetSlider(self) -> QWidget:
        return self._slider

    def _onNode(self, *_: Any) -> None:
        super()._onNode()
        bounds, step = [0.0, -1.0], vtk.reference(1.0)
        if self._logic is None or not self._logic.GetSliceOffsetRangeResolution(bounds, step):
            return
        with QSignalBlocker(self._slider):
            self._slider.setMinimum(bounds[0])
            self._slider.setMaximum(bounds[1])
            self._slider.setSingleStep(float(step))
            self._slider.setValue(self._logic.GetSliceOffset())

    def setSliceOffsetValue(self, offset: float) -> None:
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def fitSliceToBackground(self) -> None:
        self._logic.StartSliceNodeInteraction(self._node.ResetFieldOfViewFlag)
        self._logic.FitSliceToBackground()
        self._logic.SnapSliceOffsetToIJK()
        self._logic.EndSliceNodeInteraction()

    def setSliceLink(self, linked: bool) -> None:
        self._eachComposite(lambda node: node.SetLinkedControl(linked))

    def setHotLinked(self, linked: bool) -> None:
        self._eachComposite(lambda node: node.SetHotLinkedControl(linked))

    def _eachComposite(self, change: Any) -> None:
        nodes = self._scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
        nodes.UnRegister(None)
        for index in range(nodes.GetNumberOfItems()):
            change(nodes.GetItemAsObject(index))

    def setSliceVisible(self, visible: bool) -> None:
        self._node.SetSliceVisible(visible)

    def sliceOrientation(self) -> str:
        return self._node.GetOrientation()

    def setSliceOrientation(self, orientation: str) -> None:
        self._node.SetOrientation(orientation)

    def setForegroundOpacity(self, opacity: float) -> None:
        self.mrmlSliceCompositeNode().SetForegroundOpacity(opacity)

    def showLabelOutline(self, show: bool) -> None:
        self._node.SetUseLabelOutline(show)

    def setLightbox(self, rows: int, columns: int) -> None:
        self._node.SetLayoutGrid(rows, columns)

    def setSliceViewSize(self, size: QSize) -> None:
        self._logic.ResizeSliceNode(size.width(), size.height())

    def sliceViewName(self) -> str:
        return self._node.GetLayoutName()


class qMRMLSliceWidget(ViewWidget):
    """Slice view with its bar and its logic."""

    host_names = ("release",)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLSliceControllerWidget(), qMRMLSliceView(), parent)
        self._connection: Any = None
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(APPLICATION["logic"])
        self._view._observation.add(self._logic, "ModifiedEvent", "scheduleRender")
        self._bar.setSliceLogic(self._logic)
        self._observation = self._bar._observation.__class__(self)
        self._observation.add(self._logic, "ModifiedEvent", "_onLogic")

    def sliceLogic(self) -> Any:
        return self._logic

    logic = sliceLogic

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._bar

    def mrmlSliceNode(self) -> Any:
        return self._node

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def setMRMLSliceNode(self, node: Any) -> None:
        self._node = node
        self._logic.SetSliceNode(node)
        self._view.setLogic(self._logic)
        self._view.setNode(node)
        self._bar.setNode(node)
        self._resize()

    setMRMLAbstractViewNode = setMRMLSliceNode

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._logic.SetMRMLScene(scene)

    def _onLogic(self, *_: Any) -> None:
        connection = self._logic.GetImageDataConnection()
        if connection is not self._connection:
            self._connection = connection
            self._view.setImageDataConnection(connection)
        if self._bar.mrmlSliceNode() is not None:
            self._bar._onNode()

    def release(self) -> None:
        """Let go of the logic and the nodes before the widget is deleted."""
        self._observation.remove()
        self._bar._observation.remove()
        self._view._observation.remove()
        self._view.setImageDataConnection(None)
        self._view.setLogic(None)
        self._view.setNode(None)
        self._logic.SetMRMLScene(None)

    def imageDataConnection(self) -> Any:
        return self._connection

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.layout().activate()
        self._resize()

    def _resize(self) -> None:
        if self._node is not None:
            self._logic.ResizeSliceNode(max(self._view.width(), 8), max(self._view.height(), 8))

    def fitSliceToBackground(self) -> None:
        self._bar.fitSliceToBackground()

    def sliceOrientation(self) -> str:
        return self._node.GetOrientation()

    def setSliceOrientation(self, orientation: str) -> None:
        self._node.SetOrientation(orientation)

    def sliceViewName(self) -> str:
        return self._node.GetLayoutName()

    def sliceViewLabel(self) -> str:
        return self._node.GetLayoutLabel()

    def sliceOffsetSliderOrientation(self) -> Any:
        return Qt.Orientation.Horizontal
