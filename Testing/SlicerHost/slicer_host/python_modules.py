"""The Python modules that the application has and the `slicer-core` wheel lacks.

The host is like Slicer 5.10: what came later is taken away. Nothing is ever installed or
downloaded: `pip_install` only keeps what it was asked for in `record.installs`.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from slicer_host import dialogs, real_names, stand_ins
from slicer_host.errors import HostGapError
from slicer_host.pythonqt.wrapper import wrapper_class
from slicer_host.record import record

LIBRARIES = (QtCore, QtGui, QtWidgets, QtUiTools)
NEWER_THAN_5_10 = ("LazyImport", "executePythonModule")
ALIASES = {
    "slicer.ScriptedLoadableModule": "slicer_host.scripted.base_classes",
    "slicer.i18n": "slicer_host.scripted.i18n",
    "slicer.parameterNodeWrapper": "slicer_host.scripted.parameter_node_wrapper",
}


def qt_class(name: str) -> type | None:
    """Return the PySide6 class, or the host's replacement of it; None where PythonQt has none."""
    if name in dialogs.REPLACEMENTS:
        return dialogs.REPLACEMENTS[name]
    if name not in real_names.qt_methods():
        return None
    return next((getattr(lib, name) for lib in LIBRARIES if hasattr(lib, name)), None)


def _widget_class(name: str, *prefixes: str) -> type | None:
    is_real = name.startswith(prefixes) and name in real_names.real_classes()
    return stand_ins.require(name) if is_real else None


class WrapperModule(types.ModuleType):
    """A module that hands out wrapper classes by name; refuses what the real one has not."""

    def __getattr__(self, name: str) -> Any:
        if self.__name__ == "qt":
            raw_type = qt_class(name)
        else:
            prefixes = ("ctk",) if self.__name__ == "ctk" else ("qMRML", "qSlicer")
            raw_type = _widget_class(name, *prefixes)
        if raw_type is None:
            msg = f"module '{self.__name__}' has no attribute '{name}'"
            raise AttributeError(msg)
        setattr(self, name, wrapper_class(raw_type))
        return wrapper_class(raw_type)


def install() -> None:
    """Put `qt`, `ctk` and the missing parts of `slicer` in place; take away what is too much."""
    import slicer

    for name in ("qt", "ctk"):
        sys.modules[name] = WrapperModule(name, f"{name} as PythonQt shows it.")
    _remove_surplus(slicer)
    slicer.__class__ = WrapperModule
    for name in ("modules", "moduleNames"):
        made = types.ModuleType(name)
        sys.modules[f"slicer.{name}"] = made
        setattr(slicer, name, made)
    slicer.util.pip_install = _pip_install
    slicer.util.pip_uninstall = _pip_uninstall
    for name, source in ALIASES.items():
        module = importlib.import_module(source)
        sys.modules[name] = module
        setattr(slicer, name.partition(".")[2], module)


def _remove_surplus(slicer: types.ModuleType) -> None:
    """Remove what the wheel copies into `slicer`, and what came after Slicer 5.10."""
    for name in list(vars(slicer)):
        if not name.startswith(("vtk", "_")) and name != "util":
            delattr(slicer, name)
    for name in NEWER_THAN_5_10:
        vars(slicer.util).pop(name, None)


def _pip_install(requirements: Any, **_: Any) -> None:
    listed = [requirements] if isinstance(requirements, str) else list(requirements)
    record.installs.append([str(one) for one in listed])


def _pip_uninstall(_requirements: Any, **_: Any) -> None:
    msg = "The host does not uninstall packages."
    raise HostGapError(msg)
