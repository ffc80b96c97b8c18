"""What is to be segmented and from what: labels, regions, sub-tasks and how they become one map.

A task is data. It is read from JSON by `task_io.py`, its regions are merged by `merging.py`.
Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from CIMLSegmentLib.task.parts import Subtask, TaskParts
from CIMLSegmentLib.task.task_checks import task_problems
from MultimodalImagingLib.errors import ModelError


@dataclass(frozen=True)
class Task(TaskParts):
    """A complete, consistent task."""

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
