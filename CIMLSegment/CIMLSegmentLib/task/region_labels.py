"""Label maps with the values of a task to region masks on a working grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid, resample

MaskArray = npt.NDArray[np.bool_]

# Less of a region than this on the working grid is worth a warning.
_KEPT_SHARE = 0.8


def masks_on_grid(labels: Volume, grid: Grid, task: Task) -> dict[str, MaskArray]:
    """Bring each region to a grid: its share in each voxel, interpolated, at least one half.

    Interpolating regions and not label values keeps nested regions nested and invents no label.

    Args:
        labels: Label map.
        grid: The working grid.
        task: Its regions, in whose order the masks are.

    Returns:
        Region name to mask `(K, J, I)`.
    """
    masks = {r.name: np.isin(labels.array, r.labels) for r in task.regions}
    if is_same_grid(labels.grid, grid):
        return masks
    return {name: _on_grid(Volume(mask, labels.grid), grid) for name, mask in masks.items()}


def label_warnings(
    labels: Volume, masks: Mapping[str, MaskArray], grid: Grid, task: Task
) -> Iterator[str]:
    """Yield what the user should know about a label map: lost and empty regions."""
    if not any(mask.any() for mask in masks.values()):
        yield "The label map holds no voxel of any region; the case counts as free of them."
    before_ml = float(np.prod(labels.grid.spacing_mm)) / 1000
    after_ml = float(np.prod(grid.spacing_mm)) / 1000
    for region in task.regions:
        wanted = np.isin(labels.array, region.labels).sum() * before_ml
        kept = masks[region.name].sum() * after_ml
        if kept < _KEPT_SHARE * wanted:
            yield (
                f"Only {kept:.3g} of {wanted:.3g} ml of region {region.name} are on the working"
                " grid; the label may reach beyond the primary image, or be too fine for the"
                " working spacing."
            )


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
