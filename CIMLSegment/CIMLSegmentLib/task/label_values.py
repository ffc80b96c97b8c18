"""What the user says about label values: `3=ET,4=ignore`, `ET=3` or the name of a scheme."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from CIMLSegmentLib.task.label_words import BACKGROUND, concept, value_of_name
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.label_names import LabelName
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json

Key = TypeVar("Key", int, str)

OPTION = "--label-values"
SCHEME_FOLDER = Path(__file__).parents[1] / "LabelSchemes"

_NUMBER = re.compile(r"[+-]?\d{1,9}")
_IGNORED = {"ignore", "ignored", "background", "none"}
_OTHERS = {"others", "other", "rest"}


@dataclass(frozen=True)
class NamedScheme:
    """Label values that a public data set gave names.

    Attributes:
        name: How the option calls it.
        title: What it is.
        labels: Value to its names, the first that a task knows counts.
    """

    name: str
    title: str
    labels: Mapping[int, tuple[str, ...]]

    def values(self, task: Task) -> dict[int, int]:
        """Return the value of the task for every value; 0 for what the task has no label for."""
        return {value: _first_known(names, task) for value, names in self.labels.items()}


@dataclass(frozen=True)
class LabelValues:
    """What values and names in label maps stand for.

    Attributes:
        text: As the user wrote it; empty if nothing was said.
        numbers: Number in the files to label value of the task, 0 for background.
        names: Meaning of a name in the files to label value of the task.
        others: What everything else stands for; `None` if that was not said.
        sources: Numbers and names that the user spoke of one by one.
    """

    text: str = ""
    numbers: Mapping[int, int] | None = None
    names: Mapping[str, int] | None = None
    others: int | None = None
    sources: tuple[str, ...] = ()

    def of_number(self, value: int) -> int | None:
        """Return what a number stands for; `None` if nothing was said about it."""
        return (self.numbers or {}).get(value)

    def of_name(self, name: str) -> int | None:
        """Return what a name stands for; `None` if nothing was said about it."""
        return (self.names or {}).get(concept(name))


def named_schemes() -> tuple[NamedScheme, ...]:
    """Return the schemes that come with the program, sorted by name."""
    return tuple(_scheme(path) for path in sorted(SCHEME_FOLDER.glob("*.json")))


def parse_label_values(text: str, task: Task) -> LabelValues:
    """Understand the option.

    Args:
        text: Entries with commas between them: `VALUE=LABEL`, `LABEL=VALUE`, `NAME=LABEL`,
            `others=ignore`, or the name of a scheme. LABEL is a label or region of the task, or
            `ignore` for background.
        task: The task.

    Raises:
        UsageError: If an entry is not understood, or two of them contradict each other.
    """
    parser = _Parser(task)
    for entry in text.split(","):
        if entry.strip():
            parser.add(entry.strip())
    return LabelValues(
        text.strip(), parser.numbers, parser.names, parser.others, tuple(parser.sources)
    )


class _Parser:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._schemes = {scheme.name: scheme for scheme in named_schemes()}
        self._base: dict[int, int] = {}
        self._said: dict[int, int] = {}
        self.names: dict[str, int] = {}
        self.others: int | None = None
        self.sources: list[str] = []

    @property
    def numbers(self) -> dict[int, int]:
        """What numbers stand for; single entries count before a scheme."""
        return self._base | self._said

    def add(self, entry: str) -> None:
        if entry.lower() in self._schemes:
            self._base |= self._schemes[entry.lower()].values(self._task)
            return
        left, equals, right = (part.strip() for part in entry.rpartition("="))
        if not (left and equals and right):
            raise UsageError(self._problem(entry))
        is_reversed = _NUMBER.fullmatch(right) and not _NUMBER.fullmatch(left)
        if is_reversed and self._target(left) is not None:
            left, right = right, left
        target = self._target(right)
        if target is None:
            raise UsageError(self._problem(entry))
        self._keep(entry, left, target)

    def _keep(self, entry: str, left: str, target: int) -> None:
        if left.lower() in _OTHERS:
            self.others = target
            return
        self.sources.append(str(int(left)) if _NUMBER.fullmatch(left) else left)
        if _NUMBER.fullmatch(left):
            self._set(self._said, int(left), target, entry)
        else:
            self._set(self.names, concept(left), target, entry)

    def _set(self, table: dict[Key, int], key: Key, target: int, entry: str) -> None:
        if table.get(key, target) != target:
            msg = (
                f"Expected one meaning of each value in {OPTION}, found another one in {entry!r}."
                " Keep one of the two."
            )
            raise UsageError(msg)
        table[key] = target

    def _target(self, text: str) -> int | None:
        if text.lower() in _IGNORED:
            return BACKGROUND
        if _NUMBER.fullmatch(text):
            return int(text) if int(text) in self._task.labels else None
        return value_of_name(LabelName(text), self._task)

    def _problem(self, entry: str) -> str:
        return (
            f"Expected entries such as 3={target_names(self._task)[-1]} or 4=ignore in {OPTION},"
            f" found {entry!r}. Labels of the task {self._task.name!r} are"
            f" {', '.join(target_names(self._task))}; known schemes are"
            f" {', '.join(self._schemes)}."
        )


def target_names(task: Task) -> list[str]:
    """Return a name that LABEL may have for each label: the region that is this label, or its own.

    Args:
        task: The task.
    """
    regions = {region.labels: region.name for region in task.regions}
    return [regions.get((value,), name) for value, name in task.labels.items()]


def _first_known(names: tuple[str, ...], task: Task) -> int:
    values = (value_of_name(LabelName(name), task) for name in names)
    return next((value for value in values if value is not None), BACKGROUND)


def _scheme(path: Path) -> NamedScheme:
    entry = JsonEntry(read_json(path), f"the label scheme {path.name}")
    entry.check_keys(("title", "labels"), optional=())
    labels = JsonEntry(entry.value("labels", dict), f"the labels of {entry.where}")
    return NamedScheme(
        path.stem,
        entry.value("title", str),
        {int(value): labels.listed(value, str) for value in labels.data},
    )
