"""A widget that shows an off-screen VTK window as a picture and passes mouse and keys on to it."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy

from slicer_host.record import record

ACTIONS = {
    QEvent.Type.MouseButtonPress: "ButtonPressEvent",
    QEvent.Type.MouseButtonRelease: "ButtonReleaseEvent",
    QEvent.Type.MouseButtonDblClick: "ButtonDoubleClickEvent",
}


class Picture(QWidget):
    """Shows a render window; draws it on demand."""

    host_names = ("forceRender", "image", "interactor", "scheduleRender")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._window = vtk.vtkRenderWindow()
        self._window.SetShowWindow(False)
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(256, 256)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._position = 0, 0
        self._image = QImage()
        self._isScheduled = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(64, 64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def interactor(self) -> Any:
        return self._interactor

    def scheduleRender(self, *_: Any) -> None:
        """Draw soon; in tests views draw only when they are asked for a picture."""
        if record.interactive and self.isVisible() and not self._isScheduled:
            self._isScheduled = True
            QTimer.singleShot(20, self, self._renderScheduled)

    def _renderScheduled(self) -> None:
        self._isScheduled = False
        if self.isVisible():
            self.forceRender()

    def forceRender(self) -> None:
        self._window.Render()
        self._image = image_of(self._window)
        self.update()

    def image(self) -> QImage:
        """Draw the window now and return its picture."""
        self.forceRender()
        return self._image

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(self.rect(), Qt.GlobalColor.black)
            self.scheduleRender()
        else:
            painter.drawImage(self.rect(), self._image)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        size = max(self.width(), 8), max(self.height(), 8)
        self._window.SetSize(*size)
        self._interactor.UpdateSize(*size)
        self._interactor.InvokeEvent("ConfigureEvent")
        self.scheduleRender()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.scheduleRender()

    def _send(self, name: str, event: Any, key: str = "") -> None:
        if hasattr(event, "position"):
            self._position = int(event.position().x()), int(event.position().y())
        modifiers = event.modifiers()
        self._interactor.SetEventInformationFlipY(
            *self._position,
            int(bool(modifiers & Qt.KeyboardModifier.ControlModifier)),
            int(bool(modifiers & Qt.KeyboardModifier.ShiftModifier)),
            key[:1] or "\0", 0, key,
        )  # fmt: skip
        self._interactor.SetAltKey(int(bool(modifiers & Qt.KeyboardModifier.AltModifier)))
        self._interactor.InvokeEvent(name)

    def _onButton(self, event: Any) -> None:
        button = event.button().name.removesuffix("Button")
        if button in {"Left", "Right", "Middle"}:
            self._send(f"{button}{ACTIONS[event.type()]}", event)
        event.accept()

    mousePressEvent = mouseReleaseEvent = mouseDoubleClickEvent = _onButton

    def mouseMoveEvent(self, event: Any) -> None:
        self._send("MouseMoveEvent", event)

    def wheelEvent(self, event: Any) -> None:
        forward = event.angleDelta().y() > 0
        self._send("MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent", event)
        event.accept()

    def keyPressEvent(self, event: Any) -> None:
        self._send("KeyPressEvent", event, event.text())
        super().keyPressEvent(event)


def image_of(window: Any) -> QImage:
    """Return the picture that the render window shows."""
    source = vtk.vtkWindowToImageFilter()
    source.SetInput(window)
    source.SetInputBufferTypeToRGB()
    source.ReadFrontBufferOff()
    source.ShouldRerenderOff()
    source.Update()
    data = source.GetOutput()
    width, height, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
