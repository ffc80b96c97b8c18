"""Base of the widgets that know a scene, and observation that ends with the widget."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget


class Observation:
    """Observers of VTK objects that belong to a Qt object and go with it."""

    def __init__(self, owner: QObject) -> None:
        self._owner = weakref.ref(owner)
        self._tags: list[tuple[Any, int]] = []
        tags = self._tags
        owner.destroyed.connect(lambda *_: _remove(tags))

    def add(self, subject: Any, event: Any, method: str) -> None:
        """Call the owner's method (caller, event) when the event happens."""
        owner = self._owner

        def call(caller: Any, name: str) -> None:
            target = owner()
            if target is not None and shiboken6.isValid(target):
                getattr(target, method)(caller, name)

        self._tags.append((subject, subject.AddObserver(event, call)))

    def add_with_node(self, subject: Any, event: Any, function: Callable[[Any], None]) -> None:
        """Call the function with the node that a scene event is about."""

        def call(_caller: Any, _event: str, node: Any) -> None:
            function(node)

        call.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
        self._tags.append((subject, subject.AddObserver(event, call)))

    def remove(self, subject: Any = None) -> None:
        """Remove the observers of the subject, or all."""
        chosen = [item for item in self._tags if subject is None or item[0] is subject]
        for item in chosen:
            self._tags.remove(item)
        _remove(chosen)


def _remove(tags: list[tuple[Any, int]]) -> None:
    for subject, tag in tags:
        subject.RemoveObserver(tag)
    tags.clear()


class WithScene:
    """The scene of a widget."""

    _scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


class qMRMLWidget(WithScene, QWidget):
    """Widget that tells its children the scene."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            super().setMRMLScene(scene)
            self.mrmlSceneChanged.emit(scene)
