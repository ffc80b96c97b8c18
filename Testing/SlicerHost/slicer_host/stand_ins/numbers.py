"""Stand-ins for sliders and spin boxes of CTK."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

STEPS = 1000


def _delegate(names: str) -> Any:
    """Make the class pass the named getters and setters on to its spin box."""

    def decorate(kind: type) -> type:
        for name in names.split():
            setattr(kind, name, _forward(name))
        return kind

    return decorate


def _forward(name: str) -> Any:
    def method(self: Any, *arguments: Any) -> Any:
        return getattr(self._box, name)(*arguments)

    method.__name__ = name
    return method


@_delegate(
    "minimum setMinimum maximum setMaximum singleStep setSingleStep decimals prefix setPrefix"
    " suffix setSuffix alignment cleanText hasFrame setFrame isReadOnly setReadOnly stepUp stepDown"
    " value"
)
class ctkDoubleSpinBox(QWidget):
    """Spin box for real numbers."""

    valueChanged = Signal(float)
    textValueChanged = Signal(str)
    decimalsChanged = Signal(int)
    editingFinished = Signal()
    host_signals = {"valueChanged(QString)": "textValueChanged"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self._box.valueChanged.connect(self.valueChanged)
        self._box.textChanged.connect(self.textValueChanged)
        self._box.editingFinished.connect(self.editingFinished)

    def spinBox(self) -> QDoubleSpinBox:
        return self._box

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    setValueIfDifferent = setValueAlways = setValue

    def setDecimals(self, decimals: int) -> None:
        if decimals != self._box.decimals():
            self._box.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    def setAlignment(self, alignment: Any) -> None:
        self._box.setAlignment(Qt.AlignmentFlag(int(alignment)))


class ctkDoubleSlider(QWidget):
    """Slider for real numbers."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        super().__init__((parents or [None])[0])
        self._minimum, self._maximum, self._value, self._step = 0.0, 99.0, 0.0, 1.0
        self._busy = False
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setRange(0, STEPS)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._slider.valueChanged.connect(self._onMoved)
        self._slider.sliderPressed.connect(self.sliderPressed)
        self._slider.sliderReleased.connect(self.sliderReleased)

    def _onMoved(self, position: int) -> None:
        if not self._busy:
            share = position / max(self._slider.maximum(), 1)
            self.setValue(self._minimum + share * (self._maximum - self._minimum))
            self.sliderMoved.emit(self._value)

    def value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        value = min(max(value, self._minimum), self._maximum)
        changed, self._value = value != self._value, value
        self._show()
        if changed:
            self.valueChanged.emit(value)

    sliderPosition = value
    setSliderPosition = setValue

    def _show(self) -> None:
        width = self._maximum - self._minimum
        share = (self._value - self._minimum) / width if 0 < width < math.inf else 0.0
        self._busy = True
        self._slider.setValue(round(STEPS * share))
        self._busy = False

    def minimum(self) -> float:
        return self._minimum

    def maximum(self) -> float:
        return self._maximum

    def setMinimum(self, minimum: float) -> None:
        self.setRange(minimum, max(minimum, self._maximum))

    def setMaximum(self, maximum: float) -> None:
        self.setRange(min(maximum, self._minimum), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        changed = (minimum, maximum) != (self._minimum, self._maximum)
        self._minimum, self._maximum = minimum, maximum
        self.setValue(self._value)
        if changed:
            self.rangeChanged.emit(minimum, maximum)

    def singleStep(self) -> float:
        return self._step

    def setSingleStep(self, step: float) -> None:
        self._step = step

    def orientation(self) -> Any:
        return self._slider.orientation()

    def setOrientation(self, orientation: Any) -> None:
        self._slider.setOrientation(Qt.Orientation(int(orientation)))


@_delegate("prefix setPrefix suffix setSuffix")
class ctkSliderWidget(QWidget):
    """Slider with a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tracking = True
        self._pageStep, self._tickInterval = 1.0, 0.0
        self._slider, self._box = ctkDoubleSlider(self), QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self._box.setRange(0, 99)
        self._box.valueChanged.connect(self._slider.setValue)
        self._slider.valueChanged.connect(self._onChanged)

    def _onChanged(self, value: float) -> None:
        """Show the value; what is kept has all its digits, whatever the box shows."""
        blocked = self._box.blockSignals(True)
        self._box.setValue(value)
        self._box.blockSignals(blocked)
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def slider(self) -> ctkDoubleSlider:
        return self._slider

    def spinBox(self) -> QDoubleSpinBox:
        return self._box

    def value(self) -> float:
        return self._slider.value()

    def setValue(self, value: float) -> None:
        self._slider.setValue(value)

    def reset(self) -> None:
        self.setValue(0.0)

    def minimum(self) -> float:
        return self._box.minimum()

    def maximum(self) -> float:
        return self._box.maximum()

    def setMinimum(self, minimum: float) -> None:
        self._box.setMinimum(minimum)
        self._slider.setMinimum(minimum)

    def setMaximum(self, maximum: float) -> None:
        self._box.setMaximum(maximum)
        self._slider.setMaximum(maximum)

    def singleStep(self) -> float:
        return self._box.singleStep()

    def setSingleStep(self, step: float) -> None:
        self._box.setSingleStep(step)
        self._slider.setSingleStep(step)

    def pageStep(self) -> float:
        return self._pageStep

    def setPageStep(self, step: float) -> None:
        self._pageStep = step

    def tickInterval(self) -> float:
        return self._tickInterval

    def setTickInterval(self, interval: float) -> None:
        self._tickInterval = interval

    def decimals(self) -> int:
        return self._box.decimals()

    def setDecimals(self, decimals: int) -> None:
        if decimals != self._box.decimals():
            self._box.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    def hasTracking(self) -> bool:
        return self._tracking

    def setTracking(self, tracking: bool) -> None:
        self._tracking = tracking

    def isSpinBoxVisible(self) -> bool:
        return not self._box.isHidden()

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._box.setVisible(visible)
