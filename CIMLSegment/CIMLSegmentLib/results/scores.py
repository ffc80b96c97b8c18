"""How well the regions of a result agree with a reference, by the BraTS rules. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from CIMLSegmentLib.results.segmentation_result import StoredResult
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.images.geometry import Volume, is_part_of, is_same_grid, resample
from MultimodalImagingLib.images.geometry_checks import Mismatch, mismatch, mismatch_text
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.overlap import dice, hausdorff95
from MultimodalImagingLib.images.stored_image import ImageFile


@dataclass(frozen=True)
class RegionScore:
    """One region of one case.

    Attributes:
        case_id: The case.
        region: The region.
        dice: Dice, 0 to 1; by the BraTS rules for empty regions.
        hd95_mm: 95 % Hausdorff distance, mm; by the BraTS rules for empty regions.
        predicted_ml: Volume of the prediction, ml.
        reference_ml: Volume of the reference, ml.
        common_ml: Volume of their overlap, ml.
        has_result: Whether the case was segmented.
    """

    case_id: str
    region: str
    dice: float
    hd95_mm: float
    predicted_ml: float
    reference_ml: float
    common_ml: float
    has_result: bool = True


def case_scores(result: StoredResult, reference: Volume, warnings: list[str]) -> list[RegionScore]:
    """Score a result.

    Args:
        result: The result.
        reference: Label map with the values of the task; resampled to the result's grid by nearest
            neighbor if it has another.
        warnings: Receives a sentence for everything odd.
    """
    predicted = read_label_map(ImageFile(result.label_map)).volume
    expected = reference
    if is_part_of(expected.grid, predicted.grid):
        expected = resample(expected, predicted.grid, interpolation="nearest", fill=0)
    elif not is_same_grid(predicted.grid, expected.grid, tolerance_mm=1e-2):
        found = mismatch(expected.grid, predicted.grid)
        warnings.append(
            f"Case {result.case_id}: the reference lies on another grid"
            f" ({_grid_text(expected)}) than the result ({_grid_text(predicted)}); {_offset(found)}"
        )
        expected = resample(expected, predicted.grid, interpolation="nearest", fill=0)
    masks = region_masks(predicted.array, result.task)
    truths = region_masks(expected.array, result.task)
    spacing = predicted.grid.spacing_mm
    return [
        _score(result.case_id, name, masks[name], truths[name], spacing_mm=spacing)
        for name in result.task.region_names
    ]


def _score(
    case_id: str,
    region: str,
    predicted: MaskArray,
    reference: MaskArray,
    *,
    spacing_mm: Sequence[float],
) -> RegionScore:
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    return RegionScore(
        case_id=case_id,
        region=region,
        dice=dice(predicted, reference),
        hd95_mm=hausdorff95(predicted, reference, spacing_mm=spacing_mm[::-1]),
        predicted_ml=int(predicted.sum()) * voxel_ml,
        reference_ml=int(reference.sum()) * voxel_ml,
        common_ml=int((predicted & reference).sum()) * voxel_ml,
    )


def missing_scores(case_id: str, reference: Volume, task: Task) -> list[RegionScore]:
    """Score a case without a result as an empty prediction."""
    spacing, masks = reference.grid.spacing_mm, region_masks(reference.array, task)
    return [
        replace(
            _score(case_id, name, np.zeros_like(mask), mask, spacing_mm=spacing), has_result=False
        )
        for name, mask in masks.items()
    ]


def _offset(found: Mismatch | None) -> str:
    if found is None:
        return "it was resampled to the result's by nearest neighbor, so scores are slightly off."
    return (
        f"{mismatch_text(found)}. It was scored where its header puts it, by nearest neighbor; if"
        " it belongs exactly on the image, copy the header of the image to it and evaluate again."
    )


def _grid_text(volume: Volume) -> str:
    size = " x ".join(str(n) for n in volume.grid.size)
    return f"{size} voxels of {' x '.join(f'{s:.3g}' for s in volume.grid.spacing_mm)} mm"
