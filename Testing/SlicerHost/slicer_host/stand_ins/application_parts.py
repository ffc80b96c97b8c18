"""Stand-ins for smaller parts of the application: command line, extensions."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from slicer_host import dialogs


class qSlicerCommandOptions(QObject):
    """What the command line asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._runsAndExits = False

    def isTestingEnabled(self) -> bool:
        return dialogs.record.testing

    def runPythonAndExit(self) -> bool:
        return self._runsAndExits

    def setRunPythonAndExit(self, value: bool) -> None:
        self._runsAndExits = value

    def noMainWindow(self) -> bool:
        return False


class qSlicerExtensionsManagerModel(QObject):
    """Which extensions are installed; installing one only adds its name to the record."""

    extensionInstalled = Signal(str)
    modelUpdated = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._isInteractive = True

    def installedExtensions(self) -> list[str]:
        return list(dialogs.record.extensions)

    def isExtensionInstalled(self, name: str) -> bool:
        return name in dialogs.record.extensions

    def isExtensionEnabled(self, name: str) -> bool:
        return name in dialogs.record.extensions

    def installExtensionFromServer(self, name: str, *_: Any) -> bool:
        if not dialogs.record.server:
            return False
        dialogs.record.extensions.append(name)
        self.extensionInstalled.emit(name)
        return True

    def interactive(self) -> bool:
        return self._isInteractive

    def setInteractive(self, interactive: bool) -> None:
        self._isInteractive = interactive

    def updateExtensionsMetadataFromServer(self, *_: Any) -> bool:
        return dialogs.record.server
