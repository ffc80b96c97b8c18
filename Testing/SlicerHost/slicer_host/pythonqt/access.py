"""Reading and writing the members of a wrapped object."""

from __future__ import annotations

from typing import Any

import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QWidget

from slicer_host.errors import HostGapError, RefusalError
from slicer_host.pythonqt import members
from slicer_host.pythonqt.conversion import call, to_python, to_qt
from slicer_host.pythonqt.members import Member
from slicer_host.pythonqt.signals import BoundSignal


def make_rich(widget: Any) -> None:
    """Convert a tool tip that is plain text, as `ctkToolTipTrapper` does, so that it is wrapped."""
    if isinstance(widget, QWidget):
        text = widget.toolTip()
        if text and not Qt.mightBeRichText(text):
            widget.setToolTip(Qt.convertFromPlainText(text, Qt.WhiteSpaceMode.WhiteSpaceNormal))


def read(wrapper: Any, raw: Any, name: str, found: Member) -> Any:
    if not shiboken6.isValid(raw):
        msg = f"Trying to use '{name}' of a destroyed {type(wrapper).__name__} object"
        raise ValueError(msg)
    if found.kind == "property":
        return to_python(found.value.read(raw))
    if found.kind == "stand-in property":
        return to_python(_implementation(raw, name, found.value[2], found.value[0])())
    if found.kind == "signal":
        return BoundSignal(wrapper, found.value)
    if found.kind == "method":
        function = getattr(raw, found.value.__name__)
        if name == "setToolTip":
            return lambda *arguments: (call(function, name, arguments), make_rich(raw))[0]
        return lambda *arguments: call(function, name, arguments)
    if found.kind == "stand-in method":
        return _stand_in_method(raw, *found.value)
    if found.kind == "standard":
        return _implementation(raw, name, "", "QObject")
    return found.value


def _implementation(raw: Any, name: str, method: str, owner: str) -> Any:
    found = getattr(raw, method, None)
    if found is None:
        msg = f"The host does not imitate {owner}.{name} yet."
        raise HostGapError(msg)
    return found


def _stand_in_method(raw: Any, owner: str, name: str, arities: frozenset[int]) -> Any:
    function = _implementation(raw, name, name, owner)

    def method(*arguments: Any) -> Any:
        if len(arguments) not in arities:
            msg = f"Called {name} with wrong arguments: {arguments!r}"
            raise ValueError(msg)
        return to_python(function(*map(to_qt, arguments)))

    return method


def _is_alive(raw: Any) -> bool:
    return isinstance(raw, QObject) and bool(shiboken6.isValid(raw))


def _dynamic_names(raw: Any) -> list[str]:
    """Return the names of the object's dynamic properties."""
    names = raw.dynamicPropertyNames() if _is_alive(raw) else []
    return [text.data().decode() for text in names]


def read_unlisted(wrapper: Any, raw: Any, name: str) -> Any:
    if name in _dynamic_names(raw):
        return to_python(raw.property(name))
    for child in raw.children() if _is_alive(raw) else ():
        if child.objectName() == name:
            return to_python(child)
    hidden = members.hidden_in(wrapper._raw_type, name)
    reason = f" (a C++ method of {hidden} that Python does not see)" if hidden else ""
    msg = f"{wrapper.className()} has no attribute named '{name}'{reason}"
    raise RefusalError(msg)


def write(wrapper: Any, name: str, found: Member, value: Any) -> None:
    raw = wrapper._raw
    if not shiboken6.isValid(raw):
        msg = f"Trying to set property '{name}' on a destroyed {wrapper.className()} object"
        raise RefusalError(msg)
    is_stand_in = found.kind == "stand-in property"
    if not (found.value[3] if is_stand_in else found.value.isWritable()):
        msg = f"Property '{name}' of {wrapper.className()} object is not writable"
        raise RefusalError(msg)
    if is_stand_in:
        owner, kind, _, setter = found.value
        _implementation(raw, name, setter, owner)(to_qt(_typed(value, kind)))
        return
    kind = found.value.typeName()
    accepted = value is not None and raw.setProperty(found.value.name(), to_qt(_typed(value, kind)))
    if not accepted:
        msg = f"Property '{name}' of type '{kind}' does not accept {value!r}"
        raise RefusalError(msg)
    if name == "toolTip":
        make_rich(raw)


def _typed(value: Any, kind: str) -> Any:
    if kind in {"int", "uint"} and isinstance(value, float):
        return int(value)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "QStringList" and isinstance(value, str):
        msg = f"a property of type 'QStringList' does not accept the string {value!r}"
        raise RefusalError(msg)
    return str(value) if kind == "QString" and isinstance(value, int | float) else value


def set_unlisted(wrapper: Any, name: str, value: Any) -> None:
    raw = wrapper.__dict__.get("_raw")
    if name in _dynamic_names(raw):
        raw.setProperty(name, to_qt(value))
        return
    if wrapper._is_plain():
        msg = (
            f"'{name}' does not exist on {wrapper.className()} and creating new attributes"
            " on C++ objects is not allowed"
        )
        raise RefusalError(msg)
    object.__setattr__(wrapper, name, value)
