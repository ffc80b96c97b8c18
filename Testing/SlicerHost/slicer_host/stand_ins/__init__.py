"""Stand-ins for the widgets of CTK and Slicer, written with the method names of the C++ classes.

What Python sees of them (properties, signals, slots) comes from the lists of real names, so a
stand-in cannot offer more than the real class. A class may have the attributes
`host_signals` (signature to attribute, for overloaded signals) and `host_static`.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache

from slicer_host import real_names

MODULES = (
    "stand_ins.containers", "stand_ins.numbers", "stand_ins.ranges", "stand_ins.paths",
    "stand_ins.buttons", "stand_ins.texts", "stand_ins.mrml_base", "stand_ins.node_combo_box",
    "stand_ins.mrml_numbers", "stand_ins.segment_editor", "stand_ins.application_parts",
    "stand_ins.segments", "stand_ins.tables", "stand_ins.plots", "views.slice_view",
    "views.threed_view", "layout", "modules", "main_window", "io_manager", "application",
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
