"""Values on their way between Python and Qt, as PythonQt converts them."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import shiboken6
from shibokensupport.signature import get_signature

from slicer_host.pythonqt.enums import EnumValue, enum_value, to_qt_enum

_UNFIT = object()


class Wrapped:
    """Base of all wrapper objects: `_raw` is the object of PySide6."""

    __slots__ = ()
    _raw: Any


_PLAIN = (bool, int, float, str, bytes, type(None))
_wrap: list[Callable[[Any], Any]] = []  # the wrapper module adds its function here
_known_kinds: dict[Any, list[Any]] = {}
_lenient_names: set[str] = set()


def to_python(value: Any) -> Any:
    """Convert what a Qt call returned: enumerators to integers, lists to tuples, wrap objects."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, enum.Enum):
        return enum_value(value)
    if isinstance(value, list | tuple):
        return tuple(to_python(item) for item in value)
    if isinstance(value, dict):
        return {key: to_python(item) for key, item in value.items()}
    return _wrap[0](value) if isinstance(value, shiboken6.Shiboken.Object) else value


def to_qt(value: Any) -> Any:
    """Convert an argument that Python passes to Qt."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Wrapped):
        return value._raw
    if isinstance(value, EnumValue):
        return to_qt_enum(value)
    if isinstance(value, tuple):
        return tuple(to_qt(item) for item in value)
    return [to_qt(item) for item in value] if isinstance(value, list) else value


def call(function: Any, name: str, arguments: tuple[Any, ...], *, bound: bool = True) -> Any:
    """Call a function of PySide6 with the leniency of PythonQt for numbers, strings and enums."""
    raw = [to_qt(argument) for argument in arguments]
    if name in _lenient_names:
        raw = _fit_as_before(function, raw)
    try:
        return to_python(function(*raw))
    except (TypeError, ValueError) as error:
        if "argument" not in str(error):
            raise
        for kinds, candidate in _candidates(function, raw, bound=bound):
            result = function(*candidate)
            _lenient_names.add(name)
            _known_kinds[_key(function, raw)] = kinds
            return to_python(result)
        msg = f"Called {name} with wrong arguments: {tuple(arguments)!r}\n{error}"
        raise ValueError(msg) from None


def _key(function: Any, raw: list[Any]) -> tuple[Any, ...]:
    return (getattr(function, "__qualname__", ""), *map(type, raw))


def _fit_as_before(function: Any, raw: list[Any]) -> list[Any]:
    kinds = _known_kinds.get(_key(function, raw))
    if kinds is None:
        return raw
    fitted = [_fit(value, kind) for value, kind in zip(raw, kinds, strict=False)]
    return raw if any(value is _UNFIT for value in fitted) else fitted


def _candidates(function: Any, raw: list[Any], *, bound: bool) -> list[tuple[list[Any], list[Any]]]:
    signatures = get_signature(getattr(function, "kind", function))
    overloads = signatures if isinstance(signatures, list) else [signatures]
    drops_self = bound or hasattr(function, "kind")
    found = []
    for signature in filter(None, overloads):
        kinds = [parameter.annotation for parameter in signature.parameters.values()]
        kinds = kinds[1:] if drops_self and "self" in signature.parameters else kinds
        fitted = [_fit(value, kind) for value, kind in zip(raw, kinds, strict=False)]
        if len(kinds) >= len(raw) and not any(value is _UNFIT for value in fitted):
            found.append((kinds, fitted))
    return found


def _fit(value: Any, kind: Any) -> Any:
    for option in _options(kind):
        fitted = _fit_one(value, option)
        if fitted is not _UNFIT:
            return fitted
    return _UNFIT


def _options(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return typing.get_args(kind)
    return (kind,)


def _fit_one(value: Any, kind: Any) -> Any:
    origin = typing.get_origin(kind) or kind
    if not inspect.isclass(origin) or origin is inspect.Parameter.empty:
        return value
    if issubclass(origin, enum.Enum):
        return origin(int(value)) if isinstance(value, int) else _UNFIT
    if origin in {int, float} and isinstance(value, int | float):
        return origin(value)
    if origin is str and isinstance(value, int | float | str):
        return str(value)
    if origin is collections.abc.Sequence and isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, origin) or (value is None and origin is type(None)):
        return value
    return _convert_implicitly(value, origin)


def _convert_implicitly(value: Any, kind: type) -> Any:
    if kind.__name__ in {"QByteArray", "QBrush", "QColor", "QKeySequence", "QUrl", "QIcon"}:
        try:
            return kind(value)
        except TypeError:
            return _UNFIT
    return _UNFIT if isinstance(value, shiboken6.Shiboken.Object | str | bytes) else value
