"""Stand-ins for collapsible sections."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QGroupBox,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QStyleOptionButton,
    QWidget,
)

from slicer_host.stand_ins.folding import Folding, arrow_style

UNLIMITED = 16777215
COLLAPSED = 14  # pixels that a collapsed group box is higher than its title


def _split(arguments: tuple[Any, ...]) -> tuple[str, QWidget | None]:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    parents = [argument for argument in arguments if isinstance(argument, QWidget)]
    return (texts or [""])[0], (parents or [None])[0]


class ctkCollapsibleButton(Folding, QAbstractButton):
    """Section with a header that folds its contents away."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        text, parent = _split(arguments)
        super().__init__(parent)
        self._collapsed = False
        self._maximum = UNLIMITED
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 8

    def collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            self._maximum = self.maximumHeight()
            self.setMaximumHeight(self.sizeHint().height())
        else:
            self.setMaximumHeight(self._maximum)
        self.foldChildren()
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def hitButton(self, position: Any) -> bool:
        return bool(position.y() <= self._headerHeight())

    def sizeHint(self) -> QSize:
        header = QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._headerHeight())
        if self._collapsed:
            return header
        return super().sizeHint().expandedTo(header)

    def minimumSizeHint(self) -> QSize:
        if self._collapsed:
            return QSize(0, self._headerHeight())
        return super().minimumSizeHint()

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        option = QStyleOptionButton()
        option.initFrom(self)
        height = self._headerHeight()
        option.rect = QRect(0, 0, self.width(), height)
        option.state |= QStyle.StateFlag.State_Raised
        style = self.style()
        style.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QRect(8, (height - 10) // 2, 10, 10)
        kind = "PE_IndicatorArrowRight" if self._collapsed else "PE_IndicatorArrowDown"
        style.drawPrimitive(getattr(QStyle.PrimitiveElement, kind), arrow, painter, self)
        place = QRect(24, 0, self.width() - 28, height)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        flags |= Qt.TextFlag.TextShowMnemonic
        style.drawItemText(painter, place, flags, self.palette(), self.isEnabled(), self.text())


class ctkCollapsibleGroupBox(Folding, QGroupBox):
    """Group box whose check mark folds its contents away."""

    def __init__(self, *arguments: Any) -> None:
        text, parent = _split(arguments)
        super().__init__(text, parent)
        self._maximum = self.maximumHeight()
        self.setStyle(arrow_style())
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._expand)

    def collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    def _expand(self, expand: bool) -> None:
        self.foldChildren()
        if expand:
            self.setMaximumHeight(self._maximum)
        else:
            self._maximum = self.maximumHeight()
            self.setMaximumHeight(self.fontMetrics().height() + COLLAPSED)
        self.updateGeometry()
