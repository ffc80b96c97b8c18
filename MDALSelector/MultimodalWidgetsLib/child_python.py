"""Where Slicer's own Python is, and the environment that our commands run in."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _


def pythonExecutable() -> str:
    """Return the path of Slicer's own Python.

    Raises:
        RuntimeError: If it is not where Slicer has it.
    """
    suffix = ".exe" if sys.platform == "win32" else ""
    installed = Path(slicer.app.slicerHome) / "bin" / f"PythonSlicer{suffix}"
    found = shutil.which("PythonSlicer") or (str(installed) if installed.is_file() else None)
    if found is None:
        text = _("Slicer's Python was expected at {path}, but it is not there. Reinstall Slicer.")
        raise RuntimeError(text.format(path=installed))
    return found


def childEnvironment() -> qt.QProcessEnvironment:
    """Return the environment before Slicer changed it, with our packages on the Python path."""
    source = Path(__file__).parents[1]
    folders = [source, source.parent / "CIMLSegment"]  # apart in the sources, one when installed
    environment = qt.QProcessEnvironment()
    for name, value in slicer.util.startupEnvironment().items():
        environment.insert(name, value)
    environment.insert(
        "PYTHONPATH", os.pathsep.join(str(path) for path in folders if path.is_dir())
    )
    environment.insert("PYTHONSAFEPATH", "1")
    environment.insert("PYTHONIOENCODING", "utf-8")
    return environment
