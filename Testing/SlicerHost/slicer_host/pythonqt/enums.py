"""Enumerators as PythonQt gives them: integers that can be combined with `|`."""

from __future__ import annotations

import enum
from functools import cache
from typing import Any


class EnumValue(int):
    """Base of all enumerators; `qt_enum` is the enumeration that PySide6 wants instead."""

    qt_enum: type[enum.Enum] | None = None


@cache
def enum_type(qt_enum: type[enum.Enum]) -> type[EnumValue]:
    """Return the integer type that stands for an enumeration of PySide6."""
    return type(qt_enum.__name__, (EnumValue,), {"qt_enum": qt_enum})


@cache
def named_enum_type(name: str) -> type[EnumValue]:
    """Return an integer type for an enumeration of a stand-in."""
    return type(name, (EnumValue,), {})


def enum_value(member: enum.Enum) -> EnumValue:
    """Return the enumerator that PythonQt would hand out."""
    return enum_type(type(member))(member.value)


def to_qt_enum(value: EnumValue) -> Any:
    """Return the enumerator that PySide6 takes."""
    return int(value) if value.qt_enum is None else value.qt_enum(int(value))
