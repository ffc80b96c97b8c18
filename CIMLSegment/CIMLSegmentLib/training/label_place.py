"""Whether a label map lies on the image that it is trained with, before anything learns from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.geometry_checks import share_outside
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

BoolArray = npt.NDArray[np.bool_]

# A label that loses more than this share teaches something else than it shows.
MOST_LOST = 0.5
# Less of a label than this inside the body is worth a warning.
LEAST_INSIDE_BODY = 0.5


def lost_label(
    labels: Volume, masks: Mapping[str, BoolArray], grid: Grid, task: Task
) -> str | None:
    """Say why a label map cannot be trained with if most of it is not on the working grid.

    Args:
        labels: Label map.
        masks: Its regions on the working grid.
        grid: The working grid, over the whole field of view of the primary image.
        task: Names the regions.

    Returns:
        A sentence with the lost share and the reason; `None` if at most half is lost.
    """
    wanted = np.isin(labels.array, [value for region in task.regions for value in region.labels])
    wanted_ml = float(wanted.sum() * np.prod(labels.grid.spacing_mm)) / 1000
    kept = np.logical_or.reduce(list(masks.values()))
    kept_ml = float(kept.sum() * np.prod(grid.spacing_mm)) / 1000
    lost = 1.0 - kept_ml / wanted_ml if wanted_ml else 0.0
    outside = share_outside(Volume(wanted, labels.grid), grid)
    if max(lost, outside) <= MOST_LOST:
        return None
    if outside > MOST_LOST:
        reason = (
            f"{outside:.0%} of its {wanted_ml:.3g} ml lie outside of the primary image. Check that"
            " it belongs to this case and has the position of its image"
        )
    else:
        spacing = " x ".join(f"{mm:.3g}" for mm in grid.spacing_mm)
        reason = (
            f"{lost:.0%} of its {wanted_ml:.3g} ml are lost at the working spacing of {spacing} mm."
            " Give a smaller --spacing"
        )
    return f"Expected a label map on the image that it was drawn on, but {reason}."


def label_in_air(masks: Mapping[str, BoolArray], prepared: PreparedCase) -> list[str]:
    """Say if most of a label lies where the images show no body; usually it is misplaced then."""
    label = np.logical_or.reduce(list(masks.values()))
    if not label.any():
        return []
    inside = float((label & prepared.body).sum() / label.sum())
    if inside >= LEAST_INSIDE_BODY:
        return []
    return [
        f"Only {inside:.0%} of the label lie inside the body that the images show; it may be"
        " mirrored, shifted, or of another case. Look at it over its image."
    ]
