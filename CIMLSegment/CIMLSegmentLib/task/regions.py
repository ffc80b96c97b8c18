"""Regions: from probabilities to a label map and back to masks, on any grid; what gets lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from CIMLSegmentLib.task.parts import Region
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.arrays import FloatingArray, MaskArray, VoxelArray
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid, resample
from MultimodalImagingLib.images.geometry_checks import share_outside

LogitsT = TypeVar("LogitsT")

# Less of a region than this on the working grid is worth a warning.
_KEPT_SHARE = 0.8
# A label that loses more than this share teaches something else than it shows.
MOST_LOST = 0.5
# Less of a label than this inside the body is worth a warning.
LEAST_INSIDE_BODY = 0.5


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


def merge_regions(probabilities: Mapping[str, FloatingArray], task: Task) -> npt.NDArray[np.int16]:
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
    for regions in regions_by_depth(task):
        winners = _winners([_claim(probabilities, masks, task, region) for region in regions])
        for number, region in enumerate(regions, start=1):
            masks[region.name] = winners == number
            label_map[masks[region.name]] = region.value
    return label_map


def region_masks(label_map: VoxelArray, task: Task) -> dict[str, MaskArray]:
    """Return the mask of each region in a label map; values unknown to the task count for none."""
    return {region.name: np.isin(label_map, region.labels) for region in task.regions}


def _check_probabilities(probabilities: Mapping[str, FloatingArray], task: Task) -> None:
    missing = [name for name in task.region_names if name not in probabilities]
    if missing:
        msg = f"Expected probabilities of every region, got none of {', '.join(missing)}."
        raise ValueError(msg)
    for name in task.region_names:
        values = probabilities[name]
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            msg = f"Expected probabilities within 0 to 1, got others in region {name!r}."
            raise ValueError(msg)


def _claim(
    probabilities: Mapping[str, FloatingArray],
    masks: Mapping[str, MaskArray],
    task: Task,
    region: Region,
) -> FloatingArray:
    values = probabilities[region.name]
    if region.inside is None or task.merge.keep_inner_outside_outer:
        return values
    return np.where(masks[region.inside], values, np.float32(0))


def _winners(claims: list[FloatingArray]) -> npt.NDArray[np.int16]:
    winners = np.zeros(claims[0].shape, dtype=np.int16)
    best = np.full(claims[0].shape, 0.5, dtype=np.float32)
    for number, claim in enumerate(claims, start=1):
        better = claim > best
        winners[better] = number
        best[better] = claim[better]
    return winners


@dataclass(frozen=True)
class PlacedRegions:
    """The regions of a label map, as they were drawn and on a working grid.

    Attributes:
        drawn: Region to its mask on the grid of the label map, `(K, J, I)`, in the task's order.
        masks: Region to its mask on the working grid.
        drawn_grid: The grid of the label map.
        grid: The working grid, over the whole field of view of the primary image.
    """

    drawn: Mapping[str, MaskArray]
    masks: Mapping[str, MaskArray]
    drawn_grid: Grid
    grid: Grid

    def volumes_ml(self, *names: str) -> tuple[float, float]:
        """Return the volume of some regions together, ml: as drawn and on the working grid."""
        drawn, kept = (union([masks[name] for name in names]) for masks in (self.drawn, self.masks))
        return _ml(drawn, self.drawn_grid), _ml(kept, self.grid)


def placed_regions(labels: Volume, grid: Grid, task: Task) -> PlacedRegions:
    """Bring each region to a grid: its share in each voxel, interpolated, at least one half.

    Interpolating regions and not label values keeps nested regions nested and invents no label.

    Args:
        labels: Label map.
        grid: The working grid.
        task: Its regions.
    """
    drawn = masks = region_masks(labels.array, task)
    if not is_same_grid(labels.grid, grid):
        masks = {name: _on_grid(Volume(mask, labels.grid), grid) for name, mask in drawn.items()}
    return PlacedRegions(drawn, masks, labels.grid, grid)


def label_warnings(regions: PlacedRegions) -> Iterator[str]:
    """Yield what the user should know about a label map: lost and empty regions."""
    if not any(mask.any() for mask in regions.masks.values()):
        yield "The label map holds no voxel of any region; the case counts as free of them."
    for name in regions.drawn:
        wanted_ml, kept_ml = regions.volumes_ml(name)
        if kept_ml < _KEPT_SHARE * wanted_ml:
            yield (
                f"Only {kept_ml:.3g} of {wanted_ml:.3g} ml of region {name} are on the working"
                " grid; the label may reach beyond the primary image, or be too fine for the"
                " working spacing."
            )


def lost_label(regions: PlacedRegions) -> str | None:
    """Say why a label map cannot be trained with if most of it is not on the working grid.

    Returns:
        A sentence with the lost share and the reason; `None` if at most half is lost.
    """
    wanted_ml, kept_ml = regions.volumes_ml(*regions.drawn)
    lost = 1.0 - kept_ml / wanted_ml if wanted_ml else 0.0
    label = Volume(union(regions.drawn.values()), regions.drawn_grid)
    outside = share_outside(label, regions.grid)
    if max(lost, outside) <= MOST_LOST:
        return None
    if outside > MOST_LOST:
        reason = (
            f"{outside:.0%} of its {wanted_ml:.3g} ml lie outside of the primary image. Check that"
            " it belongs to this case and has the position of its image"
        )
    else:
        spacing = " x ".join(f"{mm:.3g}" for mm in regions.grid.spacing_mm)
        reason = (
            f"{lost:.0%} of its {wanted_ml:.3g} ml are lost at the working spacing of {spacing} mm."
            " Give a smaller --spacing"
        )
    return f"Expected a label map on the image that it was drawn on, but {reason}."


def label_in_air(regions: PlacedRegions, body: MaskArray) -> Iterator[str]:
    """Say if most of a label lies where the images show no body; usually it is misplaced then.

    Args:
        regions: The regions of the label.
        body: Where the images show the body, on the working grid.
    """
    label = union(regions.masks.values())
    inside = float((label & body).sum() / label.sum()) if label.any() else 1.0
    if inside < LEAST_INSIDE_BODY:
        yield (
            f"Only {inside:.0%} of the label lie inside the body that the images show; it may be"
            " mirrored, shifted, or of another case. Look at it over its image."
        )


def union(masks: Iterable[MaskArray]) -> MaskArray:
    """Return where any of some masks is."""
    return np.asarray(np.logical_or.reduce(list(masks)))


def regions_by_depth(task: Task) -> list[list[Region]]:
    """Return the regions of each depth of nesting, outermost first, in the task's order."""
    depth: dict[str, int] = {}
    levels: list[list[Region]] = []
    while len(depth) < len(task.regions):
        known = {None, *depth}
        level = [r for r in task.regions if r.name not in depth and r.inside in known]
        depth |= dict.fromkeys((region.name for region in level), len(levels))
        levels.append(level)
    return levels


def _ml(mask: MaskArray, grid: Grid) -> float:
    return float(mask.sum() * np.prod(grid.spacing_mm)) / 1000


def _on_grid(mask: Volume, grid: Grid) -> MaskArray:
    share = _with_border(mask)
    # No smoothing before, unlike for images: it would shrink small round regions by a third.
    sampled = resample(share, grid, interpolation="linear")
    return np.asarray(np.asarray(sampled.array, dtype=np.float32) >= 0.5)


def _with_border(mask: Volume) -> Volume:
    """Add a voxel of nothing around: a segmentation may be cut off where its segments end."""
    i, j, k = mask.grid.size
    origin = mask.grid.index_to_lps @ np.array([-1.0, -1.0, -1.0, 1.0])
    grid = replace(
        mask.grid,
        size=(i + 2, j + 2, k + 2),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
    )
    return Volume(np.pad(mask.array.astype(np.float32), 1), grid)
