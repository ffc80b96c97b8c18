"""Stand-in for the range widget of CTK."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QWidget


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
