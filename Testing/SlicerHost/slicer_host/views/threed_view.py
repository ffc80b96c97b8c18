"""Stand-ins for 3-D views."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QToolButton, QWidget

from slicer_host.views.abstract_view import APPLICATION, Bar, ManagedView, ViewWidget


class qMRMLThreeDView(ManagedView):
    """3-D view."""

    factory = "vtkMRMLThreeDViewDisplayableManagerFactory"
    managers = (
        "vtkMRMLCameraDisplayableManager", "vtkMRMLViewDisplayableManager",
        "vtkMRMLModelDisplayableManager", "vtkMRMLThreeDReformatDisplayableManager",
        "vtkMRMLCrosshairDisplayableManager3D", "vtkMRMLOrientationMarkerDisplayableManager",
        "vtkMRMLRulerDisplayableManager", "vtkMRMLSegmentationsDisplayableManager3D",
        "vtkMRMLMarkupsDisplayableManager", "vtkMRMLTransformsDisplayableManager3D",
        "vtkMRMLLinearTransformsDisplayableManager", "vtkMRMLColorLegendDisplayableManager",
        "vtkMRMLVolumeRenderingDisplayableManager",
    )  # fmt: skip

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyle3D())

    def mrmlViewNode(self) -> Any:
        return self._node

    def setMRMLViewNode(self, node: Any) -> None:
        self.setNode(node)

    def setNode(self, node: Any) -> None:
        # The managers of Slicer 5.12 complain here of an event number that two of its enums share.
        shown = vtk.vtkObject.GetGlobalWarningDisplay()
        vtk.vtkObject.SetGlobalWarningDisplay(0)
        super().setNode(node)
        vtk.vtkObject.SetGlobalWarningDisplay(shown)

    def interactorObserver(self) -> Any:
        return self._style

    def cameraNode(self) -> Any:
        manager = self.displayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        return manager.GetCameraNode()

    def resetFocalPoint(self) -> None:
        bounds = [0.0] * 6
        self._renderer.ComputeVisiblePropBounds(bounds)
        if bounds[0] > bounds[1]:
            return
        center = [(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)]
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*center)
        self._renderer.ResetCameraClippingRange()

    def resetCamera(self, *_: Any) -> None:
        self._renderer.ResetCamera()
        self.scheduleRender()

    def rotateToViewAxis(self, axis: Any) -> None:
        directions = {"R": 0, "L": 1, "S": 2, "I": 3, "A": 4, "P": 5}
        node = self.cameraNode()
        kind = type(node)
        names = (kind.Right, kind.Left, kind.Superior, kind.Inferior, kind.Anterior, kind.Posterior)
        node.RotateTo(names[directions.get(axis, axis)])

    def zoomIn(self) -> None:
        self._renderer.GetActiveCamera().Zoom(1.1)

    def zoomOut(self) -> None:
        self._renderer.GetActiveCamera().Zoom(1 / 1.1)


class qMRMLThreeDViewControllerWidget(Bar):
    """Bar of a 3-D view, with a button to centre it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: Any = None
        self._center = QToolButton(self, text="Center", toolTip="Center the view on the scene")
        self._row.addStretch(1)
        self._row.addWidget(self._center)
        self._center.clicked.connect(lambda: self.resetFocalPoint())

    def setThreeDView(self, view: qMRMLThreeDView) -> None:
        self._view = view

    def mrmlThreeDViewNode(self) -> Any:
        return self._node

    def resetFocalPoint(self) -> None:
        self._view.resetFocalPoint()
        self._view.resetCamera()

    def setBlackBackground(self) -> None:
        self._setBackground((0, 0, 0), (0, 0, 0))

    def setWhiteBackground(self) -> None:
        self._setBackground((1, 1, 1), (1, 1, 1))

    def _setBackground(self, first: tuple[float, ...], second: tuple[float, ...]) -> None:
        self._node.SetBackgroundColor(*first)
        self._node.SetBackgroundColor2(*second)


class qMRMLThreeDWidget(ViewWidget):
    """3-D view with its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLThreeDViewControllerWidget(), qMRMLThreeDView(), parent)
        self._bar.setThreeDView(self._view)
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(APPLICATION["logic"])

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def threeDController(self) -> qMRMLThreeDViewControllerWidget:
        return self._bar

    def viewLogic(self) -> Any:
        return self._logic

    logic = viewLogic

    def mrmlViewNode(self) -> Any:
        return self._node

    def setMRMLViewNode(self, node: Any) -> None:
        self._node = node
        self._logic.SetMRMLScene(self._scene)
        self._view.setNode(node)
        self._bar.setNode(node)

    setMRMLAbstractViewNode = setMRMLViewNode
