"""The question about label values that neither names nor the task explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from CIMLSegmentLib.task.label_values import OPTION, named_schemes, target_names
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.label_survey import CaseLabels, FoundLabel
from MultimodalImagingLib.jobs.texts import counted, listed

_MOST_CASES, _MOST_VALUES, _MOST_TITLES, _LIKE_AN_IMAGE = 5, 8, 20, 100


def question(task: Task, cases: Sequence[CaseLabels], unknown: Sequence[FoundLabel]) -> str:
    """Ask what values are: which ones, in which cases, and how to answer.

    Args:
        task: The task.
        cases: What the label maps hold.
        unknown: The values that have no meaning yet.
    """
    found = [_value_in_cases(label, cases) for label in unknown]
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


def _value_in_cases(label: FoundLabel, cases: Sequence[CaseLabels]) -> str:
    return f"{label.title} in {_names(_having(label.title, cases))}"


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
