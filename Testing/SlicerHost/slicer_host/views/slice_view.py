"""Stand-ins for slice views."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QMetaObject, Qt, Slot
from PySide6.QtWidgets import QWidget

from slicer_host.views.abstract_view import APPLICATION, ManagedView, ViewWidget


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
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())

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


class qMRMLSliceWidget(ViewWidget):
    """Slice view with its bar and its logic.

    The slider of the bar begins at 0. When the view gets its first image, the slider moves to the
    end of the image's range that is nearest to that, and tells it with the next events
    (`Qt::QueuedConnection` in `qMRMLSliceControllerWidget`), whatever offset was set meanwhile.
    The slider for the foreground's opacity follows the view, and tells it to all linked views.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLSliceView(), parent)
        self._connection: Any = None
        self._hasRange = False
        self._opacity = 0.0
        self._composite: Any = None
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(APPLICATION["logic"])
        self._observation.add(self._logic, "ModifiedEvent", "_onLogic")

    def sliceLogic(self) -> Any:
        return self._logic

    logic = sliceLogic

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def mrmlSliceNode(self) -> Any:
        return self._node

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def setMRMLSliceNode(self, node: Any) -> None:
        self._logic.SetSliceNode(node)
        self._view.setLogic(self._logic)
        self._setNode(node)
        self._resize()

    def setMRMLScene(self, scene: Any) -> None:
        self._logic.SetMRMLScene(scene)

    def _onLogic(self, *_: Any) -> None:
        self._followComposite()
        connection = self._logic.GetImageDataConnection()
        if connection is not self._connection:
            self._connection = connection
            self._view.setImageDataConnection(connection)
        if not self._hasRange and self._range() is not None:
            self._hasRange = True
            queued = Qt.ConnectionType.QueuedConnection
            QMetaObject.invokeMethod(self, "_tellSlider", queued)
        self._view.scheduleRender()

    def _followComposite(self) -> None:
        composite = self._logic.GetSliceCompositeNode()
        if composite is not self._composite:
            self._composite = composite
            if composite is not None:
                self._observation.add(composite, "ModifiedEvent", "_tellOpacity")

    def _tellOpacity(self, *_: Any) -> None:
        """Give linked views of the group the opacity of this one, when it has changed."""
        composite = self._composite
        scene = None if composite is None else composite.GetScene()
        if scene is None or composite.GetForegroundOpacity() == self._opacity:
            return
        self._opacity = composite.GetForegroundOpacity()
        if not composite.GetLinkedControl():
            return
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
            other = scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")
            if other.GetLinkedControl() and self._isInGroup(other, scene):
                other.SetForegroundOpacity(self._opacity)

    def _isInGroup(self, composite: Any, scene: Any) -> bool:
        nodes = scene.GetNodesByClass("vtkMRMLSliceNode")
        nodes.UnRegister(None)
        found = (nodes.GetItemAsObject(i) for i in range(nodes.GetNumberOfItems()))
        views = [n for n in found if n.GetLayoutName() == composite.GetLayoutName()]
        return any(view.GetViewGroup() == self._node.GetViewGroup() for view in views)

    def _range(self) -> tuple[float, float] | None:
        """Offsets of the first and the last slice of the lowest volume; `None` without one."""
        composite = self._logic.GetSliceCompositeNode()
        if composite is None or not composite.GetBackgroundVolumeID():
            return None
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds, True)
        return (bounds[4], bounds[5]) if bounds[4] <= bounds[5] else None

    @Slot()
    def _tellSlider(self) -> None:
        found = self._range()
        if found is not None:
            self._logic.SetSliceOffset(min(max(0.0, found[0]), found[1]))

    def release(self) -> None:
        """Let go of logic and nodes before the widget is deleted."""
        self._view.setImageDataConnection(None)
        self._view.setLogic(None)
        super().release()
        self._logic.SetMRMLScene(None)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.layout().activate()
        self._resize()

    def _resize(self) -> None:
        if self._node is not None:
            self._logic.ResizeSliceNode(max(self._view.width(), 8), max(self._view.height(), 8))
