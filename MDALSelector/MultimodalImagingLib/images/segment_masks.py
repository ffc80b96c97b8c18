"""The segments of a label as masks on the grid of an image, by name; overlaps are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.images.flat_labels import by_majority
from MultimodalImagingLib.images.geometry import Grid, Volume, is_part_of, is_same_grid, resample
from MultimodalImagingLib.images.label_map import read_label_map, whole_numbers
from MultimodalImagingLib.images.label_names import Segment, read_segments
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_layers


@dataclass(frozen=True)
class SegmentMasks:
    """The segments of a label.

    Attributes:
        masks: Mask per name of a segment, `(K, J, I)`; of a label map `label <value>`.
        segments: What the file says of each segment, by name; empty for a label map.
        is_moved: Whether the file has other voxels than the grid, so that masks were brought to it
            by majority.
        drawn_ml: What was drawn in all segments, ml, also outside the grid.
    """

    masks: Mapping[str, MaskArray]
    segments: Mapping[str, Segment]
    is_moved: bool
    drawn_ml: float = 0.0


def read_segment_masks(file: Path, grid: Grid) -> SegmentMasks:
    """Read the segments of a label file onto a grid.

    Args:
        file: A segmentation, or a label map.
        grid: The grid of the image.

    Raises:
        CohortError: If the file cannot be read.
    """
    segments = read_segments(file) if file.name.endswith(".nrrd") else ()
    if not segments:
        return _of_label_map(file, grid)
    layers, drawn = read_layers(ImageFile(file))
    masks: dict[str, MaskArray] = {}
    n_drawn = 0
    for segment in segments:
        layer = whole_numbers(layers[segment.layer], file.name)
        own = layer == segment.value
        n_drawn += int(own.sum())
        mask = _on_grid(own, drawn, grid)
        name = segment.label.name
        masks[name] = masks[name] | mask if name in masks else mask
    looks = {s.label.name: s for s in segments}
    return SegmentMasks(masks, looks, _is_moved(drawn, grid), n_drawn * _voxel_ml(drawn))


def _of_label_map(file: Path, grid: Grid) -> SegmentMasks:
    volume = read_label_map(ImageFile(file)).volume
    values = [int(value) for value in np.unique(volume.array) if value]
    masks = {
        f"label {value}": _on_grid(volume.array == value, volume.grid, grid) for value in values
    }
    drawn_ml = int((volume.array != 0).sum()) * _voxel_ml(volume.grid)
    return SegmentMasks(masks, {}, _is_moved(volume.grid, grid), drawn_ml)


def _voxel_ml(grid: Grid) -> float:
    return math.prod(grid.spacing_mm) / 1000


def _is_moved(drawn: Grid, grid: Grid) -> bool:
    is_empty = drawn.size == (1, 1, 1)  # so Slicer writes a segmentation without voxels
    return not (is_empty or is_same_grid(drawn, grid, tolerance_mm=1e-2) or is_part_of(drawn, grid))


def _on_grid(mask: MaskArray, drawn: Grid, grid: Grid) -> MaskArray:
    if _is_moved(drawn, grid):
        return np.asarray(by_majority(Volume(mask.astype(np.uint8), drawn), grid).array != 0)
    return np.asarray(resample(Volume(mask, drawn), grid, interpolation="nearest").array != 0)
