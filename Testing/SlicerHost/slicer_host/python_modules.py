"""The Python modules that the application has and the `slicer-core` wheel lacks."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from slicer_host import optional, qt_module, real_names, stand_ins
from slicer_host.errors import HostGapError
from slicer_host.pythonqt.wrapper import wrapper_class

ALIASES = {
    "slicer.ScriptedLoadableModule": "slicer_host.scripted.base_classes",
    "slicer.i18n": "slicer_host.scripted.i18n",
    "slicer.parameterNodeWrapper": "slicer_host.scripted.parameter_node_wrapper",
}


class CtkModule(types.ModuleType):
    """The module `ctk`: wrapper classes of the stand-ins."""

    def __getattr__(self, name: str) -> Any:
        found = _stand_in(name) if name.startswith("ctk") else None
        if found is None:
            msg = f"module 'ctk' has no attribute '{name}'"
            raise AttributeError(msg)
        setattr(self, name, found)
        return found


def _stand_in(name: str) -> Any:
    if name not in real_names.real_classes():
        return None
    raw_type = stand_ins.find(name)
    if raw_type is None:
        msg = f"The host has no stand-in for {name} yet."
        raise HostGapError(msg)
    return wrapper_class(raw_type)


class SlicerModule(types.ModuleType):
    """The package `slicer` of the wheel, with the widget classes of the application."""

    def __getattr__(self, name: str) -> Any:
        found = _stand_in(name) if name.startswith(("qMRML", "qSlicer")) else None
        if found is None:
            msg = f"module 'slicer' has no attribute '{name}'"
            raise AttributeError(msg)
        setattr(self, name, found)
        return found


def install() -> None:
    """Put `qt`, `ctk` and the missing parts of `slicer` in place; take away what is too much."""
    import slicer

    sys.modules["qt"] = qt_module.make()
    sys.modules["ctk"] = CtkModule("ctk", "CTK as PythonQt shows it.")
    _remove_surplus(slicer)
    slicer.__class__ = SlicerModule
    for name in ("modules", "moduleNames"):
        made = types.ModuleType(name)
        sys.modules[f"slicer.{name}"] = made
        setattr(slicer, name, made)
    optional.install_as_5_10()
    for name, source in ALIASES.items():
        module = importlib.import_module(source)
        sys.modules[name] = module
        setattr(slicer, name.partition(".")[2], module)


def _remove_surplus(slicer: types.ModuleType) -> None:
    """Remove what the wheel copies into `slicer` and the application has not there."""
    for name in list(vars(slicer)):
        if not name.startswith(("vtk", "_")) and name != "util":
            delattr(slicer, name)
