"""Stand-ins for the widgets of CTK that edit a range."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget


class ctkRangeWidget(QWidget):
    """Two spin boxes for the ends of a range."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    minimumValueIsChanging = Signal(float)
    maximumValueIsChanging = Signal(float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = QDoubleSpinBox(self), QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self._low, self._high):
            box.setRange(0, 99)
            layout.addWidget(box)
        self._high.setValue(99)
        self._low.valueChanged.connect(self._onLow)
        self._high.valueChanged.connect(self._onHigh)

    def _onLow(self, value: float) -> None:
        if value > self._high.value():
            self._high.setValue(value)
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._high.value())

    def _onHigh(self, value: float) -> None:
        if value < self._low.value():
            self._low.setValue(value)
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value(), value)

    def minimumValue(self) -> float:
        return self._low.value()

    def maximumValue(self) -> float:
        return self._high.value()

    def setMinimumValue(self, value: float) -> None:
        self._low.setValue(value)

    def setMaximumValue(self, value: float) -> None:
        self._high.setValue(value)

    def setValues(self, low: float, high: float) -> None:
        if (low, high) == (self.minimumValue(), self.maximumValue()):
            return
        blocked = self.blockSignals(True)
        self._low.setValue(low)
        self._high.setValue(high)
        self.blockSignals(blocked)
        self.minimumValueChanged.emit(self.minimumValue())
        self.maximumValueChanged.emit(self.maximumValue())
        self.valuesChanged.emit(self.minimumValue(), self.maximumValue())

    def minimum(self) -> float:
        return self._low.minimum()

    def maximum(self) -> float:
        return self._high.maximum()

    def setMinimum(self, minimum: float) -> None:
        self.setRange(minimum, max(minimum, self.maximum()))

    def setMaximum(self, maximum: float) -> None:
        self.setRange(min(maximum, self.minimum()), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        for box in (self._low, self._high):
            box.setRange(minimum, maximum)
        self.rangeChanged.emit(minimum, maximum)

    def reset(self) -> None:
        self.setValues(self.minimum(), self.maximum())

    def decimals(self) -> int:
        return self._low.decimals()

    def setDecimals(self, decimals: int) -> None:
        self._low.setDecimals(decimals)
        self._high.setDecimals(decimals)

    def singleStep(self) -> float:
        return self._low.singleStep()

    def setSingleStep(self, step: float) -> None:
        self._low.setSingleStep(step)
        self._high.setSingleStep(step)

    def suffix(self) -> str:
        return self._low.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._low.setSuffix(suffix)
        self._high.setSuffix(suffix)


class ctkDoubleRangeSlider(QWidget):
    """Range without numbers; the host shows the ends as text."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)
    positionsChanged = Signal(float, float)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        super().__init__((parents or [None])[0])
        self._range, self._values, self._step = (0.0, 99.0), (0.0, 99.0), 1.0
        self._label = QLabel(self)
        QHBoxLayout(self).addWidget(self._label)

    def minimum(self) -> float:
        return self._range[0]

    def maximum(self) -> float:
        return self._range[1]

    def setMinimum(self, minimum: float) -> None:
        self.setRange(minimum, max(minimum, self._range[1]))

    def setMaximum(self, maximum: float) -> None:
        self.setRange(min(maximum, self._range[0]), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        if (minimum, maximum) != self._range:
            self._range = (minimum, maximum)
            self.setValues(*self._values)
            self.rangeChanged.emit(minimum, maximum)

    def minimumValue(self) -> float:
        return self._values[0]

    def maximumValue(self) -> float:
        return self._values[1]

    def setMinimumValue(self, value: float) -> None:
        self.setValues(value, max(value, self._values[1]))

    def setMaximumValue(self, value: float) -> None:
        self.setValues(min(value, self._values[0]), value)

    def setValues(self, low: float, high: float) -> None:
        ends = [min(max(value, self._range[0]), self._range[1]) for value in sorted((low, high))]
        old, self._values = self._values, (ends[0], ends[1])
        self._label.setText(f"{ends[0]:g} - {ends[1]:g}")
        if old[0] != ends[0]:
            self.minimumValueChanged.emit(ends[0])
        if old[1] != ends[1]:
            self.maximumValueChanged.emit(ends[1])
        if old != self._values:
            self.valuesChanged.emit(*ends)

    def singleStep(self) -> float:
        return self._step

    def setSingleStep(self, step: float) -> None:
        self._step = step
