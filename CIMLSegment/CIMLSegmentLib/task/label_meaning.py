"""What a label value stands for: the user's word, names, the task's values; else the question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from CIMLSegmentLib.task.label_values import (
    BACKGROUND,
    OPTION,
    LabelValues,
    is_generic,
    named_schemes,
    target_names,
    value_of_name,
)
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.label_survey import CaseLabels, FoundLabel
from MultimodalImagingLib.images.label_names import LabelName
from MultimodalImagingLib.jobs.texts import counted, listed

BY_USER, BY_NAME, BY_VALUE, ONLY = OPTION, "by its name", "as in the task", "the only label"

Key = tuple[int | None, tuple[LabelName, ...]]

_MOST_CASES, _MOST_VALUES, _MOST_TITLES, _LIKE_AN_IMAGE = 5, 8, 20, 100


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
    task: Task, labels: Mapping[Key, FoundLabel], meanings: Mapping[Key, Meaning], said: LabelValues
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


def question(task: Task, cases: Sequence[CaseLabels], unknown: Sequence[FoundLabel]) -> str:
    """Ask what values are: which ones, in which cases, and how to answer.

    Args:
        task: The task.
        cases: What the label maps hold.
        unknown: The values that have no meaning yet.
    """
    found = [f"{label.title} in {_names(_having(label.title, cases))}" for label in unknown]
    values = listed(found, most=_MOST_VALUES, separator="; ")
    labels = ", ".join(f"{value} {name}" for value, name in task.labels.items())
    sentences = [
        f"Expected label values of the task {task.name!r} ({labels}), found {values}, whose"
        f" meaning is unknown; the label maps hold {_occurring(cases)}.",
        *_mixture(task, cases, unknown),
        *_image(cases),
        *_answers(task, cases, unknown),
    ]
    return " ".join(sentences)


def _occurring(cases: Sequence[CaseLabels]) -> str:
    found = {(label.value or 0, label.title) for case in cases for label in case.labels}
    titles = list(dict.fromkeys(title for _, title in sorted(found)))
    return listed(titles, most=_MOST_TITLES)


def _having(title: str, cases: Sequence[CaseLabels]) -> list[str]:
    return [c.case_id for c in cases if any(label.title == title for label in c.labels)]


def _names(case_ids: Sequence[str]) -> str:
    return f"{counted(len(case_ids), 'case')} ({listed(case_ids, most=_MOST_CASES)})"


def _mixture(
    task: Task, cases: Sequence[CaseLabels], unknown: Sequence[FoundLabel]
) -> Iterator[str]:
    """Say whether a value of the task occurs only in cases without an unknown one."""
    for label in unknown[:_MOST_VALUES]:
        others = set(_having(label.title, cases))
        for value in task.labels:
            own = _having(str(value), cases)
            if own and not others & set(own):
                yield (
                    f"No case has both {value} and {label.title}: {value} is in {_names(own)}. They"
                    " may be labels of two kinds in one cohort; train on each kind alone, or say"
                    " what both are."
                )


def _image(cases: Sequence[CaseLabels]) -> Iterator[str]:
    like_images = [case.case_id for case in cases if len(case.labels) > _LIKE_AN_IMAGE]
    if like_images:
        yield (
            f"The label map of {_names(like_images)} has more than {_LIKE_AN_IMAGE} different"
            " values, as an image has; check that it is a label map."
        )


def _answers(
    task: Task, cases: Sequence[CaseLabels], unknown: Sequence[FoundLabel]
) -> Iterator[str]:
    occurring = {label.value for case in cases for label in case.labels if not label.names}
    for scheme in named_schemes():
        targets = {value: t for value, t in scheme.values(task).items() if value in occurring}
        if occurring <= scheme.labels.keys() and any(targets.values()):
            yield f"If they are those of {scheme.title}, give {OPTION} {scheme.name}."
    first, last = unknown[0].title, target_names(task)[-1]
    others = ",others=ignore" if len(unknown) > 1 else ""
    glue = "=" if first.startswith("-") else " "  # else it would be taken for an option
    yield (
        f'Say what they are, for example {OPTION}{glue}"{first}={last}{others}"; possible are'
        f" {', '.join(target_names(task))}, and ignore for what counts as background."
    )
