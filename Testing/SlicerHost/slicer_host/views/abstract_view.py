"""What slice and 3-D views share: renderer, displayable managers, view node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import slicer
import vtk
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.views.picture import Picture

APPLICATION: dict[str, Any] = {}


class ManagedView(Picture):
    """View drawn by displayable managers."""

    host_names = ("factory", "managers", "renderer", "setNode")
    factory = ""
    managers: tuple[str, ...] = ()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
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

    def renderer(self) -> Any:
        return self._renderer

    def setNode(self, node: Any) -> None:
        """Show the view node; the managers complain of an event number that two enums share."""
        if node is not self._node:
            self._node = node
            with quiet():
                self._group.SetMRMLDisplayableNode(node)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep VTK from printing warnings."""
    shown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.SetGlobalWarningDisplay(0)
    yield
    vtk.vtkObject.SetGlobalWarningDisplay(shown)


def _finalizer(group: Any, window: Any, interactor: Any) -> Any:
    def finalize(*_: Any) -> None:
        with quiet():  # the managers complain when they are let go
            group.SetMRMLDisplayableNode(None)
            group.SetRenderer(None)
            interactor.SetRenderWindow(None)
            window.Finalize()

    return finalize


class ViewWidget(QWidget):
    """A bar in the color of the view node, with its label, above the view."""

    host_names = ("release",)

    def __init__(self, view: ManagedView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._node: Any = None
        self._label = QLabel(self)
        self._label.setMaximumHeight(24)
        self._observation = Observation(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._label)
        column.addWidget(view, 1)

    def _setNode(self, node: Any) -> None:
        self._node = node
        self._view.setNode(node)
        self._observation.add(node, "ModifiedEvent", "_onNode")
        self._onNode()

    def _onNode(self, *_: Any) -> None:
        self._label.setText(self._node.GetLayoutLabel() or "")
        color = QColor.fromRgbF(*self._node.GetLayoutColor())
        self._label.setStyleSheet(f"background: {color.name()}; color: black; padding: 1px 4px;")

    def release(self) -> None:
        """Let go of the nodes before the widget is deleted."""
        self._observation.remove()
        self._view._observation.remove()
        self._view.setNode(None)
