"""The task of a cohort whose label is a class per case: which classes there are.

It is kept in the cohort's record (`classes.json`); a cohort without that file is one to segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import CohortError, CrossModalError, ModelError, UsageError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.texts import joined
from MultimodalImagingLib.record.atomic_files import explained_writing, write_json
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import config_from_json, config_to_json, read_json

FILE_NAME = "classes.json"
FORMAT_VERSION = 1
MOST_CLASSES = 36
LONGEST_NAME = 60
# Okabe and Ito's colors, which color-blind users can tell apart; in this order.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class CaseClass:
    """One of the classes that a case can have.

    Attributes:
        name: What users call it.
        color: `#rrggbb`; empty for the color of its place.
        value: What tables of other programs call it, such as `1`; empty for its name alone.
    """

    name: str
    color: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        """Refuse names that no table or button can hold, and colors that are none."""
        plain = self.name.strip()
        if not plain or plain != self.name or not plain.isprintable() or "," in plain:
            msg = f"Expected the name of a class without commas, got {self.name!r}. Correct it."
            raise UsageError(msg)
        if len(plain) > LONGEST_NAME:
            msg = (
                f"Expected a name of a class of at most {LONGEST_NAME} characters, got"
                f" {len(plain)}: {plain[:20]}... Shorten it."
            )
            raise UsageError(msg)
        if self.color and not _COLOR.fullmatch(self.color):
            msg = (
                f"Expected a color like #0072b2 for the class {self.name}, got {self.color!r}."
                " Correct it, or leave it out."
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class ClassTask:
    """What a case is to be classified as.

    Attributes:
        classes: At least two, in the order of their buttons.
        question: What is asked of every case; may be empty.
    """

    classes: tuple[CaseClass, ...]
    question: str = ""

    def __post_init__(self) -> None:
        """Refuse a choice that is none, and classes that cannot be told apart."""
        if not 2 <= len(self.classes) <= MOST_CLASSES:
            msg = (
                f"Expected 2 to {MOST_CLASSES} classes, got {len(self.classes)}"
                f" ({', '.join(self.names) or 'none'}). Name every class that a case can have."
            )
            raise UsageError(msg)
        words = [word for item in self.classes for word in _words(item)]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            msg = (
                "Expected classes that differ in name and value, upper and lower case aside, got"
                f" {', '.join(twice)} twice. Rename one."
            )
            raise UsageError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(item.name for item in self.classes)

    def meant(self, text: str) -> str | None:
        """Return the class that a text of a table means, by name or value; `None` if none."""
        wanted = same_name(text.strip()).casefold()
        found = (item.name for item in self.classes if wanted in _words(item))
        return next(found, None)

    def color_of(self, name: str) -> str:
        """Return the color of a class, `#rrggbb`."""
        place = self.names.index(name)
        return self.classes[place].color or COLORS[place % len(COLORS)]


def task_of_names(names: Iterable[str], *, question: str = "") -> ClassTask:
    """Return the task with classes of these names.

    Raises:
        UsageError: If they are not usable.
    """
    return ClassTask(tuple(CaseClass(same_name(name.strip())) for name in names), question)


def read_task_file(path: Path) -> ClassTask:
    """Read a task that a user wrote.

    It is a JSON object with `classes`, and optionally `question`. Classes are a list of names or of
    objects with `name`, `color` and `value`, or an object from value to name (`{"0": "benign"}`).

    Raises:
        ModelError: If the file cannot be read or is no such JSON.
        UsageError: If its classes cannot be used.
    """
    return _task(read_json(path), f"the task {path.name}")


def read_class_task(record: CohortRecord) -> ClassTask | None:
    """Return the task of a cohort; `None` if its cases are to be segmented.

    Raises:
        CohortError: If the file in the record is not what this program writes.
    """
    path = record.folder / FILE_NAME
    if not path.exists():
        return None
    try:
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT_VERSION:
            msg = f"no classes of format {FORMAT_VERSION}"
            raise ModelError(msg)
        return _task(content, f"the classes {path.name}")
    except CrossModalError as error:
        raise CohortError(_unreadable(path, error)) from error


def write_class_task(
    record: CohortRecord, task: ClassTask, *, used: Mapping[str, int] | None = None
) -> None:
    """Keep the task of a cohort.

    Args:
        record: The cohort's record.
        task: The task.
        used: Number of cases per class that has been given already.

    Raises:
        UsageError: If a class that cases have is not among those of the task.
        CrossModalError: If it cannot be written.
    """
    lost = [f"{name} ({n})" for name, n in sorted((used or {}).items()) if name not in task.names]
    if lost:
        msg = (
            f"Cases are labeled with classes that are not among the new ones: {joined(lost)}. Keep"
            " these names; further classes can be added."
        )
        raise UsageError(msg)
    content: dict[str, Any] = {"format": FORMAT_VERSION, **config_to_json(task)}
    write_json(record.folder / FILE_NAME, content)


def take_over_class_task(record: CohortRecord, source: CohortRecord) -> str:
    """Take the classes of another record over where this one has none.

    Returns:
        What differs and was left as it is, a full sentence; empty if nothing does.

    Raises:
        CohortError: If they cannot be read.
        CrossModalError: If they cannot be written.
    """
    theirs, own = read_class_task(source), read_class_task(record)
    if theirs is None or theirs == own:
        return ""
    if own is None:
        write_class_task(record, theirs)
        return ""
    return (
        f"The classes are {', '.join(own.names)} here and {', '.join(theirs.names)} there; they"
        " were left as they are. Add what is missing with `mdal-selector classes`."
    )


def remove_class_task(record: CohortRecord) -> None:
    """Make a cohort one to segment again; classes that were given are kept.

    Raises:
        CrossModalError: If the file cannot be removed.
    """
    path = record.folder / FILE_NAME
    with explained_writing(str(path), "Get permission to write there, then try again."):
        path.unlink(missing_ok=True)


def _task(content: object, where: str) -> ClassTask:
    if isinstance(content, dict):
        content = {**content, "classes": _listed_classes(content.get("classes"))}
    return config_from_json(ClassTask, content, where=where)


def _listed_classes(classes: object) -> object:
    """Write out the short forms of a list of classes; what is none is for others to refuse."""
    if isinstance(classes, dict):
        return [{"name": name, "value": value} for value, name in classes.items()]
    if isinstance(classes, list):
        return [{"name": item} if isinstance(item, str) else item for item in classes]
    return classes


def _words(item: CaseClass) -> set[str]:
    return {same_name(word).casefold() for word in (item.name, item.value.strip()) if word}


def _unreadable(path: Path, error: Exception) -> str:
    return (
        f"Expected the classes of the cohort in {path}, but the file cannot be read ({error})."
        " Restore it from a backup, or say the classes again with `mdal-selector classes`."
    )
