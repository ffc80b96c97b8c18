"""Tells by its voxels that a file given as an image is a mask or a label map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.jobs.sentences import joined

MAX_LABELS = 10
# So many voxels, evenly spread, tell an image apart without sorting all of them.
_SAMPLE = 8192


def mask_values(array: npt.NDArray[np.generic]) -> str | None:
    """Name the values of a mask or label map, as the end of "found ..."; `None` for an image.

    Two values are a mask whatever they are. Up to `MAX_LABELS` whole numbers are a label map if 0
    is the lowest and the most frequent.

    Args:
        array: Finite intensities, not all equal.
    """
    flat = array.ravel()
    sample = flat[:: max(1, flat.size // _SAMPLE)]
    if len(np.unique(sample)) > MAX_LABELS:
        return None
    values, counts = np.unique(flat, return_counts=True)
    is_whole = bool(np.array_equal(values, np.round(values)))
    is_labels = is_whole and values[0] == 0 and int(counts.argmax()) == 0
    if len(values) > MAX_LABELS or not (len(values) == 2 or is_labels):
        return None
    return f"a mask: only the values {joined([f'{value:g}' for value in values])}"
