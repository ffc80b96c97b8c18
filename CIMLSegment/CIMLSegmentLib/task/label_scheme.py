"""From the values of label maps to those of a task: by names, by what the user says, or by asking.

The user's word comes first, then names, then the task's own values, and those only if every value
that occurs is one of them. Whatever is left is not guessed: the question names values, cases and
the option that answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from CIMLSegmentLib.task.label_meaning import (
    BY_NAME,
    ONLY,
    Key,
    Meaning,
    distinct,
    key_of,
    meanings_of,
    question,
)
from CIMLSegmentLib.task.label_values import (
    BACKGROUND,
    OPTION,
    LabelValues,
    concept,
    is_not_annotated,
)
from CIMLSegmentLib.task.parts import Region
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.label_survey import CaseLabels, LabelSurvey, survey_labels
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.label_map import LabelMap, read_label_map
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted


@dataclass(frozen=True)
class LabelScheme:
    """How the label maps of some cases are read.

    Attributes:
        task: The task.
        translations: Case to label value of the task per number of `read_label_map`.
        lines: The mapping in words, one entry per value.
        warnings: What the user should look at, full sentences.
        volumes_ml: Case to volume per label value of the task, ml.
    """

    task: Task
    translations: Mapping[str, Mapping[int, int]]
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    volumes_ml: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The whole mapping in one sentence; empty if there is no label."""
        return f"Label values: {'; '.join(self.lines)}." if self.lines else ""

    @property
    def empty_regions(self) -> tuple[Region, ...]:
        """Regions that no case has."""
        present = {value for values in self.volumes_ml.values() for value in values}
        return tuple(r for r in self.task.regions if not present.intersection(r.labels))

    def read(self, case_id: str, label_map: LabelMap) -> Volume:
        """Return a label map with the values of the task."""
        array = np.zeros(label_map.volume.array.shape, dtype=np.int32)
        for code, value in self.translations.get(case_id, {}).items():
            if value != BACKGROUND:
                array[label_map.volume.array == code] = value
        return Volume(array, label_map.volume.grid)


def label_scheme(
    task: Task, cases: Sequence[CaseLabels], said: LabelValues | None = None
) -> LabelScheme:
    """Find out what the values of label maps stand for.

    Args:
        task: The task.
        cases: What the label maps hold.
        said: What the user says about it.

    Raises:
        CohortError: If it is unknown; the text asks, and names the option that answers.
    """
    meanings = meanings_of(task, cases, said or LabelValues())
    unknown = [label for label in distinct(cases).values() if key_of(label) not in meanings]
    if unknown:
        raise CohortError(question(task, cases, unknown))
    return LabelScheme(
        task,
        {
            case.case_id: {label.code: meanings[key_of(label)].value for label in case.labels}
            for case in cases
        },
        tuple(_lines(task, cases, meanings)),
        (*_warnings(task, cases, meanings), *_not_found(cases, said or LabelValues())),
        {case.case_id: _volumes(case, meanings) for case in cases},
    )


def check_regions(scheme: LabelScheme, cases: Sequence[CaseLabels]) -> None:
    """Refuse to train on labels in which a region of the task never occurs.

    Raises:
        CohortError: If there is such a region.
    """
    empty = scheme.empty_regions
    if not empty:
        return
    names = ", ".join(f"{region.name} ({region.title})" for region in empty)
    found = "; ".join(scheme.lines) or "nothing: every label map is empty"
    msg = (
        f"Expected voxels of every region of the task {scheme.task.name!r} in the label maps, found"
        f" none of {names} in any of {counted(len(cases), 'case')}, so there is nothing to"
        " learn for it. Found"
        f' are {found}. If a value means it, say so, for example {OPTION} "VALUE={empty[-1].name}";'
        " else label a case that has it, or use a task without it."
    )
    raise CohortError(msg)


def _volumes(case: CaseLabels, meanings: Mapping[Key, Meaning]) -> dict[int, float]:
    volumes: dict[int, float] = {}
    for label in case.labels:
        value = meanings[key_of(label)].value
        if value != BACKGROUND:
            volumes[value] = volumes.get(value, 0.0) + label.volume_ml
    return volumes


