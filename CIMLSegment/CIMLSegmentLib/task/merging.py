"""Sub-task outputs to one label map, and a label map back to region masks; always valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from CIMLSegmentLib.task.parts import Region
from CIMLSegmentLib.task.task import Task

MaskArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.floating]


LogitsT = TypeVar("LogitsT")


def region_logits(subtask_logits: Mapping[str, LogitsT], task: Task) -> dict[str, LogitsT]:
    """Bring the channels of all sub-tasks together, one per region.

    Args:
        subtask_logits: Sub-task name to logits `(R, …)`, channels in the order of its regions;
            numpy arrays or tensors. A sub-task may be absent, if its primary is.
        task: The task.

    Returns:
        Region name to logits `(…)`: the mean where several sub-tasks predict the same region;
        without the regions that no sub-task predicts.
    """
    found: dict[str, list[Any]] = {region.name: [] for region in task.regions}
    for subtask in task.subtasks:
        if subtask.name in subtask_logits:
            channels = cast("Any", subtask_logits[subtask.name])
            for channel, region in enumerate(subtask.regions):
                found[region].append(channels[channel])
    return {
        region: sum(channels[1:], channels[0]) / len(channels)
        for region, channels in found.items()
        if channels
    }


def merge_regions(probabilities: Mapping[str, FloatArray], task: Task) -> LabelArray:
    """Merge region probabilities into a label map that is valid for the task.

    Regions of the same depth of nesting compete with each other and with a background of 0.5;
    inner regions paint over outer ones.

    Args:
        probabilities: Region name to probabilities, all of one shape.
        task: The task; `task.merge` decides on inner regions outside their outer one.

    Returns:
        Label values of the task, 0 for background, in the shape of the probabilities.

    Raises:
        ValueError: If a region is missing or a probability is not within 0 to 1.
    """
    _check_probabilities(probabilities, task)
    shape = probabilities[task.regions[0].name].shape
    label_map = np.zeros(shape, dtype=np.int16)
    masks: dict[str, MaskArray] = {}
    for regions in _regions_by_depth(task):
        winners = _winners([_claim(probabilities, masks, task, region) for region in regions])
        for number, region in enumerate(regions, start=1):
            masks[region.name] = winners == number
            label_map[masks[region.name]] = region.value
    return label_map


def region_masks(label_map: npt.NDArray[np.generic], task: Task) -> dict[str, MaskArray]:
    """Return the mask of each region in a label map; values unknown to the task count for none."""
    return {region.name: np.isin(label_map, region.labels) for region in task.regions}


def _check_probabilities(probabilities: Mapping[str, FloatArray], task: Task) -> None:
    missing = [name for name in task.region_names if name not in probabilities]
    if missing:
        msg = f"Expected probabilities of every region, got none of {', '.join(missing)}."
        raise ValueError(msg)
    for name in task.region_names:
        values = probabilities[name]
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            msg = f"Expected probabilities within 0 to 1, got others in region {name!r}."
            raise ValueError(msg)


def _regions_by_depth(task: Task) -> list[list[Region]]:
    depth: dict[str, int] = {}
    levels: list[list[Region]] = []
    while len(depth) < len(task.regions):
        known = {None, *depth}
        level = [r for r in task.regions if r.name not in depth and r.inside in known]
        depth |= dict.fromkeys((region.name for region in level), len(levels))
        levels.append(level)
    return levels


def _claim(
    probabilities: Mapping[str, FloatArray],
    masks: Mapping[str, MaskArray],
    task: Task,
    region: Region,
) -> FloatArray:
    values = probabilities[region.name]
    if region.inside is None or task.merge.keep_inner_outside_outer:
        return values
    return np.where(masks[region.inside], values, np.float32(0))


def _winners(claims: list[FloatArray]) -> npt.NDArray[np.int16]:
    winners = np.zeros(claims[0].shape, dtype=np.int16)
    best = np.full(claims[0].shape, 0.5, dtype=np.float32)
    for number, claim in enumerate(claims, start=1):
        better = claim > best
        winners[better] = number
        best[better] = claim[better]
    return winners
