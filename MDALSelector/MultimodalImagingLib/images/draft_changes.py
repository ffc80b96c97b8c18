"""How much of a draft was changed until it was saved as a label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MultimodalImagingLib.images.flat_labels import flat_labels
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid


@dataclass(frozen=True)
class DraftChanges:
    """What was changed of a draft.

    Attributes:
        changed_voxels: Voxels of the draft's grid that belong to another region now, or to none.
        dice: Dice of all labeled voxels by their region, 0 to 1; 1 if nothing was changed, or both
            are empty.
    """

    changed_voxels: int
    dice: float


def draft_changes(draft: Path, label: Path) -> DraftChanges:
    """Compare a label with the draft that it began as, on the draft's grid.

    Segments are the same if they have the same name; capitals do not matter.

    Args:
        draft: The draft, `.seg.nrrd`.
        label: The label that was saved, `.seg.nrrd`; may have another grid.

    Raises:
        CohortError: If one of them cannot be read, or names no segments.
    """
    grid = read_grid(ImageFile(draft))
    numbers = flat_labels(draft, grid).values
    named = {name: number for number, name in enumerate(numbers, start=1)}
    before = flat_labels(draft, grid, named).volume.array
    after = flat_labels(label, grid, named).volume.array
    n_labeled = int(np.count_nonzero(before)) + int(np.count_nonzero(after))
    n_same = int(np.count_nonzero((before == after) & (before != 0)))
    return DraftChanges(
        int(np.count_nonzero(before != after)), 2 * n_same / n_labeled if n_labeled else 1.0
    )
