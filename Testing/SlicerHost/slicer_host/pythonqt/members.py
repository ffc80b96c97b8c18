"""Look-up of a class's members in PythonQt's order: property, method, enumerator."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cache
from typing import Any

from PySide6.QtCore import QMetaMethod, QObject, Signal

from slicer_host import real_names
from slicer_host.pythonqt.enums import enum_type, enum_value, named_enum_type


@dataclass(frozen=True)
class Member:
    """What a name means for objects of a class."""

    kind: str  # "property", "stand-in property", "method", "stand-in method", "signal", "enum"
    value: Any = None


def is_stand_in(raw_type: type) -> bool:
    """Say whether the class stands for one of CTK or Slicer."""
    is_own = not raw_type.__module__.startswith(("PySide6", "Shiboken", "builtins"))
    return is_own and raw_type.__name__ in real_names.real_classes()


@cache
def chain(raw_type: type) -> tuple[tuple[real_names.RealClass, ...], tuple[type, ...]]:
    """Return the CTK and Slicer classes and the Qt classes among the bases, nearest first."""
    stand_ins = [kind for kind in raw_type.__mro__ if is_stand_in(kind)]
    real = tuple(real_names.lineage(stand_ins[0].__name__)) if stand_ins else ()
    native = tuple(kind for kind in raw_type.__mro__ if kind.__module__.startswith("PySide6"))
    return real, native


@cache
def member(raw_type: type, name: str) -> Member | None:
    """Return what `name` means, or None where PythonQt would find nothing."""
    found = (
        _property(raw_type, name)
        or _stand_in_method(raw_type, name)
        or _native_method(raw_type, name)
        or _enumerator(raw_type, name)
    )
    if found is None and name.endswith("_") and not name.endswith("__"):
        return _stand_in_method(raw_type, name[:-1]) or _native_method(raw_type, name[:-1])
    return found


def _property(raw_type: type, name: str) -> Member | None:
    real, native = chain(raw_type)
    for kind in real:
        if name in kind.properties:
            return Member("stand-in property", (kind.name, *kind.properties[name]))
    if not native or not issubclass(native[0], QObject):
        return None
    is_static = name == "singleShot" and native[0].__name__ == "QTimer"
    if is_static or name in real_names.QT6_ONLY_PROPERTIES:
        return None
    name = "objectName" if name == "name" else name
    meta = native[0].staticMetaObject
    index = meta.indexOfProperty(name)
    return Member("property", meta.property(index)) if index >= 0 else None


def _stand_in_method(raw_type: type, name: str) -> Member | None:
    for kind in chain(raw_type)[0]:
        signals = [text for text in kind.signals if text.startswith(f"{name}(")]
        if signals:
            return Member("signal", signals[-1])
        if name in kind.arities:
            return Member("stand-in method", (kind.name, name, kind.arities[name]))
    return None


def _native_method(raw_type: type, name: str) -> Member | None:
    native = chain(raw_type)[1]
    if not native:
        return None
    if issubclass(native[0], QObject):
        signature = _signal(native[0], name)
        if signature is not None:
            return Member("signal", signature)
        if name in real_names.STANDARD_METHODS:
            return Member("standard", name)
    wrapped = any(
        name in real_names.qt_methods().get(kind.__name__, ()) or _is_slot(kind, name)
        for kind in native
    )
    attribute = getattr(native[0], name, None)
    if wrapped and callable(attribute) and not isinstance(attribute, type):
        return Member("method", attribute)
    return None


def _signal(kind: type, name: str) -> str | None:
    if name in real_names.QT6_ONLY_SIGNALS or not isinstance(getattr(kind, name, None), Signal):
        return None
    return next((text for text in signals(kind) if text.startswith(f"{name}(")), None)


@cache
def signals(kind: type) -> tuple[str, ...]:
    """Return the signatures of the signals of a Qt class."""
    return tuple(_methods(kind, QMetaMethod.MethodType.Signal))


@cache
def _slots(kind: type) -> frozenset[str]:
    return frozenset(text.partition("(")[0] for text in _methods(kind, QMetaMethod.MethodType.Slot))


def _is_slot(kind: type, name: str) -> bool:
    return hasattr(kind, "staticMetaObject") and issubclass(kind, QObject) and name in _slots(kind)


def _methods(kind: type, method_type: QMetaMethod.MethodType) -> list[str]:
    meta = kind.staticMetaObject
    methods = [meta.method(index) for index in range(meta.methodCount())]
    return [
        method.methodSignature().data().decode()
        for method in methods
        if method.methodType() == method_type
        and (method.access() == QMetaMethod.Access.Public or method_type.name == "Signal")
    ]


def _enumerator(raw_type: type, name: str) -> Member | None:
    real, native = chain(raw_type)
    for kind in real:
        for title, values in kind.enums.items():
            if name == title:
                return Member("enum", named_enum_type(name))
            if name in values:
                return Member("enum", named_enum_type(title)(values[name]))
    for kind in native:
        for attribute in vars(kind).values():
            if isinstance(attribute, type) and issubclass(attribute, enum.Enum):
                if name == attribute.__name__:
                    return Member("enum", enum_type(attribute))
                if name in attribute.__members__:
                    return Member("enum", enum_value(attribute[name]))
    return None


def hidden_in(raw_type: type, name: str) -> str | None:
    """Return the class that has the name as a C++ method without making it visible to Python."""
    return next((kind.name for kind in chain(raw_type)[0] if name in kind.hidden), None)
