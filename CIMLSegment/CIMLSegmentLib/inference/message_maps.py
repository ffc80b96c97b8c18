"""Maps of the messages: from the resolution of their levels to the grid of the result.

Attention is a unitless quantity and is interpolated. Information is an amount: nats per voxel are
turned into a density, interpolated, and turned back, so that the sum over voxels stays the total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from CIMLSegmentLib.inference.window_box import WindowBox
from CIMLSegmentLib.network.network import MessageKey
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.preparation.working_grid import smoothed_for


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
    total = levels[-1]
    for finer in reversed(levels[:-1]):
        total = _enlarged(total, finer.shape) + finer
    return _visible(_enlarged(total, box.size) / len(levels), box)


def sum_over_levels(
    maps: Mapping[MessageKey, Tensor], *, subtask: str, auxiliary: str, box: WindowBox
) -> Volume:
    """Bring the information of a pair's levels to the visible part of the box.

    Returns:
        Nats per voxel of the box's grid. Over the whole box they add up to the nats of all
        positions of all levels: trilinear interpolation by whole factors keeps sums.
    """
    levels = _of_pair(maps, subtask, auxiliary)
    total = levels[-1]
    for finer in reversed(levels[:-1]):
        total = _spread(total, finer.shape) + finer
    return _visible(_spread(total, box.size), box)


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


def _enlarged(values: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(values.shape) == tuple(size):
        return values
    return F.interpolate(values[None, None], size=tuple(size), mode="trilinear")[0, 0]


def _spread(values: Tensor, size: Sequence[int]) -> Tensor:
    return _enlarged(values, size) * (values.numel() / prod(size))


def _visible(values: Tensor, box: WindowBox) -> Volume:
    array = np.ascontiguousarray(values.numpy()[box.inner], dtype=np.float32)
    return Volume(array, box.visible_grid)
