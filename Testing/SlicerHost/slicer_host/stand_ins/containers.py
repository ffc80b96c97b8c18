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
COLLAPSED = 14  # pixels that a collapsed box is higher than its title


def _split(arguments: tuple[Any, ...]) -> tuple[str, QWidget | None]:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    parents = [argument for argument in arguments if isinstance(argument, QWidget)]
    return (texts or [""])[0], (parents or [None])[0]


class ctkCollapsibleButton(Folding, QAbstractButton):
    """Section with a header that folds its contents away."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)  # PythonQt offers no text here
        self._collapsed = False
        self._maximum = UNLIMITED
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._header().height(), 0, 0)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _header(self) -> QSize:
        """Size of the header, computed as CTK does."""
        style, option = self.style(), QStyleOptionButton()
        option.initFrom(self)
        metric = QStyle.PixelMetric
        names = (metric.PM_IndicatorWidth, metric.PM_CheckBoxLabelSpacing)
        width = sum(style.pixelMetric(name, option, self) for name in names)
        height = style.pixelMetric(metric.PM_IndicatorHeight, option, self)
        text = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self.text() or "XXXX")
        size = QSize(width + text.width(), max(height, text.height()))
        kind = QStyle.ContentsType.CT_PushButton
        return style.sizeFromContents(kind, option, size, self)

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
        return bool(position.y() <= self._header().height())

    def sizeHint(self) -> QSize:
        folded = self._header() + QSize(0, COLLAPSED)
        return folded if self._collapsed else super().sizeHint().expandedTo(folded)

    def minimumSizeHint(self) -> QSize:
        header = self._header()
        if self._collapsed:
            return header + QSize(0, COLLAPSED)
        return super().minimumSizeHint().expandedTo(header)

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        option = QStyleOptionButton()
        option.initFrom(self)
        height = self._header().height()
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
