"""Starting and ending the host."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Host:
    """The running host: the raw parts behind `slicer.app`."""

    folder: Path
    core: Any
    application: Any
    window: Any
    layout: Any
    modules: Any
    _told: int = 0

    def load(self, *paths: Path) -> None:
        """Load scripted modules from their `.py` files, in this order."""
        for path in paths:
            self.modules.load(Path(path))
        self.window.moduleSelector().fill()

    def complete(self) -> None:
        """Tell the modules that were loaded since the last time that Slicer has started."""
        from slicer_host.pythonqt import signals

        waiting = signals.receivers(self.application, "startupCompleted()")
        told, self._told = self._told, len(waiting)
        for receiver in waiting[told:]:
            receiver()
        settle()

    def settle(self) -> None:
        """Handle all events that wait."""
        settle()

    def close(self, *, tell: bool = True) -> None:
        """End the host as the application ends: modules are unloaded, the scene is closed.

        Args:
            tell: Emit `aboutToQuit`; Qt has done it where its event loop ran.
        """
        if tell:
            self.application.aboutToQuit.emit()
        self.modules.unload()
        self.core.scene.Clear(0)
        settle()
        shutil.rmtree(self.folder, ignore_errors=True)


def settle() -> None:
    """Handle events as the running application does between two actions of a person."""
    from PySide6.QtCore import QCoreApplication, QEvent

    QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()


_running: list[Host] = []


def start(*, interactive: bool = False) -> Host:
    """Start the host once per process and return it.

    Args:
        interactive: Show dialogs and draw views by themselves; else dialogs are answered at once
            and views are drawn when a picture of them is asked for.
    """
    if _running:
        return _running[0]
    if not interactive:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from slicer_host import assembly

    folder = Path(tempfile.mkdtemp(prefix="slicer-host-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assembly.prepare(interactive=interactive)
    core = assembly.make_core(folder)
    _running.append(Host(folder, core, *assembly.make_application(core)))
    return _running[0]
