"""Python classes derived from wrapper classes: their methods override Qt's virtual ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from PySide6.QtCore import QObject

from slicer_host import errors
from slicer_host.pythonqt import members
from slicer_host.pythonqt.conversion import to_python, to_qt
from slicer_host.pythonqt.wrapper import InstanceWrapper, wrapper_class


@cache
def construction_type(wrapper: type[InstanceWrapper]) -> type:
    """Return the raw class to construct: for a derived Python class one that calls back."""
    raw_type = wrapper._raw_type
    if wrapper is wrapper_class(raw_type):
        return raw_type
    own = {name: _override(name) for name in _overridden(wrapper, raw_type)}
    if not own and not issubclass(raw_type, QObject):
        return raw_type
    return type(raw_type)(raw_type.__name__, (raw_type,), own | {"_host_wrapper": None})


def _overridden(wrapper: type[InstanceWrapper], raw_type: type) -> list[str]:
    base = wrapper_class(raw_type)
    names = {
        name
        for kind in wrapper.__mro__[: wrapper.__mro__.index(base)]
        for name, value in vars(kind).items()
        if callable(value) and not name.startswith("_")
    }
    return [name for name in names if _is_virtual(raw_type, name)]


def _is_virtual(raw_type: type, name: str) -> bool:
    found = members.member(raw_type, name)
    native = members.chain(raw_type)[1]
    is_wrapped = found is not None and found.kind in {"method", "property"}
    return is_wrapped and callable(getattr(native[0], name, None)) if native else False


def _override(name: str) -> Any:
    def method(self: QObject, *arguments: Any) -> Any:
        function = getattr(self._host_wrapper, name)
        try:
            return to_qt(function(*map(to_python, arguments)))
        except BaseException as error:  # noqa: BLE001 - reported, and the test fails
            errors.report(error)
            return None

    method.__name__ = name
    return method
