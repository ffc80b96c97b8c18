"""The names that real classes offer to Python, from the lists in the folder `names`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("names")
STANDARD_METHODS = frozenset((
    "connect", "disconnect", "parent", "setParent", "children", "findChild", "findChildren",
    "setProperty", "property", "tr", "metaObject",
))  # fmt: skip
# Signals that only newer versions of Qt have; the module has to work with Qt 5.15 too.
QT6_ONLY_SIGNALS = frozenset({"checkStateChanged"})
QT6_ONLY_PROPERTIES = frozenset({"autoAcceptChildRows", "labelDrawingMode", "updateThreshold"})


@dataclass(frozen=True)
class RealClass:
    """Names of one class of CTK or Slicer."""

    name: str
    bases: tuple[str, ...]
    properties: dict[str, tuple[str, str, str]]
    signals: tuple[str, ...]
    slots: tuple[str, ...]
    enums: dict[str, dict[str, int]]
    hidden: frozenset[str]
    arities: dict[str, frozenset[int]] = field(default_factory=dict)


def _real_class(name: str, data: dict[str, Any]) -> RealClass:
    arities: dict[str, set[int]] = {}
    for signature in data["slots"] + data["signals"]:
        method, _, arguments = signature.rstrip(")").partition("(")
        arities.setdefault(method, set()).add(_count(arguments))
    return RealClass(
        name,
        tuple(data["bases"]),
        {key: tuple(value) for key, value in data["properties"].items()},
        tuple(data["signals"]),
        tuple(data["slots"]),
        data["enums"],
        frozenset(data["hidden"]),
        {key: frozenset(value) for key, value in arities.items()},
    )


def _count(arguments: str) -> int:
    depth = commas = 0
    for letter in arguments:
        depth += {"<": 1, ">": -1}.get(letter, 0)
        commas += letter == "," and depth == 0
    return commas + 1 if arguments else 0


@cache
def real_classes() -> dict[str, RealClass]:
    """Return the classes of CTK and Slicer by name."""
    found = {}
    for library in ("ctk", "slicer"):
        data = json.loads((FOLDER / f"{library}.json").read_text())
        found.update({name: _real_class(name, value) for name, value in data.items()})
    return found


@cache
def qt_methods() -> dict[str, frozenset[str]]:
    """Return the methods that PythonQt wraps, by Qt class."""
    data = json.loads((FOLDER / "qt.json").read_text())
    return {name: frozenset(methods) for name, methods in data.items()}


def lineage(name: str) -> list[RealClass]:
    """Return the class and its CTK and Slicer bases, nearest first."""
    known, found, pending = real_classes(), [], [name]
    while pending:
        current = known.get(pending.pop(0))
        if current is not None:
            found.append(current)
            pending += current.bases
    return found


def properties(name: str) -> dict[str, tuple[str, str, str]]:
    """Return type, getter and setter of the properties of a CTK or Slicer class."""
    return {key: entry for real in lineage(name)[::-1] for key, entry in real.properties.items()}


def qt_base(name: str) -> str:
    """Return the Qt class that a CTK or Slicer class derives from."""
    bases = [base for real in lineage(name) for base in real.bases if base.startswith("Q")]
    bases = ["QWidget" if base.startswith("QVTK") else base for base in bases]
    return bases[0] if bases else "QObject"
