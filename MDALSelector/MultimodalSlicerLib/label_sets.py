"""The labels that a case gets before anybody has drawn: names, colors, standard codes.

Must not import Qt. They are those of a task, or names that the user gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer

from MultimodalImagingLib.preparation.intensity import modality_kind
from MultimodalImagingLib.record.label_set_file import LabelSet, read_label_set
from MultimodalImagingLib.record.record_folders import RecordFolders
from MultimodalSlicerLib.segment_nodes import LABEL_COLORS

if TYPE_CHECKING:
    from CIMLSegmentLib.task.task_io import CohortModalities

ANY = "single-target"  # the task for cohorts of any modalities
Color = tuple[float, float, float]


@dataclass(frozen=True)
class NewSegment:
    """A segment without voxels.

    Attributes:
        identity: Its ID, which models and exports know it by.
        name: What users read.
        color: Red, green, blue, 0 to 1.
        value: Its number in label maps.
        terminology: Standard codes as Slicer stores them; empty for none.
    """

    identity: str
    name: str
    color: Color
    value: int
    terminology: str = ""


@dataclass(frozen=True)
class NewLabels:
    """What an empty segmentation of a case holds.

    Attributes:
        segments: In the order of the task.
        primary: Modality whose grid it has; empty for the first one.
    """

    segments: tuple[NewSegment, ...] = ()
    primary: str = ""

    @property
    def values(self) -> dict[str, int] | None:
        """Number by name for label maps; `None` to leave them to the file."""
        return {new.name: new.value for new in self.segments} or None


def taskNames() -> tuple[str, ...]:
    """Return the names of the tasks that come with CrossModal."""
    from CIMLSegmentLib.task.task_io import preset_names

    return preset_names()


def suitableTask(modalities: Sequence[str]) -> str:
    """Return the task that uses most of a cohort's modalities, or else the one for any cohort."""
    from CIMLSegmentLib.task.task_io import load_task

    tasks = {name: load_task(name, cohort=_offer(modalities)) for name in taskNames()}
    fitting = [name for name, task in tasks.items() if set(task.modalities) <= set(modalities)]
    return max(fitting, key=lambda name: (len(tasks[name].modalities), name != ANY), default="")


def chosenLabels(record: RecordFolders, modalities: Sequence[str]) -> LabelSet:
    """Return the labels that were chosen for a cohort; those of a suitable task before.

    Args:
        record: The record of the cohort.
        modalities: Those of the cohort; empty if none is known.

    Raises:
        CohortError: If the file that keeps the choice cannot be read.
    """
    suitable = suitableTask(modalities) if modalities else ""
    return read_label_set(record) or LabelSet(suitable)


def newLabels(labelSet: LabelSet, modalities: Sequence[str]) -> NewLabels:
    """Return what an empty segmentation holds.

    Args:
        labelSet: The task or the names that were chosen for the cohort.
        modalities: Those of the case, in their order.

    Raises:
        ModelError: If the task is unknown or cannot be used.
    """
    if labelSet.names:
        colors = (LABEL_COLORS[n % len(LABEL_COLORS)] for n in range(len(labelSet.names)))
        pairs = enumerate(zip(labelSet.names, colors, strict=True), start=1)
        return NewLabels(tuple(NewSegment(name, name, color, n) for n, (name, color) in pairs))
    if not labelSet.task:
        return NewLabels()
    from CIMLSegmentLib.results.segmentation_nrrd import terminology_entry
    from CIMLSegmentLib.task.task_io import load_task

    task = load_task(labelSet.task, cohort=_offer(modalities))
    segments = tuple(
        NewSegment(
            region.name,
            region.title,
            tuple(channel / 255 for channel in region.color),  # type: ignore[arg-type]
            region.value,
            terminology_entry(region.terminology),
        )
        for region in task.regions
    )
    present = [primary for primary in task.primaries if primary in modalities]
    return NewLabels(segments, present[0] if present else "")


def addEmptySegments(
    node: slicer.vtkMRMLSegmentationNode,
    labels: NewLabels,
    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
) -> None:
    """Add segments without voxels to labels that have none, on the grid of the primary image."""
    image = volumes.get(labels.primary)
    if image is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(image)
    segmentation = node.GetSegmentation()
    for new in labels.segments:
        identity = segmentation.AddEmptySegment(new.identity, new.name, new.color)
        if new.terminology:
            segment = segmentation.GetSegment(identity)
            segment.SetTag(segment.GetTerminologyEntryTagName(), new.terminology)


def _offer(modalities: Sequence[str]) -> CohortModalities:
    from CIMLSegmentLib.task.task_io import CohortModalities

    kinds = {modality: modality_kind(modality) for modality in modalities}
    return CohortModalities(kinds, next(iter(modalities), None))
