"""Wrapper objects and classes, with PythonQt's rules for reading, setting and calling."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import cache
from typing import Any

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject

from slicer_host import real_names
from slicer_host.errors import RefusalError
from slicer_host.pythonqt import access, conversion, members
from slicer_host.pythonqt.conversion import Wrapped, call, to_python, to_qt

_wrappers: weakref.WeakValueDictionary[int, InstanceWrapper] = weakref.WeakValueDictionary()


def is_held(raw: QObject) -> bool:
    """Say whether an object lives on in PythonQt: its wrapper is in use, or it has an owner."""
    if not shiboken6.isValid(raw):
        return False
    pointer = shiboken6.getCppPointer(raw)[0]
    return pointer in _wrappers or not shiboken6.ownedByPython(raw)


class ClassWrapper(type):
    """Type of the wrapper classes: enumerators, static and unbound methods as attributes."""

    _raw_type: type

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        override = getattr(cls._raw_type, "host_static", {}).get(name)
        if override is not None:
            return override
        found = members.member(cls._raw_type, name)
        if found is not None and found.kind == "enum":
            type.__setattr__(cls, name, found.value)  # found at once from now on
            return found.value
        if found is not None and found.kind == "method":
            return lambda *arguments: call(found.value, name, arguments, bound=False)
        msg = f"{cls.__name__} has no attribute named '{name}'"
        raise AttributeError(msg)

    def __repr__(cls) -> str:
        return f"<class '{cls.__name__}'>"


class InstanceWrapper(Wrapped, metaclass=ClassWrapper):
    """One Qt object as Python sees it."""

    _raw_type: type = object
    _raw: Any

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        if keywords:
            msg = f"Called {type(self).__name__} with wrong arguments: {arguments}, {keywords}"
            raise ValueError(msg)
        from slicer_host.pythonqt.shells import construction_type

        kind = construction_type(type(self))
        raw = call(_Constructor(kind), kind.__name__, arguments, bound=False)
        object.__setattr__(self, "_raw", raw.raw)
        if kind is not self._raw_type:
            raw.raw._host_wrapper = self
        elif isinstance(raw.raw, QObject):
            _wrappers[shiboken6.getCppPointer(raw.raw)[0]] = self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_raw":
            raise AttributeError(name)
        raw = self._raw
        found = members.member(self._raw_type, name)
        if found is not None:
            return access.read(self, raw, name, found)
        return access.read_unlisted(self, raw, name)

    def __setattr__(self, name: str, value: Any) -> None:
        found = members.member(self._raw_type, name)
        if found is None:
            access.set_unlisted(self, name, value)
        elif found.kind in {"property", "stand-in property"}:
            access.write(self, name, found, value)
        else:
            msg = f"{found.kind} '{name}' can not be overwritten on {type(self).__name__} object"
            raise RefusalError(msg)

    def _is_plain(self) -> bool:
        return type(self) is wrapper_class(self._raw_type)

    def className(self) -> str:
        """Return the name of the C++ class, or of the Python class derived from it."""
        return type(self).__name__

    def inherits(self, name: str) -> bool:
        """Say whether the object's class is the named one, or derives from it."""
        real, native = members.chain(self._raw_type)
        return any(kind.name == name for kind in real) or any(k.__name__ == name for k in native)

    def delete(self) -> None:
        """Delete the C++ object."""
        shiboken6.delete(self._raw)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InstanceWrapper):
            return False
        if isinstance(self._raw, QObject) or isinstance(other._raw, QObject):
            return self._raw is other._raw or _pointer(self._raw) == _pointer(other._raw)
        return bool(self._raw == other._raw)

    def __hash__(self) -> int:
        return hash(_pointer(self._raw))

    def __bool__(self) -> bool:
        return bool(shiboken6.isValid(self._raw))

    def __repr__(self) -> str:
        return f"{type(self).__name__} ({self.className()} at: {hex(_pointer(self._raw))})"


@dataclass(frozen=True)
class _Raw:
    """A new raw object, which a call must not wrap a second time."""

    raw: Any


