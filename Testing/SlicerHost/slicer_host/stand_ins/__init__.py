"""Stand-ins for the widgets of CTK and Slicer, written with the method names of the C++ classes.

What Python sees of them (properties, signals, slots) comes from the lists of real names, so a
stand-in cannot offer more than the real class. A class may have the attributes `host_signals`
(signature to attribute, for overloaded signals), `host_static` and `host_names` (public names that
only the host itself uses). Properties that keep their value and do nothing else are declared with
`stored`. What a stand-in leaves out raises `HostGapError` when it is used.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from slicer_host import real_names
from slicer_host.errors import HostGapError

MODULES = (
    "stand_ins.containers", "stand_ins.numbers", "stand_ins.paths", "stand_ins.mrml_base",
    "stand_ins.node_combo_box", "stand_ins.segment_editor", "stand_ins.plots", "stand_ins.dicom",
    "views.slice_view", "views.threed_view", "dialogs", "layout", "modules", "main_window",
    "io_manager", "application",
)  # fmt: skip


@cache
def all_stand_ins() -> dict[str, type]:
    """Return every stand-in by the name of the class it stands for."""
    found: dict[str, type] = {}
    for module in MODULES:
        library = importlib.import_module(f"slicer_host.{module}")
        for name, value in vars(library).items():
            is_own = inspect.isclass(value) and value.__module__ == library.__name__
            if is_own and name in real_names.real_classes():
                found[name] = value
    return found


def find(name: str) -> type | None:
    """Return the stand-in of the class, or None."""
    return all_stand_ins().get(name)


def require(name: str) -> type:
    """Return the stand-in of a real class; the host says so if it has none."""
    found = find(name)
    if found is None:
        msg = f"The host has no stand-in for {name} yet."
        raise HostGapError(msg)
    return found


def stored(**defaults: Any) -> Callable[[type], type]:
    """Give a stand-in properties of its real class that keep their value.

    Getter and setter get the real names. Where the class has a method `onStored`, it is called
    after every change.
    """

    def decorate(kind: type) -> type:
        for name, default in defaults.items():
            _, getter, setter = real_names.properties(kind.__name__)[name]
            setattr(kind, getter, _getter(f"_{name}", default))
            setattr(kind, setter, _setter(f"_{name}"))
        return kind

    return decorate


def _getter(attribute: str, default: Any) -> Callable[[Any], Any]:
    return lambda self: getattr(self, attribute, default)


def _setter(attribute: str) -> Callable[[Any, Any], None]:
    def put(self: Any, value: Any) -> None:
        setattr(self, attribute, value)
        if hasattr(self, "onStored"):
            self.onStored()

    return put
