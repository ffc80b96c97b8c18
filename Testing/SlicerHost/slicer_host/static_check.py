"""Checks names in module files and .ui files against the real classes, without running them."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PySide6 import QtCore, QtWidgets

from slicer_host import real_names, stand_ins
from slicer_host.python_modules import qt_class
from slicer_host.pythonqt import members, signals

SIGNATURE = re.compile(r"^\w+\([\w:*<>, ]*\)$")


def check_module(path: Path) -> list[str]:
    """Return what a module file names that the application has not.

    The attributes of `self.ui.<widget>` are checked by the widget's class in the module's .ui file.
    """
    tree = ast.parse(path.read_text())
    ui = path.parent / "Resources" / "UI" / f"{path.stem}.ui"
    widgets = widget_classes(ui) if ui.is_file() else {}
    return [f"{path.name}:{line}: {text}" for line, text in _problems(tree, widgets)]


def check_ui(path: Path) -> list[str]:
    """Return the classes, properties, signals and slots of a .ui file that do not exist."""
    root = ET.fromstring(path.read_text())
    classes = widget_classes(path)
    problems = [
        f"{path.name}: class {name} is unknown" for name in {*classes.values()} if not _raw(name)
    ]
    for node in root.iter("widget"):
        problems += _property_problems(path, node)
    for node in root.iter("connection"):
        problems += _connection_problems(path, node, classes)
    return problems


def widget_classes(ui: Path) -> dict[str, str]:
    """Return the class of every named widget of a .ui file."""
    root = ET.fromstring(ui.read_text())
    return {node.get("name", ""): node.get("class", "") for node in root.iter("widget")}


@cache
def _raw(name: str) -> type | None:
    return qt_class(name) if name.startswith("Q") else stand_ins.find(name)


def _property_problems(path: Path, node: ET.Element) -> list[str]:
    raw_type = _raw(node.get("class", ""))
    if raw_type is None:
        return []
    names = [item.get("name", "") for item in node.findall("property") if item.get("stdset") != "0"]
    unknown = [name for name in names if not _is_property(raw_type, name)]
    return [f"{path.name}: {node.get('class')} has no property '{name}'" for name in unknown]


def _is_property(raw_type: type, name: str) -> bool:
    found = members.member(raw_type, name)
    return found is not None and "property" in found.kind


def _connection_problems(path: Path, node: ET.Element, classes: dict[str, str]) -> list[str]:
    problems = []
    for end, kind in (("sender", "signal"), ("receiver", "slot")):
        name = classes.get(node.findtext(end, ""), "")
        raw_type, text = _raw(name) if name else None, node.findtext(kind, "")
        if raw_type is None or not signals.has_slot(raw_type, signals.normalized(text)):
            problems.append(f"{path.name}: {name or node.findtext(end)} has no {kind} {text}")
    return problems


def _problems(tree: ast.AST, widgets: dict[str, str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _attribute_problems(node, widgets)
        elif isinstance(node, ast.Call) and _name(node.func).endswith(("connect", "disconnect")):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield from _signal_problems(node.lineno, first.value)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _attribute_problems(node: ast.Attribute, widgets: dict[str, str]) -> Iterator[tuple[int, str]]:
    name = _name(node)
    parts = name.split(".")
    is_slicer = parts[0] == "slicer" and len(parts) >= 2 and parts[1].startswith("q")
    if is_slicer or (parts[0] in {"qt", "ctk"} and len(parts) in {2, 3}):
        yield from _class_problems(node.lineno, parts)
    elif parts[:2] == ["self", "ui"] and len(parts) >= 3:
        yield from _widget_problems(node.lineno, parts[2:], widgets)


def _class_problems(line: int, parts: list[str]) -> Iterator[tuple[int, str]]:
    raw_type = _raw(parts[1])
    if raw_type is None:
        yield line, f"{'.'.join(parts[:2])} does not exist"
    elif (
        len(parts) > 2
        and not parts[2].startswith("__")
        and not _is_class_member(raw_type, parts[2])
    ):
        yield line, f"{parts[1]} has no member '{parts[2]}'"


def _is_class_member(raw_type: type, name: str) -> bool:
    return (
        name in getattr(raw_type, "host_static", {}) or members.member(raw_type, name) is not None
    )


def _widget_problems(
    line: int, parts: list[str], widgets: dict[str, str]
) -> Iterator[tuple[int, str]]:
    if not widgets:
        return
    if parts[0] not in widgets:
        yield line, f"the .ui file has no widget '{parts[0]}'"
        return
    raw_type = _raw(widgets[parts[0]])
    builtin = {"className", "inherits", "delete", *real_names.STANDARD_METHODS}
    if raw_type is None or len(parts) < 2 or parts[1] in builtin or parts[1] in widgets:
        return
    if members.member(raw_type, parts[1]) is None:
        yield line, f"{widgets[parts[0]]} has no attribute '{parts[1]}'"


@cache
def _all_signals() -> frozenset[str]:
    found = {text for kind in real_names.real_classes().values() for text in kind.signals}
    for name in real_names.qt_methods():
        raw_type = _raw(name)
        if raw_type is not None and issubclass(raw_type, QtCore.QObject):
            found.update(members.signals(raw_type))
    return frozenset(found)


def _signal_problems(line: int, text: str) -> Iterator[tuple[int, str]]:
    if SIGNATURE.match(text) and signals.normalized(text) not in _all_signals():
        yield line, f"no class has the signal {text}"


def unreal_names(kind: type) -> list[str]:
    """Return the public names of a stand-in that its real class has neither in Python nor C++."""
    real, native = members.chain(kind)
    known = {name for one in real for name in [*one.arities, *one.hidden, *one.properties]}
    known |= {name for one in real for entry in one.properties.values() for name in entry[1:]}
    known |= set(getattr(kind, "host_signals", {}).values())
    own = [base for base in kind.__mro__ if base.__module__.startswith("slicer_host")]
    known |= {name for base in own for name in vars(base).get("host_names", ())}
    public = {name for base in own for name in vars(base) if not name.startswith(("_", "host_"))}
    qt_names = set(dir(native[0])) if native else set(dir(QtWidgets.QWidget))
    return sorted(public - known - qt_names - {"staticMetaObject"})
