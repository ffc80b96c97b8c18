"""Stand-in for the application object, `slicer.app`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_host import dialogs
from slicer_host.io_manager import qSlicerIOManager
from slicer_host.record import record


class qSlicerApplication(QApplication):
    """The application: scene, logic, settings, modules, layout, files."""

    host_names = ("assemble",)

    startupCompleted = Signal()

    def __init__(self, folder: Path) -> None:
        super().__init__(["slicer-host"])
        self.setApplicationName("SlicerHost")
        self._folder = folder
        dialogs.QSettings.path = str(folder / "settings.ini")
        self._settings = dialogs.QSettings()

    def assemble(self, core: Any, modules: Any, layout: Any) -> None:
        """Take the parts that were made after it; make the rest."""
        self._core, self._modules, self._layout = core, modules, layout
        self._io = qSlicerIOManager(core)

    def applicationLogic(self) -> Any:
        return self._core.logic

    def layoutManager(self) -> Any:
        return self._layout

    def moduleManager(self) -> Any:
        return self._modules

    def coreIOManager(self) -> Any:
        return self._io

    def settings(self) -> QSettings:
        return self._settings

    def temporaryPath(self) -> str:
        return str(self._folder / "temporary")

    def slicerHome(self) -> str:
        return str(self._folder)

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def testingEnabled(self) -> bool:
        return record.testing
