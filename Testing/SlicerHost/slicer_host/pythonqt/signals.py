"""Connections: string signatures, trimmed arguments, errors that do not get lost."""

from __future__ import annotations

import inspect
import types
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import shiboken6
from PySide6.QtCore import SIGNAL, QMetaObject, QObject, QTimer

from slicer_host import errors
from slicer_host.pythonqt import members
from slicer_host.pythonqt.conversion import to_python, to_qt


class Receiver:
    """Calls a Python function with as many of a signal's arguments as it takes.

    The sender must outlive the call: PythonQt deletes an object that Python made and that has no
    parent together with its wrapper, also within a signal of its own, which then crashes.
    """

    def __init__(self, function: Callable[..., Any], sender: QObject) -> None:
        self.function = function
        self.limit = argument_limit(function)
        self._sender = weakref.ref(sender)

    def __call__(self, *arguments: Any) -> None:
        from slicer_host.pythonqt.wrapper import is_held

        sender = self._sender()
        was_held = sender is not None and is_held(sender)
        try:
            self.function(*(to_python(argument) for argument in arguments[: self.limit]))
        except BaseException as error:  # noqa: BLE001 - reported, and the test fails
            errors.report(error)
        if was_held and not is_held(sender):
            errors.report(errors.RefusalError(_TOO_EARLY.format(name=_name(sender))))
            QTimer.singleShot(0, lambda: sender)  # here it lives on, so that only the test fails


_TOO_EARLY = (
    "A {name} lost its last reference within a signal of its own. PythonQt deletes it at once, and"
    " the application crashes. Keep it until the signal is over, for example by"
    " qt.QTimer.singleShot(0, object.deleteLater)."
)


def argument_limit(function: Callable[..., Any]) -> int | None:
    """Return how many positional arguments PythonQt passes at most; None stands for all."""
    target = function.__func__ if isinstance(function, types.MethodType) else function
    if not isinstance(target, types.FunctionType) or target.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return target.__code__.co_argcount - isinstance(function, types.MethodType)


_connections: dict[int, list[tuple[str, Receiver, Callable[[], None]]]] = {}


def normalized(signature: str) -> str:
    """Return the signature as Qt keeps it."""
    return QMetaObject.normalizedSignature(signature.lstrip("0123456789")).data().decode()


def find_signal(raw: QObject, signature: str) -> str | Any:
    """Return the normalized signature of a Qt signal, or the bound signal of a stand-in."""
    text = normalized(signature)
    name = text.partition("(")[0]
    real, native = members.chain(type(raw))
    if any(text in kind.signals for kind in real):
        attribute = getattr(type(raw), "host_signals", {}).get(text, name)
        if not hasattr(raw, attribute):
            msg = f"{type(raw).__name__} of the host does not emit {text} yet."
            raise errors.HostGapError(msg)
        return getattr(raw, attribute)
    if text in members.signals(native[0]) and members.member(native[0], name):
        return text
    msg = f"PythonQt: QObject::connect() signal '{signature}' does not exist on {_name(raw)}"
    raise errors.RefusalError(msg)


def _name(raw: QObject) -> str:
    real, native = members.chain(type(raw))
    return real[0].name if real else native[0].__name__


def connect(raw: QObject, signature: str, function: Callable[..., Any]) -> bool:
    """Connect a signal to a Python function."""
    if not callable(function):
        msg = f"Called connect with wrong arguments: {function!r} is not callable."
        raise ValueError(msg)
    signal = find_signal(raw, signature)
    receiver = Receiver(function, raw)
    if isinstance(signal, str):
        undo = partial(QObject.disconnect, QObject.connect(raw, SIGNAL(signal), receiver))
    else:
        signal.connect(receiver)
        undo = partial(signal.disconnect, receiver)
    _remember(raw, normalized(signature), receiver, undo)
    return True


def _remember(raw: QObject, key: str, receiver: Receiver, undo: Callable[[], None]) -> None:
    pointer = shiboken6.getCppPointer(raw)[0]
    if pointer not in _connections:
        _connections[pointer] = []
        raw.destroyed.connect(lambda *_: _connections.pop(pointer, None))
    _connections[pointer].append((key, receiver, undo))


def disconnect(raw: QObject, signature: str, function: Callable[..., Any] | None = None) -> bool:
    """Undo one connection to the function, or all connections of the signal to Python."""
    find_signal(raw, signature)
    known = _connections.get(shiboken6.getCppPointer(raw)[0], [])
    key = normalized(signature)
    found = [entry for entry in known if entry[0] == key and function in (None, entry[1].function)]
    for entry in found if function is None else found[:1]:
        known.remove(entry)
        entry[2]()
    return bool(found)


def receivers(raw: QObject, signature: str) -> list[Receiver]:
    """Return what is connected to a signal from Python, in the order of connecting."""
    entries = _connections.get(shiboken6.getCppPointer(raw)[0], [])
    return [receiver for key, receiver, _ in entries if key == signature]


def connect_slot(raw: QObject, signature: str, receiver: Any, slot: str) -> bool:
    """Connect a signal to a slot of another wrapped object."""
    text = normalized(slot)
    name, _, arguments = text.partition("(")
    if not has_slot(type(receiver._raw), text):
        msg = f"QObject::connect: No such slot {receiver.className()}::{slot}"
        raise errors.RefusalError(msg)
    count = len([part for part in arguments.rstrip(")").split(",") if part])

    def call_slot(*values: Any) -> None:
        getattr(receiver, name)(*values[:count])

    return connect(raw, signature, call_slot)


def has_slot(raw_type: type, text: str) -> bool:
    """Say whether the class has the slot (or signal, which can be a receiver too)."""
    real, native = members.chain(raw_type)
    if any(text in kind.slots or text in kind.signals for kind in real):
        return True
    return bool(native) and native[0].staticMetaObject.indexOfMethod(text) >= 0


class BoundSignal:
    """A signal of one object, as `button.clicked`."""

    def __init__(self, wrapper: Any, signature: str) -> None:
        self._wrapper = wrapper
        self._signature = signature

    def connect(self, function: Callable[..., Any]) -> bool:
        """Connect the signal to a Python function."""
        return connect(self._wrapper._raw, self._signature, function)

    def disconnect(self, function: Callable[..., Any] | None = None) -> bool:
        """Undo the connection to the function, or all connections."""
        return disconnect(self._wrapper._raw, self._signature, function)

    def emit(self, *arguments: Any) -> None:
        """Emit the signal."""
        signal = find_signal(self._wrapper._raw, self._signature)
        if isinstance(signal, str):
            signal = getattr(self._wrapper._raw, signal.partition("(")[0])
        signal.emit(*(to_qt(argument) for argument in arguments))

    __call__ = emit
