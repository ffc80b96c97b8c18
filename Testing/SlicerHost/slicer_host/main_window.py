"""Stand-in for the main window: module panel at the left, views at the right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDockWidget, QMainWindow, QScrollArea, QToolBar, QWidget


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


class ModulePanel(QScrollArea):
    """Holds the panel of the selected module, with enter and exit."""

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self._manager = manager
        self._shown: Any = None
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)

    def setModule(self, name: str) -> None:
        widget = self._manager.module(name).widgetRepresentation()
        if widget is self._shown:
            return
        if self._shown is not None:
            self.takeWidget()
            self._shown.exit()
            self._shown.hide()
        self._shown = widget
        if widget is not None:
            self.setWidget(widget)
            widget.show()
            widget.enter()


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
