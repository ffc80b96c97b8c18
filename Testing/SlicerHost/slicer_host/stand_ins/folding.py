"""How the collapsible widgets of CTK hide and show their children."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QProxyStyle, QStyle, QWidget

REMEMBERED = "visibilityToParent"


class Folding:
    """Children are hidden while collapsed; what code hid itself stays hidden when expanded."""

    host_names = ("foldChildren",)
    _forcing = False
    _wasShown = False

    def collapsed(self) -> bool:
        raise NotImplementedError

    def foldChildren(self: Any) -> None:
        """Hide or show the children as the state demands."""
        for child in self.children():
            if isinstance(child, QWidget):
                self._watch(child)
                self._setChildVisibility(child)

    def _watch(self: Any, child: QWidget) -> None:
        if child.property("isWatchedByParent"):
            return
        child.setProperty("isWatchedByParent", True)
        explicit = child.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
        if explicit and child.testAttribute(Qt.WidgetAttribute.WA_WState_Hidden):
            child.setProperty(REMEMBERED, False)
        child.installEventFilter(self)

    def _setChildVisibility(self: Any, child: QWidget) -> None:
        if not self.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            return
        wanted = child.property(REMEMBERED) is not False
        visible = wanted and not self.collapsed()
        self._forcing = True
        if child.testAttribute(Qt.WidgetAttribute.WA_WState_Created) or not visible:
            child.setVisible(visible)
        if wanted:
            child.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)
        self._forcing = False

    def eventFilter(self: Any, child: QObject, event: Any) -> bool:
        if not self._forcing and isinstance(child, QWidget):
            if event.type() == QEvent.Type.ShowToParent:
                child.setProperty(REMEMBERED, True)
                self._setChildVisibility(child)
            elif event.type() == QEvent.Type.HideToParent:
                child.setProperty(REMEMBERED, False)
        return False

    def childEvent(self: Any, event: Any) -> None:
        # The child is looked at when it is polished: at ChildAdded it is not constructed yet.
        if event.type() == QEvent.Type.ChildPolished and isinstance(event.child(), QWidget):
            self._watch(event.child())
            if self.collapsed():
                self._setChildVisibility(event.child())

    def setVisible(self: Any, visible: bool) -> None:
        self._forcing = True
        super().setVisible(visible)  # type: ignore[misc]
        self._forcing = False
        if not self._wasShown and self.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            self._wasShown = True
            self.foldChildren()


class ArrowStyle(QProxyStyle):
    """Draws the check box of a collapsible group box as an arrow."""

    def drawPrimitive(self, element: Any, option: Any, painter: Any, widget: Any = None) -> None:
        elements = QStyle.PrimitiveElement
        if isinstance(widget, Folding) and element == elements.PE_IndicatorCheckBox:
            closed = widget.collapsed()
            element = elements.PE_IndicatorArrowRight if closed else elements.PE_IndicatorArrowDown
        super().drawPrimitive(element, option, painter, widget)


_styles: list[ArrowStyle] = []


def arrow_style() -> ArrowStyle:
    """Return the one style object for all collapsible group boxes."""
    if not _styles:
        _styles.append(ArrowStyle("Fusion"))
    return _styles[0]
