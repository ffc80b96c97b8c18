"""Wrapper objects and classes, with PythonQt's rules for reading, setting and calling."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Any

import shiboken6
from PySide6.QtCore import QObject

from slicer_host import real_names
from slicer_host.errors import HostGapError, Refusal
from slicer_host.pythonqt import members
from slicer_host.pythonqt.conversion import call, to_python, to_qt
from slicer_host.pythonqt.members import Member
from slicer_host.pythonqt.signals import BoundSignal

_wrappers: weakref.WeakValueDictionary[int, InstanceWrapper] = weakref.WeakValueDictionary()


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
            return found.value
        if found is not None and found.kind == "method":
            return _unbound(found.value, name)
        if found is not None and found.kind == "stand-in method":
            function = getattr(cls._raw_type, name)
            return lambda *arguments: to_python(function(*map(to_qt, arguments)))
        msg = f"{cls.__name__} has no attribute named '{name}'"
        raise AttributeError(msg)

    def __repr__(cls) -> str:
        return f"<class '{cls.__name__}'>"


def _unbound(function: Any, name: str) -> Any:
    return lambda *arguments: call(function, name, arguments, bound=False)


class InstanceWrapper(metaclass=ClassWrapper):
    """One Qt object as Python sees it."""

    _raw_type: type = object
    _raw: Any

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        if keywords:
            msg = f"Called {type(self).__name__} with wrong arguments: {arguments}, {keywords}"
            raise ValueError(msg)
        from slicer_host.pythonqt.shells import construction_type

        kind = construction_type(type(self))
        raw = call(_Unwrapped(kind), kind.__name__, arguments, bound=False)
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
            return _read(self, raw, name, found)
        return _read_unlisted(self, raw, name)

    def __setattr__(self, name: str, value: Any) -> None:
        found = members.member(self._raw_type, name)
        if found is None:
            _set_unlisted(self, name, value)
        elif found.kind in {"property", "stand-in property"}:
            _write(self, name, found, value)
        else:
            msg = f"{found.kind} '{name}' can not be overwritten on {type(self).__name__} object"
            raise Refusal(msg)

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

    def __dir__(self) -> list[str]:
        real, native = members.chain(self._raw_type)
        names = {name for kind in real for name in [*kind.properties, *kind.arities]}
        return sorted(names | {name for kind in native for name in dir(kind)})


class _Unwrapped:
    """Calls a raw class and keeps the result from being wrapped a second time."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.__name__ = kind.__name__

    def __call__(self, *arguments: Any) -> _Raw:
        return _Raw(self.kind(*arguments))


class _Raw:
    def __init__(self, raw: Any) -> None:
        self.raw = raw


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

    def tr(self, text: str, *_: Any) -> str:
        """Return the text itself: the host has no translations."""
        return text

    def metaObject(self) -> Any:
        """Return the meta object."""
        return self._raw.metaObject()


def _pointer(raw: Any) -> int:
    return int(shiboken6.getCppPointer(raw)[0]) if shiboken6.isValid(raw) else id(raw)


def _read(wrapper: InstanceWrapper, raw: Any, name: str, found: Member) -> Any:
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
        return lambda *arguments: call(function, name, arguments)
    if found.kind == "stand-in method":
        return _stand_in_method(raw, *found.value)
    return found.value


def _implementation(raw: Any, name: str, method: str, owner: str) -> Any:
    if not hasattr(raw, method or name):
        msg = f"The host does not imitate {owner}.{name} yet."
        raise HostGapError(msg)
    return getattr(raw, method or name)


def _stand_in_method(raw: Any, owner: str, name: str, arities: frozenset[int]) -> Any:
    function = _implementation(raw, name, name, owner)

    def method(*arguments: Any) -> Any:
        if len(arguments) not in arities:
            msg = f"Called {name} with wrong arguments: {arguments!r}"
            raise ValueError(msg)
        return to_python(function(*map(to_qt, arguments)))

    return method


def _read_unlisted(wrapper: InstanceWrapper, raw: Any, name: str) -> Any:
    if isinstance(raw, QObject) and shiboken6.isValid(raw):
        if name in [text.data().decode() for text in raw.dynamicPropertyNames()]:
            return to_python(raw.property(name))
        for child in raw.children():
            if child.objectName() == name:
                return wrap(child)
    hidden = members.hidden_in(wrapper._raw_type, name)
    reason = f" (a C++ method of {hidden} that Python does not see)" if hidden else ""
    msg = f"{wrapper.className()} has no attribute named '{name}'{reason}"
    raise Refusal(msg)


def _write(wrapper: InstanceWrapper, name: str, found: Member, value: Any) -> None:
    raw = wrapper._raw
    if not shiboken6.isValid(raw):
        msg = f"Trying to set property '{name}' on a destroyed {wrapper.className()} object"
        raise Refusal(msg)
    if found.kind == "stand-in property":
        owner, _, _, setter = found.value
        if not setter:
            msg = f"Property '{name}' of {wrapper.className()} object is not writable"
            raise Refusal(msg)
        _implementation(raw, name, setter, owner)(to_qt(_typed(value, found.value[1])))
        return
    if not found.value.isWritable():
        msg = f"Property '{name}' of {wrapper.className()} object is not writable"
        raise Refusal(msg)
    kind = found.value.typeName()
    accepted = value is not None and raw.setProperty(found.value.name(), to_qt(_typed(value, kind)))
    if not accepted:
        msg = f"Property '{name}' of type '{kind}' does not accept {value!r}"
        raise Refusal(msg)


def _typed(value: Any, kind: str) -> Any:
    if kind in {"int", "uint"} and isinstance(value, float):
        return int(value)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "QStringList" and isinstance(value, str):
        msg = f"a property of type 'QStringList' does not accept the string {value!r}"
        raise Refusal(msg)
    return str(value) if kind == "QString" and isinstance(value, int | float) else value


def _set_unlisted(wrapper: InstanceWrapper, name: str, value: Any) -> None:
    raw = wrapper.__dict__.get("_raw")
    if isinstance(raw, QObject) and shiboken6.isValid(raw):
        if name in [text.data().decode() for text in raw.dynamicPropertyNames()]:
            raw.setProperty(name, to_qt(value))
            return
    if type(wrapper) is wrapper_class(wrapper._raw_type):
        msg = (
            f"'{name}' does not exist on {wrapper.className()} and creating new attributes"
            " on C++ objects is not allowed"
        )
        raise Refusal(msg)
    object.__setattr__(wrapper, name, value)


@cache
def wrapper_class(raw_type: type) -> type[InstanceWrapper]:
    """Return the class that Python sees for a PySide6 class."""
    base = ObjectWrapper if issubclass(raw_type, QObject) else InstanceWrapper
    return type(base)(
        members.real_name(raw_type), (base, *_operators(raw_type)), {"_raw_type": raw_type}
    )


def _operators(raw_type: type) -> tuple[type, ...]:
    from slicer_host.pythonqt.values import VALUE_MIXINS

    return tuple(mixin for name, mixin in VALUE_MIXINS.items() if name == raw_type.__name__)


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


@cache
def visible_type(raw_type: type) -> type:
    """Return the nearest base class that Python knows by name."""
    for kind in raw_type.__mro__:
        if members.is_stand_in(kind) or kind.__name__ in real_names.qt_methods():
            return kind
    return raw_type