def _lines(
    task: Task, cases: Sequence[CaseLabels], meanings: Mapping[Key, Meaning]
) -> Iterable[str]:
    for key, label in sorted(
        distinct(cases).items(), key=lambda item: (item[1].value or 0, item[1].title)
    ):
        n_cases = sum(any(key_of(other) == key for other in case.labels) for case in cases)
        meaning = meanings[key]
        name = task.labels.get(meaning.value, "background")
        number = f"{label.value} " if label.names and key[0] is not None else ""
        yield f"{number}{label.title} = {name} ({counted(n_cases, 'case')}, {meaning.reason})"


def _warnings(
    task: Task, cases: Sequence[CaseLabels], meanings: Mapping[Key, Meaning]
) -> Iterable[str]:
    for key, label in distinct(cases).items():
        meaning = meanings[key]
        if meaning.reason == ONLY:
            yield (
                f"The label maps hold {label.title} in place of {next(iter(task.labels))}; it is"
                f" taken for {task.labels[meaning.value]!r}, the only label of the task"
                f" {task.name!r}. If it is something else, say so with {OPTION}."
            )
        if meaning.reason == BY_NAME and is_not_annotated(label.title):
            yield (
                f"Voxels of {label.title!r} were not annotated; they count as background here."
                f" Leave out cases that have many of them, or say what they are with {OPTION}."
            )


def _not_found(cases: Sequence[CaseLabels], said: LabelValues) -> Iterable[str]:
    """Warn if an answer is about something that no label map holds."""
    labels = distinct(cases).values()
    numbers = {str(label.value) for label in labels if not label.is_segment}
    titles = [name for label in labels for name in (label.title, *(n.name for n in label.names))]
    known = numbers | {concept(title) for title in titles}
    for source in said.sources:
        if source not in known and concept(source) not in known:
            yield (
                f"{OPTION} speaks of {source!r}, but no label map holds it. Check its spelling in"
                " the table of `mdal-selector inspect`."
            )


@dataclass(frozen=True)
class LabelMaps:
    """Label maps whose values are understood.

    Attributes:
        files: Label map per case.
        survey: What they hold, and which of them cannot be used.
        scheme: What the values stand for.
    """

    files: Mapping[str, ImageFile]
    survey: LabelSurvey
    scheme: LabelScheme

    def read(self, case_id: str) -> Volume:
        """Read the label map of a case with the values of the task.

        Raises:
            CohortError: If it cannot be used.
        """
        return self.scheme.read(case_id, read_label_map(self.files[case_id]))

    def tell(self, reporter: Reporter) -> None:
        """Say what the values are taken for."""
        if self.scheme.summary:
            reporter.info(self.scheme.summary)
        for text in self.scheme.warnings:
            reporter.warning(text)


def find_label_maps(
    files: Mapping[str, ImageFile],
    task: Task,
    *,
    said: LabelValues,
    reporter: Reporter,
    cache: Path | None = None,
) -> LabelMaps:
    """Read all label maps and find out what their values stand for.

    Args:
        files: Label map per case.
        task: The task.
        said: What the user says about the values.
        reporter: Receives progress.
        cache: Folder that remembers what unchanged files hold; `None` to read them all.

    Raises:
        CohortError: If a value cannot be explained; the text asks, and names the option.
    """
    survey = survey_labels(files, reporter, cache=cache)
    return LabelMaps(files, survey, label_scheme(task, survey.cases, said))


def grouped(texts: Mapping[str, str]) -> list[str]:
    """Return a sentence per text with all cases that it is about, in place of one per case.

    Args:
        texts: Text per case.
    """
    cases: dict[str, list[str]] = {}
    for case_id, text in texts.items():
        cases.setdefault(text, []).append(case_id)
    return [
        f"Case{'s' * (len(case_ids) != 1)} {', '.join(case_ids)}: {text}"
        for text, case_ids in cases.items()
    ]
