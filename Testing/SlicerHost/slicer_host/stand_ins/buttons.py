"""Stand-ins for buttons, boxes and dialogs of CTK."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QCheckBox, QColorDialog, QComboBox, QPushButton, QWidget

from slicer_host import dialogs


class ctkComboBox(QComboBox):
    """Combo box with a default text."""

    returnRelease = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scroll = 1

    def defaultText(self) -> str:
        return self.placeholderText()

    def setDefaultText(self, text: str) -> None:
        self.setPlaceholderText(text)

    def currentUserDataAsString(self) -> str:
        return str(self.currentData() or "")

    def setCurrentUserDataAsString(self, text: str) -> None:
        self.setCurrentIndex(self.findData(text))

    def scrollWheelEffect(self) -> int:
        return self._scroll

    def setScrollWheelEffect(self, effect: int) -> None:
        self._scroll = int(effect)

    def wheelEvent(self, event: Any) -> None:
        if self._scroll:
            super().wheelEvent(event)
        else:
            event.ignore()


class ctkCheckBox(QCheckBox):
    """Check box with its own indicator icon."""

    def indicatorIcon(self) -> QIcon:
        return getattr(self, "_icon", QIcon())

    def setIndicatorIcon(self, icon: QIcon) -> None:
        self._icon = icon

    def indicatorIconSize(self) -> QSize:
        return getattr(self, "_size", QSize(16, 16))

    def setIndicatorIconSize(self, size: QSize) -> None:
        self._size = size


class ctkPushButton(QPushButton):
    """Push button with an alignment of its text."""

    def buttonTextAlignment(self) -> Any:
        return getattr(self, "_alignment", Qt.AlignmentFlag.AlignCenter)

    def setButtonTextAlignment(self, alignment: Any) -> None:
        self._alignment = Qt.AlignmentFlag(int(alignment))


class ctkCheckablePushButton(ctkPushButton):
    """Push button with a check box in it (the check box is not drawn here)."""

    checkBoxToggled = Signal(bool)

    def checkBoxControlsButton(self) -> bool:
        return getattr(self, "_controls", True)

    def setCheckBoxControlsButton(self, controls: bool) -> None:
        self._controls = controls

    def checkBoxControlsButtonToggleState(self) -> bool:
        return getattr(self, "_controlsState", False)

    def setCheckBoxControlsButtonToggleState(self, controls: bool) -> None:
        self._controlsState = controls

    def checkState(self) -> Any:
        return getattr(self, "_state", Qt.CheckState.Unchecked)

    def setCheckState(self, state: Any) -> None:
        new = Qt.CheckState(int(getattr(state, "value", state)))
        if new != self.checkState():
            self._state = new
            self.checkBoxToggled.emit(new == Qt.CheckState.Checked)


class ctkColorPickerButton(QPushButton):
    """Button that shows a colour and asks for another."""

    colorChanged = Signal(QColor)
    colorNameChanged = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        super().__init__((parents or [None])[0])
        self._showsName = True
        self._color = QColor()
        self.setColor(QColor("black"))
        self.clicked.connect(lambda: self.changeColor())

    def color(self) -> QColor:
        return self._color

    def setColor(self, color: QColor) -> None:
        changed, self._color = color != self._color, QColor(color)
        pixmap = QPixmap(16, 16)
        pixmap.fill(self._color)
        self.setIcon(QIcon(pixmap))
        self.setText(self._color.name() if self._showsName else "")
        if changed:
            self.colorChanged.emit(self._color)

    def colorName(self) -> str:
        return getattr(self, "_name", "")

    def setColorName(self, name: str) -> None:
        self._name = name
        self.colorNameChanged.emit(name)

    def displayColorName(self) -> bool:
        return self._showsName

    def setDisplayColorName(self, shows: bool) -> None:
        self._showsName = shows
        self.setText(self._color.name() if shows else "")

    def changeColor(self) -> None:
        if dialogs.record.interactive:
            color = QColorDialog.getColor(self._color, self)
        else:
            color = QColor(dialogs.record.answer(self._color))
        if color.isValid():
            self.setColor(color)


class ctkMessageBox(dialogs.QMessageBox):
    """Message box that can be told not to come again."""

    def dontShowAgain(self) -> bool:
        return getattr(self, "_never", False)

    def setDontShowAgain(self, never: bool) -> None:
        self._never = never

    def isDontShowAgainVisible(self) -> bool:
        return getattr(self, "_offersNever", False)

    def setDontShowAgainVisible(self, visible: bool) -> None:
        self._offersNever = visible

    def dontShowAgainSettingsKey(self) -> str:
        return getattr(self, "_key", "")

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        self._key = key
