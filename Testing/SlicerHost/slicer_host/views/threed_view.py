"""Stand-ins for 3-D views."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QWidget

from slicer_host.views.abstract_view import APPLICATION, ManagedView, ViewWidget


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


class qMRMLThreeDWidget(ViewWidget):
    """3-D view with its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLThreeDView(), parent)
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(APPLICATION["logic"])

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def logic(self) -> Any:
        return self._logic

    def mrmlViewNode(self) -> Any:
        return self._node

    def setMRMLViewNode(self, node: Any) -> None:
        self._setNode(node)

    def setMRMLScene(self, scene: Any) -> None:
        self._logic.SetMRMLScene(scene)
