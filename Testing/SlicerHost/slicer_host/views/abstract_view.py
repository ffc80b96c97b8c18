"""What slice and 3-D views share: renderer, displayable managers, view node."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.views.picture import Picture

APPLICATION: dict[str, Any] = {}


class ManagedView(Picture):
    """View drawn by displayable managers."""

    host_names = (
        "displayableManagerGroup", "factory", "managers", "mrmlScene", "renderer", "setNode",
    )  # fmt: skip
    factory = ""
    managers: tuple[str, ...] = ()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._scene: Any = None
        self._node: Any = None
        self._observation = Observation(self)
        factory = getattr(slicer, self.factory).GetInstance()
        for name in self.managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = factory.InstantiateDisplayableManagers(self._renderer)
        self._group.UnRegister(None)
        self._observation.add(self._group, "UpdateEvent", "scheduleRender")
        self.destroyed.connect(_finalizer(self._group, self._window, self._interactor))

    def interactor(self) -> Any:
        return getattr(self, "_interactor", None)

    def renderer(self) -> Any:
        return self._renderer

    def displayableManagerGroup(self) -> Any:
        return self._group

    def displayableManagerByClassName(self, name: str) -> Any:
        return self._group.GetDisplayableManagerByClassName(name)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def setNode(self, node: Any) -> None:
        """Show the view node."""
        if node is self._node:
            return
        self._node = node
        self._group.SetMRMLDisplayableNode(node)

    def cornerAnnotation(self) -> Any:
        if not hasattr(self, "_corner"):
            self._corner = vtk.vtkCornerAnnotation()
            self._renderer.AddViewProp(self._corner)
        return self._corner


def _finalizer(group: Any, window: Any, interactor: Any) -> Any:
    def finalize(*_: Any) -> None:
        vtk.vtkObject.SetGlobalWarningDisplay(0)  # the managers complain when they are let go
        group.SetMRMLDisplayableNode(None)
        group.SetRenderer(None)
        interactor.SetRenderWindow(None)
        window.Finalize()
        vtk.vtkObject.SetGlobalWarningDisplay(1)

    return finalize


class Bar(QWidget):
    """Coloured bar over a view, with its label."""

    host_names = ("setNode", "viewColor")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._observation = Observation(self)
        self._label = QLabel(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(4, 0, 4, 0)
        self._row.addWidget(self._label)
        self.setAutoFillBackground(True)
        self.setMaximumHeight(24)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def setNode(self, node: Any) -> None:
        """Show label and colour of the view node."""
        self._observation.remove()
        self._node = node
        if node is not None:
            self._observation.add(node, "ModifiedEvent", "_onNode")
            self._onNode()

    def _onNode(self, *_: Any) -> None:
        self._label.setText(self._node.GetLayoutLabel() or "")
        color = QColor.fromRgbF(*self._node.GetLayoutColor())
        self._label.setStyleSheet(f"background: {color.name()}; color: black; padding: 1px 4px;")

    def viewLabel(self) -> str:
        return self._label.text()

    def viewColor(self) -> QColor:
        return QColor.fromRgbF(*self._node.GetLayoutColor())


class ViewWidget(QWidget):
    """Bar and view, one above the other."""

    def __init__(self, bar: QWidget, view: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar, self._view = bar, view
        self._node: Any = None
        self._scene: Any = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(view, 1)

    def controllerWidget(self) -> QWidget:
        return self._bar

    def viewWidget(self) -> QWidget:
        return self._view

    def mrmlAbstractViewNode(self) -> Any:
        return self._node

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self._bar.setMRMLScene(scene)
        self._view.setMRMLScene(scene)

    def viewLabel(self) -> str:
        return self._node.GetLayoutLabel()
