"""Starting and ending the host: its parts are made in the order of the application."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import sys
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
    _notified: int = 0

    def load(self, *paths: Path) -> None:
        """Load scripted modules from their `.py` files, in this order."""
        for path in paths:
            self.modules.load(Path(path))
        self.window.moduleSelector().fill()

    def complete(self) -> None:
        """Tell the modules that were loaded since the last time that Slicer has started."""
        from slicer_host.pythonqt import signals

        waiting = signals.receivers(self.application, "startupCompleted()")
        notified, self._notified = self._notified, len(waiting)
        for receiver in waiting[notified:]:
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
    """Handle events as the running application does between two actions of a user."""
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
    if not _running:
        if not interactive:
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        _protect_constants()
        _set_up_globals(interactive=interactive)
        folder = Path(tempfile.mkdtemp(prefix="slicer-host-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _running.append(_make(folder))
    return _running[0]


def _protect_constants() -> None:
    """Raise the reference counts of the constants out of reach on Python 3.11.

    PySide6 6.12 releases None once too often, for example in `QComboBox.itemData` of a role without
    a value and after every Python slot that returns None. From Python 3.12 on that does no harm
    (None is immortal there); 3.11 ends with "deallocating None" after some thousand calls.
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def _set_up_globals(*, interactive: bool) -> None:
    """Set how messages and errors are handled."""
    from PySide6.QtCore import qInstallMessageHandler

    from slicer_host import errors
    from slicer_host.record import record

    record.interactive = interactive
    qInstallMessageHandler(_print_message)
    if not interactive:
        errors.install_hook()


def _print_message(_kind: Any, _context: Any, text: str) -> None:
    if "propagateSizeHints" not in text:
        print(text, file=sys.stderr)


def _make(folder: Path) -> Host:
    import slicer

    from slicer_host import python_modules
    from slicer_host.scene import Core
    from slicer_host.views.abstract_view import APPLICATION

    core = Core(folder)
    APPLICATION["logic"] = core.logic
    python_modules.install()
    from slicer_host.application import qSlicerApplication
    from slicer_host.layout import qSlicerLayoutManager
    from slicer_host.main_window import qSlicerMainWindow
    from slicer_host.modules import qSlicerModuleManager
    from slicer_host.pythonqt.wrapper import wrap
    from slicer_host.stand_ins.dicom import ctkDICOMDatabase

    application = qSlicerApplication(folder)
    slicer.app, slicer.mrmlScene = wrap(application), core.scene
    slicer.dicomDatabase = wrap(ctkDICOMDatabase())
    manager = qSlicerModuleManager()
    window = qSlicerMainWindow(manager)
    window.resize(1366, 768)
    layout = qSlicerLayoutManager(core, window.viewport())
    application.assemble(core, manager, layout)
    _write_python_launcher(folder)
    _add_modules(core, manager)
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    window.show()
    application.processEvents()
    return Host(folder, core, application, window, layout, manager)


def _add_modules(core: Any, manager: Any) -> None:
    from slicer_host.modules import qSlicerLoadableModule

    for name, logic in core.logics.items():
        manager.add(qSlicerLoadableModule(name, logic))
    for path in sorted((Path(__file__).parent / "builtin").glob("*.py")):
        manager.load(path)


def _write_python_launcher(folder: Path) -> None:
    """Write the program `PythonSlicer`, which is Slicer's own Python."""
    launcher = folder / "bin" / "PythonSlicer"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')  # Python is its child
    launcher.chmod(0o755)
    os.environ["PATH"] = f"{launcher.parent}{os.pathsep}{os.environ.get('PATH', '')}"
