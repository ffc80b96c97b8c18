"""Stand-in for the application object, `slicer.app`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_host import dialogs
from slicer_host.io_manager import qSlicerIOManager
from slicer_host.stand_ins.application_parts import (
    qSlicerCommandOptions,
    qSlicerExtensionsManagerModel,
)
from slicer_host.views.picture import Rendering


class qSlicerApplication(QApplication):
    """The application: scene, logic, settings, modules, layout, files."""

    host_names = ("assemble",)

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    renderPaused = Signal(bool)

    def __init__(self, folder: Path) -> None:
        super().__init__(["slicer-host"])
        self.setApplicationName("SlicerHost")
        self.setOrganizationName("SlicerHost")
        self._folder = folder
        self._parts: dict[str, Any] = {}
        dialogs.QSettings.path = str(folder / "settings.ini")
        self._settings = dialogs.QSettings()

    def assemble(self, **parts: Any) -> None:
        """Take core, layout manager and module manager; make the rest."""
        self._parts.update(parts)
        self._parts["io"] = qSlicerIOManager(parts["core"])
        self._parts["options"] = qSlicerCommandOptions()
        self._parts["extensions"] = qSlicerExtensionsManagerModel()

    # scene and logic

    def mrmlScene(self) -> Any:
        return self._parts["core"].scene

    def applicationLogic(self) -> Any:
        return self._parts["core"].logic

    def moduleLogic(self, name: str) -> Any:
        return self._parts["core"].logics.get(name)

    def layoutManager(self) -> Any:
        return self._parts.get("layout")

    def moduleManager(self) -> Any:
        return self._parts["modules"]

    def coreIOManager(self) -> Any:
        return self._parts["io"]

    ioManager = coreIOManager

    # settings and paths

    def settings(self) -> QSettings:
        return self._settings

    userSettings = revisionUserSettings = settings

    def temporaryPath(self) -> str:
        return str(self._folder / "temporary")

    def setTemporaryPath(self, path: str) -> None:
        self.applicationLogic().SetTemporaryPath(path)

    def cachePath(self) -> str:
        return str(self._folder / "cache")

    def defaultScenePath(self) -> str:
        return str(self._folder / "scenes")

    def slicerHome(self) -> str:
        return str(self._folder)

    def slicerSharePath(self) -> str:
        return "share"

    def slicerUserSettingsFilePath(self) -> str:
        return dialogs.QSettings.path

    def startupEnvironment(self) -> Any:
        from PySide6.QtCore import QProcessEnvironment

        return QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def setEnvironmentVariable(self, name: str, value: str) -> None:
        os.environ[name] = value

    # versions

    def applicationVersion(self) -> str:
        return "5.12.4-host"

    def majorVersion(self) -> int:
        return 5

    def minorVersion(self) -> int:
        return 12

    mainApplicationMajorVersion, mainApplicationMinorVersion = majorVersion, minorVersion

    def mainApplicationName(self) -> str:
        return "SlicerApp"

    def mainApplicationDisplayName(self) -> str:
        return "Slicer host"

    def revision(self) -> str:
        return "0"

    repositoryRevision = revision

    def os(self) -> str:
        return {"linux": "linux", "darwin": "macosx"}.get(sys.platform, "win")

    def isInstalled(self) -> bool:
        return False

    def documentationBaseUrl(self) -> str:
        return "https://slicer.readthedocs.io/en/latest/"

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl()}user_guide/modules/{name.lower()}.html"

    # behaviour

    def processEvents(self, *_: Any) -> None:
        QApplication.processEvents()

    def testingEnabled(self) -> bool:
        return dialogs.record.testing

    def commandOptions(self) -> Any:
        return self._parts.get("options")

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def setRenderPaused(self, paused: bool) -> None:
        if self.layoutManager() is not None:
            self.layoutManager().setRenderPaused(paused)
        else:
            Rendering.paused += 1 if paused else -1
        self.renderPaused.emit(paused)

    def restart(self) -> None:
        dialogs.record.messages.append("restart")

    def translate(self, _context: str, text: str) -> str:
        return text

    def openNodeModule(self, node: Any, *_: Any) -> None:
        dialogs.record.messages.append(f"open the module of {node.GetName()}")

    def extensionsManagerModel(self) -> Any:
        return self._parts.get("extensions")
