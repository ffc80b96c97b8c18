"""What is to be segmented and from what: labels, regions, sub-tasks; and what can be wrong with it.

A task is data. It is read from JSON by `task_io.py`, its regions are merged by `regions.py`.
Imports no torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from CIMLSegmentLib.task.parts import Merge, Region, Subtask
from MultimodalImagingLib.errors import ModelError

T = TypeVar("T")
_KINDS = ("MR", "CT", "PET", "OTHER")
_RULES = ("nested", "disjoint")
_FILE_SAFE = re.compile(r"[^\s/\\:*?\"<>|]+")
_LARGEST_LABEL = 32767


@dataclass(frozen=True)
class Task:
    """A complete, consistent task.

    Attributes:
        name: Short name.
        description: One sentence for users.
        modalities: Modality name to its kind (`MR`, `CT`, `PET`, `OTHER`); the order counts.
        labels: Label value to its name; 0 is background and not listed.
        regions: Regions, outer ones before those inside them.
        subtasks: Sub-tasks.
        merge: Merge rule.
    """

    name: str
    description: str
    modalities: Mapping[str, str]
    labels: Mapping[int, str]
    regions: tuple[Region, ...]
    subtasks: tuple[Subtask, ...]
    merge: Merge = field(default_factory=Merge)

    def __post_init__(self) -> None:
        """Refuse a task that contradicts itself, with all its problems in one message.

        Raises:
            ModelError: If anything is wrong.
        """
        problems = list(task_problems(self))
        if problems:
            raise ModelError(f"The task {self.name!r} cannot be used: " + " ".join(problems))
        object.__setattr__(self, "modalities", dict(self.modalities))
        object.__setattr__(self, "labels", dict(self.labels))

    def region(self, name: str) -> Region:
        """Return the region of that name."""
        return next(region for region in self.regions if region.name == name)

    def subtask(self, name: str) -> Subtask:
        """Return the sub-task of that name."""
        return next(subtask for subtask in self.subtasks if subtask.name == name)

    def modality_index(self, modality: str) -> int:
        """Return the channel of a modality in a tensor `(B, M, K, J, I)`."""
        return list(self.modalities).index(modality)

    def pairs(self) -> Iterator[tuple[Subtask, str]]:
        """Yield each sub-task with each of its auxiliaries."""
        for subtask in self.subtasks:
            for auxiliary in subtask.auxiliaries:
                yield subtask, auxiliary

    @property
    def region_names(self) -> tuple[str, ...]:
        """Names of all regions in the task's order."""
        return tuple(region.name for region in self.regions)

    @property
    def primaries(self) -> tuple[str, ...]:
        """Modalities that are primary somewhere, in the task's order."""
        primary = {subtask.primary for subtask in self.subtasks}
        return tuple(modality for modality in self.modalities if modality in primary)


def task_problems(task: Task) -> Iterator[str]:
    """Yield a sentence for each problem of a task; the most basic ones come first and alone."""
    basic = [*_name_problems(task), *_reference_problems(task)]
    yield from basic
    if basic:
        return
    cycles = list(_cycle_problems(task.regions))
    yield from cycles
    if not cycles:
        yield from _nesting_problems(task)
        yield from _painting_problems(task)
    yield from _coverage_problems(task)


def _name_problems(task: Task) -> Iterator[str]:
    kinds_of_names = {
        "modality": list(task.modalities),
        "region": [region.name for region in task.regions],
        "sub-task": [subtask.name for subtask in task.subtasks],
        "label name": list(task.labels.values()),
    }
    for kind, names in kinds_of_names.items():
        if not names:
            yield f"It has no {kind}; add at least one."
        for name in _duplicates(names):
            yield f"The {kind} {name!r} occurs twice; give each its own name."
        if kind == "label name":
            continue
        for name in names:
            if not _FILE_SAFE.fullmatch(name):
                yield f"The {kind} {name!r} cannot be part of a file name; rename it."


def _reference_problems(task: Task) -> Iterator[str]:
    for modality, kind in task.modalities.items():
        if kind not in _KINDS:
            yield f"Modality {modality!r} has the kind {kind!r}; use one of {_listed(_KINDS)}."
    for value in task.labels:
        if not 0 < value <= _LARGEST_LABEL:
            yield f"Label value {value} is not within 1 to {_LARGEST_LABEL} (0 is background)."
    if task.merge.rule not in _RULES:
        yield f"The merge rule {task.merge.rule!r} is unknown; use one of {_listed(_RULES)}."
    for region in task.regions:
        yield from _region_reference_problems(task, region)
    for subtask in task.subtasks:
        yield from _subtask_reference_problems(task, subtask)


