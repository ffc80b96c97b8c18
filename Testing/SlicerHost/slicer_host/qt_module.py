"""The module `qt` of the real application, made of wrapper classes."""

from __future__ import annotations

import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from slicer_host import dialogs, real_names
from slicer_host.pythonqt.wrapper import wrapper_class

LIBRARIES = (QtCore, QtGui, QtWidgets, QtUiTools)


class QtModule(types.ModuleType):
    """Hands out wrapper classes by name; refuses what PythonQt does not wrap."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raw_type = raw_class(name)
        if raw_type is None:
            msg = f"module 'qt' has no attribute '{name}'"
            raise AttributeError(msg)
        found = wrapper_class(raw_type)
        setattr(self, name, found)
        return found


def raw_class(name: str) -> type | None:
    """Return the PySide6 class, or the host's replacement of it; None where PythonQt has none."""
    if name in dialogs.REPLACEMENTS:
        return dialogs.REPLACEMENTS[name]
    if name not in real_names.qt_methods():
        return None
    return next((getattr(lib, name) for lib in LIBRARIES if hasattr(lib, name)), None)


def make() -> QtModule:
    """Return a new module `qt`."""
    return QtModule("qt", "Qt as PythonQt shows it.")
