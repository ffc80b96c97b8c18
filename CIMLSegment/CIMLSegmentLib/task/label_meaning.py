"""What a label value stands for: the user's word first, then names, then the task's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from CIMLSegmentLib.task.label_values import OPTION, LabelValues
from CIMLSegmentLib.task.label_words import BACKGROUND, is_generic, value_of_name
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.label_survey import CaseLabels, FoundLabel
from MultimodalImagingLib.images.label_names import LabelName

BY_USER, BY_NAME, BY_VALUE, ONLY = OPTION, "by its name", "as in the task", "the only label"

Key = tuple[int | None, tuple[LabelName, ...]]


@dataclass(frozen=True)
class Meaning:
    """What a value stands for.

    Attributes:
        value: Label value of the task, 0 for background.
        reason: Why.
    """

    value: int
    reason: str


def meanings_of(task: Task, cases: Sequence[CaseLabels], said: LabelValues) -> dict[Key, Meaning]:
    """Find out what values stand for, as far as it is known.

    Args:
        task: The task.
        cases: What the label maps hold.
        said: What the user says about it.
    """
    labels = distinct(cases)
    meanings: dict[Key, Meaning] = {}
    for key, label in labels.items():
        meaning = _said(label, said, task) or _named(label, said, task)
        if meaning is not None:
            meanings[key] = meaning
    claimed = {m.value for (value, _), m in meanings.items() if value is not None}
    rest = {key: label for key, label in labels.items() if key not in meanings}
    for key, label in rest.items():
        if _has_task_value(label, task) and label.value not in claimed:
            meanings[key] = Meaning(int(label.value or 0), BY_VALUE)
    return meanings | _others(task, labels, meanings, said)


def _others(
    task: Task,
    labels: Mapping[Key, FoundLabel],
    meanings: Mapping[Key, Meaning],
    said: LabelValues,
) -> dict[Key, Meaning]:
    """Give a meaning to what is left, if the user did, or if there is no choice."""
    rest = [key for key in labels if key not in meanings]
    if said.others is not None:
        return dict.fromkeys(rest, Meaning(said.others, BY_USER))
    is_only = all(meaning.value == BACKGROUND for meaning in meanings.values())
    if len(rest) == 1 and len(task.labels) == 1 and is_only:
        return {rest[0]: Meaning(next(iter(task.labels)), ONLY)}
    return {}


def _said(label: FoundLabel, said: LabelValues, task: Task) -> Meaning | None:
    """Ask the user's word: for the whole name, the number, or each of the overlapping segments."""
    values = [said.of_name(label.title) if label.names else None]
    if label.value is not None and not label.is_segment:
        values.append(said.of_number(label.value))
    own = [said.of_name(name.name) for name in label.names]
    if own and None not in own:
        values.append(_deepest([value for value in own if value is not None], task))
    return next((Meaning(value, BY_USER) for value in values if value is not None), None)


def _named(label: FoundLabel, said: LabelValues, task: Task) -> Meaning | None:
    found = []
    for name in label.names:
        value = said.of_name(name.name)
        value = value_of_name(name, task) if value is None else value
        if value is None:
            return None
        found.append(value)
    deepest = _deepest(found, task)
    return None if deepest is None else Meaning(deepest, BY_NAME)


def _deepest(values: Sequence[int], task: Task) -> int | None:
    """Return the value of the innermost region; `None` if two of the same depth overlap."""
    depths = {value: sum(value in region.labels for region in task.regions) for value in values}
    top = [value for value, depth in depths.items() if depth == max(depths.values())]
    return top[0] if len(top) == 1 else None


def _has_task_value(label: FoundLabel, task: Task) -> bool:
    """Tell whether a number speaks for itself; those of segments only do if there is one label."""
    if any(not is_generic(name.name) for name in label.names):
        return False
    return label.value in task.labels and (not label.is_segment or len(task.labels) == 1)


def distinct(cases: Iterable[CaseLabels]) -> dict[Key, FoundLabel]:
    """Return one example of everything that occurs."""
    found: dict[Key, FoundLabel] = {}
    for case in cases:
        for label in case.labels:
            found.setdefault(key_of(label), label)
    return found


def key_of(label: FoundLabel) -> Key:
    """Return what a label is known by: segments by name alone, as their numbers differ by file."""
    return None if label.is_segment else label.value, label.names
