"""All maps of a result, from the resolution of their levels to the grid of the primary image.

Attention is a unitless quantity and is interpolated. Information is an amount: nats per voxel are
turned into a density, interpolated, and turned back, so that the sum over voxels stays the total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from CIMLSegmentLib.inference.gradcam import scaled_together
from CIMLSegmentLib.inference.influence import InfluenceChannel, WithheldChannel
from CIMLSegmentLib.inference.sliding_window import WindowedOutput
from CIMLSegmentLib.inference.window_box import WindowBox
from CIMLSegmentLib.network.network import MessageKey
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.segmentation_result import ResultMap
from CIMLSegmentLib.task.regions import merge_regions, region_logits, region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.preparation.working_grid import smoothed_for

_Grown = Callable[[Tensor, Sequence[int]], Tensor]
InformationBySender = Mapping[tuple[str, str], Volume]

_TINY = np.float32(1e-7)


@dataclass(frozen=True)
class OutputSpace:
    """Where the windows were and where the result shall be.

    Attributes:
        box: The box that the windows filled.
        grid: Grid of the result.
        task: The task.
        bodies: Where each modality shows the body, on the grid that the box lies in, `(K, J, I)`.
            Attention to a modality that is not named is shown everywhere.
    """

    box: WindowBox
    grid: Grid
    task: Task
    bodies: Mapping[str, MaskArray] = field(default_factory=dict)


def region_probabilities(
    logits: Mapping[str, Tensor], space: OutputSpace
) -> dict[str, Float32Array]:
    """Bring the probability of every region to the grid of the result; 0 outside the box."""
    arrays = {name: values.numpy() for name, values in logits.items()}
    return {
        name: _on_grid(_sigmoid(values), space)
        for name, values in region_logits(arrays, space.task).items()
    }


def information_by_sender(output: WindowedOutput, space: OutputSpace) -> InformationBySender:
    """Return nats per voxel of the result for every (sub-task, auxiliary)."""
    found = {}
    for subtask, auxiliary in space.task.pairs():
        inside = sum_over_levels(
            output.kl, subtask=subtask.name, auxiliary=auxiliary, box=space.box
        )
        found[subtask.name, auxiliary] = information_on_output_grid(inside, space.grid)
    return found


def influence_by_region(output: WindowedOutput, space: OutputSpace) -> Mapping[MapKey, Volume]:
    """Return what every auxiliary changed in the prediction of every region, on the working grid.

    Where several sub-tasks predict a region, its prediction here is the mean of theirs.

    Returns:
        Influence map to changes of probability, -1 to 1; empty unless they were asked for.
    """
    if not output.influence:
        return {}
    subtasks = space.task.subtasks
    found: dict[MapKey, Volume] = {}
    for name in space.task.region_names:
        own = [subtask for subtask in subtasks if name in subtask.regions]
        for subtask in own:
            for auxiliary in subtask.auxiliaries:
                key = MapKey("influence", subtask.primary, auxiliary, name)
                changed = output.influence[InfluenceChannel(subtask.name, name, auxiliary)]
                part = _visible(changed / len(own), space.box)
                if key in found:
                    part = Volume(np.add(found[key].array, part.array), part.grid)
                found[key] = part
    return found


def changed_voxels(
    output: WindowedOutput, space: OutputSpace, probabilities: Mapping[str, Float32Array]
) -> dict[MapKey, int]:
    """Count the voxels of each region that change label without the message of one auxiliary.

    Args:
        output: What the windows add up to.
        space: Where the result shall be.
        probabilities: Of every region with all messages, as `region_probabilities` returns them.

    Returns:
        Influence map to voxels of the result's grid that are in the region with the message or
        without it, but not both; empty unless influence was asked for.
    """
    if not output.influence:
        return {}
    task = space.task
    masks = region_masks(merge_regions(probabilities, task), task)
    found: dict[MapKey, int] = {}
    routes = dict.fromkeys((subtask.primary, auxiliary) for subtask, auxiliary in task.pairs())
    for primary, auxiliary in routes:
        own = [s for s in task.subtasks if s.primary == primary and auxiliary in s.auxiliaries]
        logits = {name: values.numpy() for name, values in output.logits.items()}
        for subtask in own:
            keys = (WithheldChannel(subtask.name, r, auxiliary) for r in subtask.regions)
            logits[subtask.name] = torch.stack([output.influence[key] for key in keys]).numpy()
        merged = region_logits(logits, task)
        names = dict.fromkeys(name for subtask in own for name in subtask.regions)
        changed = {name: _on_grid(_sigmoid(merged[name]), space) for name in names}
        others = region_masks(merge_regions({**probabilities, **changed}, task), task)
        for name in names:
            key = MapKey("influence", primary, auxiliary, name)
            found[key] = int((masks[name] != others[name]).sum())
    return found


def _sigmoid(values: Float32Array) -> Float32Array:
    return np.asarray(torch.sigmoid(torch.from_numpy(values)).numpy())


def influence_maps(changes: Mapping[MapKey, Volume], space: OutputSpace) -> Iterator[ResultMap]:
    """Yield the changes of probability that `influence_by_region` returns as maps."""
    for key, volume in changes.items():
        values = np.clip(on_output_grid(volume, space.grid).array, -1, 1).astype(np.float32)
        yield ResultMap(key, Volume(values, space.grid))


def result_maps(
    output: WindowedOutput,
    information: InformationBySender,
    space: OutputSpace,
    *,
    with_messages: bool,
) -> tuple[ResultMap, ...]:
    """Return the maps of a result.

    Args:
        output: What the windows gave; Grad-CAM and samples are there if they were asked for.
        information: What `information_by_sender` returns.
        space: Where the result shall be.
        with_messages: Whether attention and information are among the maps.
    """
    maps: list[ResultMap] = []
    if with_messages:
        maps += [*attention_maps(output, space), *information_maps(information, space.task)]
    return (*maps, *gradcam_maps(output, space), *uncertainty_maps(output, space))


def information_maps(information: InformationBySender, task: Task) -> Iterator[ResultMap]:
    """Return one map per (primary, auxiliary): the sum over the sub-tasks of that primary."""
    totals: dict[MapKey, Volume] = {}
    for subtask, auxiliary in task.pairs():
        key, sent = (
            MapKey("information", subtask.primary, auxiliary),
            information[subtask.name, auxiliary],
        )
        if key in totals:
            sent = Volume(np.add(totals[key].array, sent.array, dtype=np.float32), sent.grid)
        totals[key] = sent
    return (ResultMap(key, volume) for key, volume in totals.items())


def attention_maps(output: WindowedOutput, space: OutputSpace) -> Iterator[ResultMap]:
    """Return the mean over levels for every region and auxiliary; regions of a sub-task share it.

    A region of several sub-tasks of one primary has the map of the first one. In air, where an
    auxiliary has nothing to tell and nothing keeps a gate from being open, maps are 0.
    """
    found: dict[MapKey, Volume] = {}
    maps = output.attention
    for subtask, auxiliary in space.task.pairs():
        inside = mean_over_levels(maps, subtask=subtask.name, auxiliary=auxiliary, box=space.box)
        if auxiliary in space.bodies:
            body = space.bodies[auxiliary][space.box.visible]
            inside = Volume(np.where(body, inside.array, np.float32(0)), inside.grid)
        values = np.clip(on_output_grid(inside, space.grid).array, 0, 1)
        volume = Volume(values, space.grid)
        for region in subtask.regions:
            found.setdefault(MapKey("attention", subtask.primary, auxiliary, region), volume)
    return (ResultMap(key, volume) for key, volume in found.items())


def gradcam_maps(output: WindowedOutput, space: OutputSpace) -> Iterator[ResultMap]:
    """Yield a Grad-CAM map for every region and auxiliary; those of a region share one scale."""
    for key, values in scaled_together(output.gradcam).items():
        inside = _visible(_enlarged(values, space.box.size), space.box)
        shown = np.clip(on_output_grid(inside, space.grid).array, 0, 1)
        yield ResultMap(key, Volume(shown, space.grid))


def uncertainty_maps(output: WindowedOutput, space: OutputSpace) -> Iterator[ResultMap]:
    """Yield the predictive entropy of every region, nats."""
    if not output.sampled:
        return
    arrays = {name: values.numpy() for name, values in output.sampled.items()}
    for name, probabilities in region_logits(arrays, space.task).items():
        values = predictive_entropy(_on_grid(probabilities, space))
        yield ResultMap(MapKey("uncertainty", region=name), Volume(values, space.grid))


def probability_maps(
    probabilities: Mapping[str, Float32Array], space: OutputSpace
) -> Iterator[ResultMap]:
    """Yield the probability of every region, as `region_probabilities` returns it."""
    for name, values in probabilities.items():
        yield ResultMap(MapKey("probability", region=name), Volume(values, space.grid))


def predictive_entropy(probabilities: Float32Array) -> Float32Array:
    """Return the entropy of yes-or-no predictions: how undecided the network is.

    Args:
        probabilities: Mean over samples of the probability of a region, any shape.

    Returns:
        Nats, 0 where the prediction is certain, ln 2 where it is even; same shape.
    """
    p = np.clip(probabilities, _TINY, 1 - _TINY).astype(np.float32)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    return np.where((probabilities > _TINY) & (probabilities < 1 - _TINY), entropy, np.float32(0))


def _on_grid(probabilities: Float32Array, space: OutputSpace) -> Float32Array:
    inside = np.ascontiguousarray(probabilities[space.box.inner], dtype=np.float32)
    sampled = on_output_grid(Volume(inside, space.box.visible_grid), space.grid).array
    return np.asarray(np.clip(sampled, 0, 1), dtype=np.float32)


def mean_over_levels(
    maps: Mapping[MessageKey, Tensor], *, subtask: str, auxiliary: str, box: WindowBox
) -> Volume:
    """Bring the attention of a pair's levels to the visible part of the box.

    Args:
        maps: Maps at their levels, `(k, j, i)`, unitless.
        subtask: The sub-task that receives the messages.
        auxiliary: The modality that sends the messages.
        box: The box that the maps fill.

    Returns:
        The mean over the levels, in the range of the maps.
    """
    levels = _of_pair(maps, subtask, auxiliary)
    return _visible(_added(levels, box, _enlarged) / len(levels), box)


def sum_over_levels(
    maps: Mapping[MessageKey, Tensor], *, subtask: str, auxiliary: str, box: WindowBox
) -> Volume:
    """Bring the information of a pair's levels to the visible part of the box.

    Returns:
        Nats per voxel of the box's grid. Over the whole box they add up to the nats of all
        positions of all levels: trilinear interpolation by whole factors keeps sums.
    """
    return _visible(_added(_of_pair(maps, subtask, auxiliary), box, _spread), box)


def on_output_grid(volume: Volume, grid: Grid) -> Volume:
    """Interpolate a unitless map linearly, smoothed first where the grid is coarser; 0 outside."""
    return resample(smoothed_for(volume, grid), grid, interpolation="linear", fill=0.0)


def information_on_output_grid(volume: Volume, grid: Grid) -> Volume:
    """Turn nats per voxel of one grid into nats per voxel of another; the total is kept.

    Args:
        volume: Information on the working grid, nats per voxel of that grid.
        grid: The grid of the result; covers the field of view of `volume`.
    """
    sampled = on_output_grid(volume, grid).array.astype(np.float32, copy=False)
    before, after = float(volume.array.sum(dtype=np.float64)), float(sampled.sum(dtype=np.float64))
    factor = before / after if after > 0 else 0.0
    return Volume(sampled * np.float32(factor), grid)


def _of_pair(maps: Mapping[MessageKey, Tensor], subtask: str, auxiliary: str) -> list[Tensor]:
    keys = [key for key in maps if (key.subtask, key.auxiliary) == (subtask, auxiliary)]
    return [maps[key] for key in sorted(keys, key=lambda key: key.level)]


def _added(levels: Sequence[Tensor], box: WindowBox, grown: _Grown) -> Tensor:
    total = levels[-1]
    for finer in reversed(levels[:-1]):
        total = grown(total, finer.shape) + finer
    return grown(total, box.size)


def _enlarged(values: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(values.shape) == tuple(size):
        return values
    return F.interpolate(values[None, None], size=tuple(size), mode="trilinear")[0, 0]


def _spread(values: Tensor, size: Sequence[int]) -> Tensor:
    return _enlarged(values, size) * (values.numel() / prod(size))


def _visible(values: Tensor, box: WindowBox) -> Volume:
    array = np.ascontiguousarray(values.numpy()[box.inner], dtype=np.float32)
    return Volume(array, box.visible_grid)
