"""Puts the parts of the host together, in the order in which the application makes them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import qInstallMessageHandler

from slicer_host import dialogs, errors, immortal, python_modules
from slicer_host.scene import Core
from slicer_host.views.abstract_view import APPLICATION
from slicer_host.views.picture import Rendering


def prepare(*, interactive: bool) -> None:
    """Set what is global: messages, errors, drawing."""
    immortal.protect_constants()
    dialogs.record.interactive = interactive
    Rendering.automatic = interactive
    qInstallMessageHandler(_print_message)
    if not interactive:
        errors.install_hook()


def make_core(folder: Path) -> Core:
    """Make scene and logics, and the Python modules of the application."""
    core = Core(folder)
    APPLICATION["logic"] = core.logic
    python_modules.install()
    return core


def make_application(core: Core) -> tuple[Any, Any, Any, Any]:
    """Make application, main window, layout manager and module manager."""
    from slicer_host.application import qSlicerApplication
    from slicer_host.layout import qSlicerLayoutManager
    from slicer_host.main_window import qSlicerMainWindow
    from slicer_host.modules import qSlicerModuleManager
    from slicer_host.pythonqt.wrapper import wrap

    application = qSlicerApplication(core.folder)
    slicer.app, slicer.mrmlScene = wrap(application), core.scene
    manager = qSlicerModuleManager()
    window = qSlicerMainWindow(manager)
    window.resize(1366, 768)
    layout = qSlicerLayoutManager(core, window.viewport())
    application.assemble(core=core, modules=manager, layout=layout)
    _write_python_launcher(core.folder)
    _add_modules(core, manager)
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    window.show()
    application.processEvents()
    return application, window, layout, manager


def _add_modules(core: Any, manager: Any) -> None:
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
