"""Loading of .ui files: checked against the real classes, connections made as PythonQt would."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

from slicer_host import real_names, stand_ins
from slicer_host.errors import HostGapError, RefusalError
from slicer_host.pythonqt import members, signals
from slicer_host.pythonqt.access import make_rich
from slicer_host.pythonqt.wrapper import wrap, wrapper_class

PLAIN: dict[str, Callable[[str], Any]] = {
    "bool": "true".__eq__, "number": int, "double": float, "string": str, "cstring": str,
}  # fmt: skip


def load(text: str, parent: Any = None) -> QtWidgets.QWidget:
    """Return the root widget of a .ui file's text."""
    root = ET.fromstring(text)
    own = _take_own_properties(root)
    connections = _take_connections(root)
    loader = QtUiTools.QUiLoader()
    for name in sorted({node.get("class", "") for node in root.iter("widget")}):
        if not name.startswith("Q"):
            loader.registerCustomWidget(_stand_in(name))
    data = QtCore.QByteArray(ET.tostring(root))
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    widget = loader.load(buffer, parent)
    if widget is None:
        msg = f"The .ui file could not be loaded: {loader.errorString()}"
        raise RefusalError(msg)
    for one in (widget, *widget.findChildren(QtWidgets.QWidget)):
        make_rich(one)
    for name, values in own:
        _set_own_properties(_find(widget, name), values)
    for connection in connections:
        _connect(widget, connection)
    return widget


def _stand_in(name: str) -> type:
    if name not in real_names.real_classes():
        msg = (
            f"The .ui file has a widget of class {name}, which is not in the list of real classes."
        )
        raise RefusalError(msg)
    return stand_ins.require(name)


def _raw_type(name: str) -> type:
    return getattr(QtWidgets, name) if name.startswith("Q") else _stand_in(name)


def _take_own_properties(root: ET.Element) -> list[tuple[str, list[ET.Element]]]:
    """Check every property, and take those of stand-ins out: they are set after loading."""
    own = []
    for node in root.iter("widget"):
        raw_type = _raw_type(node.get("class", ""))
        mine = [item for item in node.findall("property") if _is_own(raw_type, item)]
        for item in mine:
            node.remove(item)
        if mine:
            own.append((node.get("name", ""), mine))
    return own


def _is_own(raw_type: type, item: ET.Element) -> bool:
    name = item.get("name", "")
    if item.get("stdset") == "0":
        return False
    found = members.member(raw_type, name)
    if found is None or "property" not in found.kind:
        msg = f"The .ui file sets the property '{name}', which {raw_type.__name__} has not."
        raise RefusalError(msg)
    return found.kind == "stand-in property"


def _set_own_properties(raw: QtCore.QObject, items: list[ET.Element]) -> None:
    wrapper = wrap(raw)
    for item in items:
        setattr(wrapper, item.get("name", ""), _value(type(raw), item[0]))


def _value(raw_type: type, node: ET.Element) -> Any:
    text = node.text or ""
    if node.tag in PLAIN:
        return PLAIN[node.tag](text)
    if node.tag == "stringlist":
        return [item.text or "" for item in node]
    if node.tag in {"enum", "set"}:
        return sum(_enumerator(raw_type, part) for part in text.split("|") if part)
    msg = f"The host cannot set a property of kind '{node.tag}' from a .ui file yet."
    raise HostGapError(msg)


def _enumerator(raw_type: type, text: str) -> int:
    scope, _, key = text.strip().rpartition("::")
    owner = scope.split("::")[0]
    if owner == "Qt":
        return int(getattr(wrapper_class(QtCore.Qt), key))
    if owner.startswith("Q"):
        return int(getattr(wrapper_class(getattr(QtWidgets, owner)), key))
    return int(getattr(wrapper_class(_stand_in(owner) if owner else raw_type), key))


def _take_connections(root: ET.Element) -> list[ET.Element]:
    section = root.find("connections")
    if section is None:
        return []
    root.remove(section)
    return list(section.iter("connection"))


def _find(root: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
    if found is None:
        msg = f"The .ui file names the object '{name}', which it does not declare."
        raise RefusalError(msg)
    return found


def _connect(root: QtWidgets.QWidget, node: ET.Element) -> None:
    sender = _find(root, node.findtext("sender", ""))
    receiver = _find(root, node.findtext("receiver", ""))
    signals.connect_slot(
        sender, node.findtext("signal", ""), wrap(receiver), node.findtext("slot", "")
    )
