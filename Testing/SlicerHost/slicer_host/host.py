"""Starting and ending the host."""

from __future__ import annotations

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

    def load(self, *paths: Path) -> None:
        """Load scripted modules from their `.py` files, in this order."""
        for path in paths:
            self.modules.load(Path(path))
        self.window.moduleSelector().fill()

    def complete(self) -> None:
        """Tell the modules that the application has started."""
        self.application.startupCompleted.emit()
        settle()

    def settle(self) -> None:
        """Handle all events that wait."""
        settle()

    def close(self) -> None:
        """End the host as the application ends: modules are unloaded, the scene is closed."""
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
        interactive: Show dialogs and draw views by themselves; else dialogs are answered at once and
            views are drawn when a picture of them is asked for.
    """
    if _running:
        return _running[0]
    if not interactive:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(tempfile.mkdtemp(prefix="slicer-host-"))
    host = _assemble(folder, interactive=interactive)
    _running.append(host)
    return host


def _assemble(folder: Path, *, interactive: bool) -> Host:
    import slicer

    from slicer_host import dialogs, errors, immortal, python_modules
    from slicer_host.scene import Core
    from slicer_host.views.abstract_view import APPLICATION
    from slicer_host.views.picture import Rendering

    immortal.protect_constants()
    dialogs.record.interactive = interactive
    Rendering.automatic = interactive
    core = Core(folder)
    APPLICATION["logic"] = core.logic
    python_modules.install()

    from PySide6.QtCore import qInstallMessageHandler

    from slicer_host.application import qSlicerApplication
    from slicer_host.io_manager import qSlicerIOManager
    from slicer_host.layout import qSlicerLayoutManager
    from slicer_host.main_window import qSlicerMainWindow
    from slicer_host.modules import qSlicerModuleManager
    from slicer_host.pythonqt.wrapper import wrap
    from slicer_host.stand_ins.application_parts import (
        qSlicerCommandOptions,
        qSlicerExtensionsManagerModel,
    )

    qInstallMessageHandler(_print_message)
    application = qSlicerApplication(folder)
    if not interactive:
        errors.install_hook()
    slicer.app, slicer.mrmlScene = wrap(application), core.scene
    manager = qSlicerModuleManager()
    window = qSlicerMainWindow(manager)
    window.resize(1366, 768)
    layout = qSlicerLayoutManager(core, window.viewport())
    application.assemble(
        core=core, modules=manager, io=qSlicerIOManager(core), layout=layout, window=window,
        options=qSlicerCommandOptions(), extensions=qSlicerExtensionsManagerModel(),
    )  # fmt: skip
    _write_python_launcher(folder)
    _add_loadable_modules(core, manager)
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    window.show()
    application.processEvents()
    return Host(folder, core, application, window, layout, manager)


def _add_loadable_modules(core: Any, manager: Any) -> None:
    from slicer_host.modules import qSlicerLoadableModule

    for name, logic in core.logics.items():
        manager.add(qSlicerLoadableModule(name, logic))
    for name in ("DICOM", "Welcome"):
        manager.add(qSlicerLoadableModule(name))
    for path in sorted((Path(__file__).parent / "builtin").glob("*.py")):
        manager.load(path)


def _write_python_launcher(folder: Path) -> None:
    """Write the program `PythonSlicer`, which is Slicer's own Python."""
    launcher = folder / "bin" / "PythonSlicer"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')  # Python is its child
    launcher.chmod(0o755)
    os.environ["PATH"] = f"{launcher.parent}{os.pathsep}{os.environ.get('PATH', '')}"


def _print_message(_kind: Any, _context: Any, text: str) -> None:
    if "propagateSizeHints" not in text:
        print(text, file=sys.stderr)