class _Constructor:
    """Constructs a raw class; `kind` is what its signatures are looked up in."""

    def __init__(self, kind: type) -> None:
        self.kind, self.__qualname__ = kind, kind.__qualname__

    def __call__(self, *arguments: Any) -> _Raw:
        return _Raw(self.kind(*arguments))


class ObjectWrapper(InstanceWrapper):
    """A wrapped QObject: connections, children, dynamic properties."""

    def connect(self, signal: str, *target: Any) -> bool:
        """Connect a signal to a function, or to an object's slot."""
        from slicer_host.pythonqt import signals

        if len(target) == 1:
            return signals.connect(self._raw, signal, target[0])
        return signals.connect_slot(self._raw, signal, *target[:2])

    def disconnect(self, signal: str, function: Any = None, *_: Any) -> bool:
        """Undo a connection to a function, or all of the signal."""
        from slicer_host.pythonqt import signals

        return signals.disconnect(self._raw, signal, function)

    def deleteLater(self) -> None:
        """Delete the object in the event loop; until then it belongs to whom it belonged."""
        QCoreApplication.postEvent(self._raw, QEvent(QEvent.Type.DeferredDelete))

    def parent(self) -> Any:
        """Return the parent object."""
        return to_python(self._raw.parent())

    def setParent(self, parent: ObjectWrapper | None) -> None:
        """Make the object a child of `parent`."""
        self._raw.setParent(to_qt(parent))

    def children(self) -> tuple[Any, ...]:
        """Return the child objects."""
        return to_python(self._raw.children())

    def findChildren(self, kind: Any, name: str = "") -> tuple[Any, ...]:
        """Return all descendants of a class (wrapper class or class name) with the given name."""
        found = [wrap(raw) for raw in self._raw.findChildren(QObject)]
        title = kind if isinstance(kind, str) else kind.__name__
        return tuple(w for w in found if w.inherits(title) and name in ("", w.objectName))

    def findChild(self, kind: Any, name: str = "") -> Any:
        """Return the first such descendant, or None."""
        return next(iter(self.findChildren(kind, name)), None)

    def property(self, name: str) -> Any:
        """Return the value of a property or dynamic property, or None."""
        found = members.member(self._raw_type, name)
        if found is not None and found.kind == "stand-in property":
            return getattr(self, name)
        return to_python(self._raw.property(name))

    def setProperty(self, name: str, value: Any) -> bool:
        """Set a property, or a dynamic property if the class has none of this name."""
        found = members.member(self._raw_type, name)
        if found is not None and found.kind == "stand-in property":
            setattr(self, name, value)
            return True
        return bool(self._raw.setProperty(name, to_qt(value)))


def _pointer(raw: Any) -> int:
    return int(shiboken6.getCppPointer(raw)[0]) if shiboken6.isValid(raw) else id(raw)


@cache
def wrapper_class(raw_type: type) -> type[InstanceWrapper]:
    """Return the class that Python sees for a PySide6 class."""
    base = ObjectWrapper if issubclass(raw_type, QObject) else InstanceWrapper
    return type(base)(raw_type.__name__, (base,), {"_raw_type": raw_type})


def wrap(raw: Any) -> InstanceWrapper:
    """Return the wrapper of a Qt object: the same as long as one is in use."""
    shell = getattr(raw, "_host_wrapper", None)
    if shell is not None:
        return shell
    pointer = shiboken6.getCppPointer(raw)[0] if isinstance(raw, QObject) else 0
    known = _wrappers.get(pointer) if pointer else None
    if known is not None and shiboken6.isValid(known._raw):
        return known
    kind = wrapper_class(visible_type(type(raw)))
    made = kind.__new__(kind)
    object.__setattr__(made, "_raw", raw)
    if pointer:
        _wrappers[pointer] = made
    return made


conversion._wrap.append(wrap)


@cache
def visible_type(raw_type: type) -> type:
    """Return the nearest base class that Python knows by name."""
    for kind in raw_type.__mro__:
        if members.is_stand_in(kind) or kind.__name__ in real_names.qt_methods():
            return kind
    return raw_type
