"""JSON that was not written here: every key and type is checked, and each fault is a sentence."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from itertools import compress
from pathlib import Path
from sys import float_info
from typing import TYPE_CHECKING, Any, TypeVar

from MultimodalImagingLib.errors import ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def json_value(text: str | bytes, **hooks: Any) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.
        hooks: `object_pairs_hook` and `parse_constant` of `json.loads`.

    Raises:
        ValueError: If it is no JSON, no text, or nested deeper than Python can follow.
    """
    try:
        value = json.loads(text, **hooks)
        if (b"\\ud" if isinstance(text, bytes) else "\\ud") in text.lower():  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()  # half a character is a ValueError
        return value
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


ConfigT = TypeVar("ConfigT", bound="DataclassInstance")


def json_keys(text: str | bytes) -> set[str]:
    """Return the keys of a JSON object; none if the text is no JSON or something else."""
    try:
        value = json_value(text)
    except ValueError:
        return set()
    return set(value) if isinstance(value, dict) else set()


def parse_json(text: str | bytes, where: str) -> object:
    """Parse JSON in which no object has a key twice.

    Raises:
        ModelError: If it is no such JSON.
    """
    try:
        return json_value(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except ValueError as error:
        msg = f"{where} is not valid JSON: {error}. Correct it at that place."
        raise ModelError(msg) from error


def read_json(path: Path) -> object:
    """Read a JSON file.

    Raises:
        ModelError: If it cannot be read or is no JSON.
    """
    try:
        return parse_json(path.read_bytes(), f"The file {path}")
    except OSError as error:
        msg = f"Expected a readable JSON file {path}, got: {error.strerror}. Check path and rights."
        raise ModelError(msg) from error


class JsonEntry:
    """A JSON object whose keys and types are checked while it is read."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            msg = f"Expected {where} to be a JSON object, got {data!r:.80}."
            raise ModelError(msg)
        self.data: dict[str, Any] = data
        self.where = where

    def check_keys(self, known: Sequence[str], *, optional: Iterable[str]) -> None:
        """Refuse unknown and missing keys."""
        for key in self.data:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
                msg = f"Unknown key {key!r} in {self.where}; {hint}"
                raise ModelError(msg)
        for key in known:
            if key not in self.data and key not in optional:
                msg = f"The key {key!r} is missing in {self.where}; add it."
                raise ModelError(msg)

    def value(self, key: str, kind: type, *default: Any) -> Any:
        """Return a value of a type; `bool` is no `int`."""
        value = self.data.get(key, *default)
        if not _is_a(value, kind) and not (default and value == default[0]):
            msg = f"Expected {key!r} in {self.where} to be {_NAMES[kind]}, got {value!r:.80}."
            raise ModelError(msg)
        return value

    def listed(self, key: str, kind: type) -> tuple[Any, ...]:
        """Return a list whose entries have a type."""
        values = self.value(key, list)
        for value in values:
            if not _is_a(value, kind):
                msg = f"Expected {_NAMES[kind]} in {key!r} of {self.where}, got {value!r:.80}."
                raise ModelError(msg)
        return tuple(values)

    def choice(self, key: str, known: Sequence[object]) -> Any:
        """Return a value that is one of those that are known."""
        value = self.data.get(key)
        if value not in known:
            names = ", ".join(map(repr, known))
            msg = f"Expected {key!r} in {self.where} to be one of {names}, got {value!r:.80}."
            raise ModelError(msg)
        return value

    def items(self, key: str, singular: str) -> list[JsonEntry]:
        """Return a list of objects; `singular` names one of them in messages."""
        return [
            JsonEntry(data, f"{singular} {number}")
            for number, data in enumerate(self.value(key, list), start=1)
        ]

    def mapping(self, key: str, kind: type, *, unique_values: bool = False) -> dict[str, Any]:
        """Return an object whose values have a type."""
        entry = JsonEntry(self.value(key, dict), f"{key!r} of {self.where}")
        values = {name: entry.value(name, kind) for name in entry.data}
        if unique_values and len(set(values.values())) < len(values):
            msg = f"Two entries of {entry.where} have the same value; give each its own."
            raise ModelError(msg)
        return values


_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float) and abs(value) <= float_info.max
    return isinstance(value, kind)


def _refuse_constant(name: str) -> None:
    msg = f"{name} is no number in JSON"
    raise ValueError(msg)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            msg = f"The key {key!r} occurs twice in one object; keep one of the two."
            raise ModelError(msg)
    return dict(pairs)


def config_to_json(config: DataclassInstance) -> dict[str, Any]:
    """Return the JSON form of a dataclass; `config_from_json` restores an equal one."""
    content: dict[str, Any] = _plain(asdict(config))
    return content


def config_from_json(kind: type[ConfigT], data: object, *, where: str) -> ConfigT:
    """Build a dataclass from parsed JSON; absent keys keep their default.

    Args:
        kind: A dataclass of numbers, texts, tuples, mappings and other such dataclasses.
        data: Parsed JSON.
        where: How messages call the object.

    Raises:
        ModelError: If a key is unknown or missing, or has the wrong type.
        UsageError: If a value is out of range.
    """
    entry = JsonEntry(data, where)
    own = fields(kind)
    is_optional = [f.default is not MISSING or f.default_factory is not MISSING for f in own]
    names = [f.name for f in own]
    entry.check_keys(names, optional=list(compress(names, is_optional)))
    hints = typing.get_type_hints(kind)
    return kind(**{name: _typed(entry, name, hints[name]) for name in entry.data})


def changed_config(config: ConfigT, changes: object, *, where: str) -> ConfigT:
    """Return a dataclass with some of its values, also inner ones, replaced by parsed JSON.

    Raises:
        ModelError: If a key is unknown or has the wrong type.
        UsageError: If a value is out of range.
    """
    entry = JsonEntry(changes, where)
    names = [f.name for f in fields(config)]
    entry.check_keys(names, optional=names)
    hints = typing.get_type_hints(type(config))
    values = {}
    for name, value in entry.data.items():
        old = getattr(config, name)
        values[name] = (
            changed_config(old, value, where=f"{name!r} of {where}")
            if is_dataclass(old) and not isinstance(old, type)
            else _typed(entry, name, hints[name])
        )
    return replace(config, **values)


def read_settings(path: Path | None, kinds: Sequence[str]) -> dict[str, dict[str, object]]:
    """Read the settings that a user wants to have otherwise: an object per kind of settings.

    Args:
        path: The file; `None` for no changes.
        kinds: Keys that it may have; absent ones are empty.

    Raises:
        ModelError: If the file cannot be read, is no JSON, or has other keys.
    """
    if path is None:
        return {kind: {} for kind in kinds}
    entry = JsonEntry(read_json(path), f"the settings {path.name}")
    entry.check_keys(kinds, optional=kinds)
    return {kind: entry.value(kind, dict, {}) for kind in kinds}


def _typed(entry: JsonEntry, name: str, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        if entry.data[name] is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return entry.choice(name, typing.get_args(hint))
    if origin is tuple:
        return _typed_items(entry, name, typing.get_args(hint))
    if origin is Mapping:
        return _typed_mapping(entry, name, typing.get_args(hint)[1])
    if is_dataclass(hint) and isinstance(hint, type):
        return config_from_json(hint, entry.data[name], where=f"{name!r} of {entry.where}")
    return entry.value(name, hint)


def _typed_mapping(entry: JsonEntry, name: str, kind: type) -> dict[str, Any]:
    if not is_dataclass(kind):
        return entry.mapping(name, kind)
    where = f"{{}} in {name!r} of {entry.where}"
    return {
        key: config_from_json(kind, value, where=where.format(repr(key)))
        for key, value in entry.value(name, dict).items()
    }


def _typed_items(entry: JsonEntry, name: str, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    values = entry.value(name, list)
    kinds = (hints[0],) * len(values) if hints[-1] is Ellipsis else hints
    if len(values) != len(kinds):
        msg = f"Expected {len(kinds)} entries in {name!r} of {entry.where}, got {len(values)}."
        raise ModelError(msg)
    return tuple(
        _typed(JsonEntry({f"{name}[{number}]": value}, entry.where), f"{name}[{number}]", kind)
        for number, (value, kind) in enumerate(zip(values, kinds, strict=True))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
