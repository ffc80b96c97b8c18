"""Slicer's segmentation file (.seg.nrrd) from a label map and a task.

One segment per region, with name, color and standard codes. Nested regions overlap, so every
depth of nesting is a layer of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from CIMLSegmentLib.task.parts import Region, Terminology
from CIMLSegmentLib.task.regions import regions_by_depth
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.segmentation_file import SegmentEntry, segmentation_file

_TYPE_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_ANATOMY_CONTEXT = "Anatomic codes - DICOM master list"
_NO_CODE = "^^"


def segmentation_nrrd(masks: Mapping[str, MaskArray], grid: Grid, task: Task) -> bytes:
    """Return the content of a segmentation file.

    Args:
        masks: Region to its mask in the label map, `(K, J, I)`.
        grid: The grid of the label map.
        task: Its regions become segments, in its order; a region without voxels is an empty one.
    """
    layers = regions_by_depth(task)
    is_small = max(region.value for region in task.regions) < 256
    voxels = np.zeros((*grid.array_shape, len(layers)), np.uint8 if is_small else np.int16)
    for number, regions in enumerate(layers):
        for region in regions:
            voxels[masks[region.name], number] = region.value
    layer_of = {region.name: n for n, regions in enumerate(layers) for region in regions}
    return segmentation_file(
        voxels, grid, [_entry(region, layer_of[region.name]) for region in task.regions]
    )


def terminology_entry(terminology: Terminology) -> str:
    """Return standard codes in the form in which Slicer stores them with a segment."""
    parts = (
        _TYPE_CONTEXT,
        terminology.category,
        terminology.type,
        _NO_CODE,
        _ANATOMY_CONTEXT,
        terminology.anatomy or _NO_CODE,
        _NO_CODE,
    )
    return "~".join(parts)


def _entry(region: Region, layer: int) -> SegmentEntry:
    red, green, blue = (channel / 255 for channel in region.color)
    return SegmentEntry(
        segment_id=region.name,
        name=region.title,
        value=region.value,
        layer=layer,
        color=(red, green, blue),
        tags=f"TerminologyEntry:{terminology_entry(region.terminology)}|",
    )
