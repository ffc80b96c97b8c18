"""Stand-in for the slider with a spin box of CTK."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

STEPS = 1000
FORWARDED = (
    "minimum", "maximum", "singleStep", "setSingleStep", "decimals", "setDecimals", "prefix",
    "setPrefix", "suffix", "setSuffix",
)  # fmt: skip


class ctkSliderWidget(QWidget):
    """Slider with a spin box; the value has all its digits, whatever the box shows."""

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = 0.0
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setRange(0, STEPS)
        self._box = QDoubleSpinBox(self)
        self._box.setRange(0, 99)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self._box.valueChanged.connect(self.setValue)
        self._slider.valueChanged.connect(self._onMoved)

    def _onMoved(self, position: int) -> None:
        low, high = self._box.minimum(), self._box.maximum()
        self.setValue(low + position / STEPS * (high - low))

    def value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        low, high = self._box.minimum(), self._box.maximum()
        value = min(max(value, low), high)
        changed, self._value = value != self._value, value
        share = (value - low) / (high - low) if 0 < high - low < math.inf else 0.0
        with QSignalBlocker(self._slider), QSignalBlocker(self._box):
            self._slider.setValue(round(STEPS * share))
            self._box.setValue(value)
        if changed:
            self.valueChanged.emit(value)

    def setMinimum(self, minimum: float) -> None:
        self._setRange(minimum, max(minimum, self._box.maximum()))

    def setMaximum(self, maximum: float) -> None:
        self._setRange(min(maximum, self._box.minimum()), maximum)

    def _setRange(self, low: float, high: float) -> None:
        with QSignalBlocker(self._box):
            self._box.setRange(low, high)
        self.setValue(self._value)


def _forward(name: str) -> Any:
    return lambda self, *arguments: getattr(self._box, name)(*arguments)


for _name in FORWARDED:
    setattr(ctkSliderWidget, _name, _forward(_name))
