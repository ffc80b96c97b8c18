"""What settings must be and how the command line gives them, said beside each field. No torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from MultimodalImagingLib.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SettingsT = TypeVar("SettingsT", bound="DataclassInstance")
NoteT = TypeVar("NoteT")


@dataclass(frozen=True)
class Must:
    """What a setting must be.

    Attributes:
        text: What was expected, in words; `{name}` stands for the name of the setting.
        holds: Tells whether a value is so.
        advice: A sentence that follows; empty for none.
    """

    text: str
    holds: Callable[[Any], bool]
    advice: str = ""


@dataclass(frozen=True)
class Option:
    """How a setting is given on the command line; true or false need no value.

    Attributes:
        flag: Name of the option.
        help: Its help; empty for none.
        metavar: What its value is called.
        bare: The value that it has when it is given without one; `None` if it needs one.
    """

    flag: str
    help: str = ""
    metavar: str | None = None
    bare: object = None


def check_settings(settings: DataclassInstance, relations: Iterable[str] = ()) -> None:
    """Refuse settings that are out of their range, or do not fit each other.

    Args:
        settings: A dataclass whose fields are annotated with what they must be.
        relations: Sentences about fields that contradict each other; asked for after the ranges.

    Raises:
        UsageError: With the first problem.
    """
    for name, _, notes in _fields_with(Must, type(settings)):
        value = getattr(settings, name)
        for must in notes:
            if not must.holds(value):
                text = f"Expected {must.text.format(name=name)}, got {value!r}. {must.advice}"
                raise UsageError(text.strip())
    for problem in relations:
        raise UsageError(problem)


def add_options(parser: argparse.ArgumentParser, kind: type[DataclassInstance]) -> None:
    """Add the options that the settings of a kind have on the command line."""
    defaults = {entry.name: entry.default for entry in fields(kind)}
    for name, hint, notes in _fields_with(Option, kind):
        for option in notes:
            values: dict[str, Any] = {"dest": name, "help": option.help or None}
            if hint is bool:
                parser.add_argument(option.flag, action="store_true", **values)
                continue
            if option.bare is not None:
                values |= {"nargs": "?", "const": option.bare}
            metavar = option.metavar or option.flag.strip("-").replace("-", "_").upper()
            values |= {"type": (get_args(hint) or (hint,))[0], "metavar": metavar}
            parser.add_argument(option.flag, default=defaults[name], **values)


def settings_from_options(
    kind: type[SettingsT], options: argparse.Namespace, **given: object
) -> SettingsT:
    """Return the settings that options say.

    Args:
        kind: Kind of the settings.
        options: Parsed options of `add_options`.
        given: Settings that no option says.

    Raises:
        UsageError: If a value cannot be used.
    """
    said = {name: getattr(options, name) for name, _, _ in _fields_with(Option, kind)}
    return kind(**said, **given)


def _fields_with(
    note: type[NoteT], kind: type[DataclassInstance]
) -> Iterable[tuple[str, Any, list[NoteT]]]:
    """Yield name, type and notes of the fields that are annotated with such notes."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        notes = [entry for entry in getattr(hint, "__metadata__", ()) if isinstance(entry, note)]
        if notes:
            yield name, get_args(hint)[0], notes