def _region_reference_problems(task: Task, region: Region) -> Iterator[str]:
    if not region.labels:
        yield f"Region {region.name!r} has no label value; list at least one."
    for value in _duplicates(region.labels):
        yield f"Region {region.name!r} lists label value {value} twice; list it once."
    for value in set(region.labels) - set(task.labels):
        yield f"Region {region.name!r} uses label value {value}, which is not among the labels."
    names = [other.name for other in task.regions]
    if region.inside is not None and region.inside not in names:
        yield f"Region {region.name!r} lies inside {region.inside!r}, which is no region."
    if region.inside is not None and task.merge.rule == "disjoint":
        yield (
            f"Region {region.name!r} lies inside {region.inside!r}, but the merge rule is disjoint;"
            " use the rule nested or remove 'inside'."
        )
    if any(not 0 <= channel <= 255 for channel in region.color):
        yield f"Region {region.name!r} has a color channel outside 0 to 255."


def _subtask_reference_problems(task: Task, subtask: Subtask) -> Iterator[str]:
    where = f"Sub-task {subtask.name!r}"
    known = list(task.modalities)
    for modality in (subtask.primary, *subtask.auxiliaries):
        if modality not in known:
            yield f"{where} uses modality {modality!r}; the task has {_listed(known)}."
    if subtask.primary in subtask.auxiliaries:
        yield f"{where} has {subtask.primary!r} as primary and as auxiliary; keep one of the two."
    for name in _duplicates([*subtask.auxiliaries, *subtask.regions]):
        yield f"{where} lists {name!r} twice; list it once."
    if not subtask.regions:
        yield f"{where} has no region; list at least one."
    for region in set(subtask.regions) - {known_region.name for known_region in task.regions}:
        yield f"{where} predicts {region!r}, which is no region of the task."


def _cycle_problems(regions: Iterable[Region]) -> Iterator[str]:
    outer_of = {region.name: region.inside for region in regions}
    reported: set[str] = set()
    for name in outer_of:
        path = [name]
        while (outer := outer_of[path[-1]]) is not None and outer not in path:
            path.append(outer)
        if outer is not None and not reported & set(path):
            cycle = path[path.index(outer) :]
            reported |= set(path)
            chain = " inside ".join([*cycle, outer])
            yield f"The nesting of regions is a cycle ({chain}); remove one 'inside'."


def _nesting_problems(task: Task) -> Iterator[str]:
    for region in task.regions:
        if region.inside is None:
            continue
        outer = task.region(region.inside)
        if not set(region.labels) < set(outer.labels):
            yield (
                f"Region {region.name!r} lies inside {outer.name!r}, so its label values"
                f" {_listed(region.labels)} must be some, not all, of {_listed(outer.labels)}."
            )
    for first, second in combinations(task.regions, 2):
        shared = set(first.labels) & set(second.labels)
        around = {*_outer_names(task, first), *_outer_names(task, second)}
        if shared and not around & {first.name, second.name}:
            yield (
                f"Regions {first.name!r} and {second.name!r} share label value"
                f" {_listed(sorted(shared))} although neither lies inside the other; state 'inside'"
                " with the merge rule nested, or separate their labels."
            )


def _painting_problems(task: Task) -> Iterator[str]:
    for region in task.regions:
        own = own_values(region, task.regions)
        if not region.value:
            yield (
                f"Region {region.name!r} has {len(own)} label values of its own"
                f" ({_listed(own)}), so which one it paints is not clear; state 'value'."
            )
        elif region.value not in own:
            yield (
                f"Region {region.name!r} paints label value {region.value}, which is not one of its"
                f" own values ({_listed(own) or 'none is left by its inner regions'})."
            )


def own_values(region: Region, regions: Iterable[Region]) -> list[int]:
    """Return the label values of a region that no region inside it has, ascending."""
    inner = {value for other in regions if other.inside == region.name for value in other.labels}
    return sorted(set(region.labels) - inner)


def _coverage_problems(task: Task) -> Iterator[str]:
    predicted = {region for subtask in task.subtasks for region in subtask.regions}
    for region in task.regions:
        if region.name not in predicted:
            yield f"No sub-task predicts region {region.name!r}; add it to one or remove it."
    covered = {value for region in task.regions for value in region.labels}
    for value, name in task.labels.items():
        if value not in covered:
            yield (
                f"Label {name!r} ({value}) belongs to no region; add it to one, or remove it so"
                " that its voxels count as background."
            )
    used = {m for subtask in task.subtasks for m in (subtask.primary, *subtask.auxiliaries)}
    for modality in task.modalities:
        if modality not in used:
            yield f"No sub-task uses modality {modality!r}; make it an auxiliary or remove it."


def _outer_names(task: Task, region: Region) -> list[str]:
    names: list[str] = []
    while region.inside is not None:
        names.append(region.inside)
        region = task.region(region.inside)
    return names


def _duplicates(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
