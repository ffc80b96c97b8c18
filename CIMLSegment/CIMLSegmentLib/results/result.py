"""What segmenting a case gives: labels, maps and modality contributions. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.task.merging import MaskArray, region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.geometry import Volume, is_same_grid


@dataclass(frozen=True)
class ResultMap:
    """One map on the grid of the result.

    Attributes:
        key: Which map it is.
        volume: The values, float32.
    """

    key: MapKey
    volume: Volume


@dataclass(frozen=True)
class Contribution:
    """How much information one auxiliary contributed to one region.

    Attributes:
        region: Name of the region.
        primary: The modality that received the message.
        auxiliary: The modality that sent the message.
        nats: Information inside the predicted region, nats; 0 for an empty region.
        share: Part of the information from all auxiliaries, 0 to 1; `None` if there was none.
    """

    region: str
    primary: str
    auxiliary: str
    nats: float
    share: float | None


@dataclass(frozen=True)
class SegmentationResult:
    """A segmented case; everything lies on the grid of the primary image.

    Attributes:
        case_id: The case.
        task: What was segmented.
        primary: The modality whose grid this is.
        label_map: Label values of the task.
        contributions: Table auxiliary x region, in the task's order.
        maps: The maps that were asked for.
        missing: Auxiliaries that the case lacked; their messages were the prior mean.
        warnings: What the user should know, full sentences.
        timings_s: Seconds per step.
        model: Identity of the model, JSON-able.
        voxels: Region to its number of voxels; counted in the label map where it is not given.
    """

    case_id: str
    task: Task
    primary: str
    label_map: Volume
    contributions: tuple[Contribution, ...] = ()
    maps: tuple[ResultMap, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, object] = field(default_factory=dict)
    voxels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse maps on another grid, and count voxels that were not counted before."""
        if not self.voxels:
            masks = region_masks(self.label_map.array, self.task)
            object.__setattr__(self, "voxels", region_voxels(masks))
        for item in self.maps:
            if not is_same_grid(item.volume.grid, self.label_map.grid):
                msg = f"Expected the {item.key.kind} map on the grid of the label map, got another."
                raise ValueError(msg)

    def volumes_ml(self) -> dict[str, float]:
        """Return the volume of every region, ml."""
        voxel_ml = float(np.prod(self.label_map.grid.spacing_mm)) / 1000.0
        return {name: count * voxel_ml for name, count in self.voxels.items()}


def region_voxels(masks: Mapping[str, MaskArray]) -> dict[str, int]:
    """Return the number of voxels of every region."""
    return {name: int(mask.sum()) for name, mask in masks.items()}


def contributions(
    masks: Mapping[str, MaskArray], information: Mapping[tuple[str, str], Volume], task: Task
) -> tuple[Contribution, ...]:
    """Add up the information inside each predicted region.

    Args:
        masks: Region to its predicted mask, on the grid of the information.
        information: (Sub-task, auxiliary) to nats per voxel, on the grid of the masks.
        task: The task.

    Returns:
        One entry per region and pair of its sub-tasks. Shares of a region add up to 1, unless
        there was no information about it.
    """
    table: list[Contribution] = []
    for name, mask in masks.items():
        sent = [
            (subtask.primary, auxiliary, _sum(information[subtask.name, auxiliary], mask))
            for subtask, auxiliary in task.pairs()
            if name in subtask.regions
        ]
        total = sum(nats for _, _, nats in sent)
        for primary, auxiliary, nats in sent:
            share = nats / total if total > 0 else None
            table.append(Contribution(name, primary, auxiliary, nats, share))
    return tuple(table)


def _sum(volume: Volume, mask: MaskArray) -> float:
    return float(volume.array[mask].sum(dtype=np.float64))


def empty_region_warnings(result_volumes: Mapping[str, float], task: Task) -> Sequence[str]:
    """Say which regions were not found."""
    return [
        f"The region {task.region(name).title} ({name}) was not found in this case; its volume is"
        " 0 ml."
        for name, volume in result_volumes.items()
        if volume == 0
    ]
