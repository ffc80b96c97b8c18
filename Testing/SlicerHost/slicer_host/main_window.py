"""Stand-in for the main window: module panel at the left, views at the right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QLayout,
    QLayoutItem,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QSpacerItem,
    QToolBar,
    QVBoxLayout,
    QWidget,
)


class qSlicerModuleSelectorToolBar(QToolBar):
    """Choice of the module that is shown."""

    host_names = ("fill",)

    moduleSelected = Signal(str)

    def __init__(self, manager: Any, parent: QWidget | None = None) -> None:
        super().__init__("Module selection", parent)
        self._manager = manager
        self._current = ""
        self._box = QComboBox(self)
        self._box.setMinimumWidth(220)
        self.addWidget(self._box)
        self._box.activated.connect(lambda row: self.selectModule(self._box.itemData(row)))

    def fill(self) -> None:
        """Offer the modules that have a panel."""
        self._box.clear()
        for name in self._manager.modulesNames():
            module = self._manager.module(name)
            if hasattr(module, "path"):
                self._box.addItem(module.title() or name, name)

    def selectModule(self, name: str) -> None:
        if self._manager.module(name) is not None:
            self._current = name
            self._box.setCurrentIndex(self._box.findData(name))
            self.moduleSelected.emit(name)

    def selectedModule(self) -> str:
        return self._current


class ModulePanel(QWidget):
    """Holds the panel of the selected module, with enter and exit.

    As in the application, a panel never gets narrower than its size hint, never scrolls sideways,
    and its layout item stays when it goes: a panel that is shown again has the heights of before.
    """

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self._manager = manager
        self._shown: Any = None
        self._left: list[QLayoutItem] = []
        self._contents = QWidget()
        inner = QVBoxLayout(self._contents)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSizeConstraint(QLayout.SizeConstraint.SetMinAndMaxSize)
        policy = QSizePolicy.Policy
        inner.addItem(QSpacerItem(0, 0, policy.Minimum, policy.MinimumExpanding))
        self._area = QScrollArea()
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._area.setWidget(self._contents)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSizeConstraint(QLayout.SizeConstraint.SetMinimumSize)
        outer.addWidget(self._area)

    def setModule(self, name: str) -> None:
        widget = self._manager.module(name).widgetRepresentation()
        if widget is self._shown:
            return
        if self._shown is not None:
            self._shown.exit()
            self._shown.removeEventFilter(self)
            layout = self._contents.layout()
            self._left.append(layout.takeAt(layout.indexOf(self._shown)))
            self._shown.hide()
            self._shown.setParent(None)
        self._shown = widget
        if widget is not None:
            self._add(widget)

    def _add(self, widget: QWidget) -> None:
        widget.layout().setContentsMargins(0, 0, 0, 0)
        self._contents.layout().insertWidget(0, widget, 1)
        vertical = widget.sizePolicy().verticalPolicy()
        widget.setSizePolicy(QSizePolicy.Policy.Minimum, vertical)
        widget.show()
        widget.installEventFilter(self)
        self.updateGeometry()
        widget.enter()

    def eventFilter(self, _watched: Any, event: Any) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.updateGeometry()
        return False

    def minimumSizeHint(self) -> QSize:
        bar = self._area.horizontalScrollBar().sizeHint().width()
        width = self._contents.minimumSizeHint().width() + bar
        return QSize(width, super().minimumSizeHint().height())


class qSlicerMainWindow(QMainWindow):
    """Main window of the application."""

    host_names = ("viewport",)

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("Slicer host (development stand-in, not 3D Slicer)")
        self._selector = qSlicerModuleSelectorToolBar(manager, self)
        self.addToolBar(self._selector)
        self._panel = ModulePanel(manager)
        dock = QDockWidget("Module", self)
        dock.setWidget(self._panel)
        dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self._viewport = QWidget(self)
        self.setCentralWidget(self._viewport)
        self.resizeDocks([dock], [470], Qt.Orientation.Horizontal)
        self.statusBar()
        self._selector.moduleSelected.connect(self._panel.setModule)

    def viewport(self) -> QWidget:
        """Return the widget that the views lie in."""
        return self._viewport

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector
