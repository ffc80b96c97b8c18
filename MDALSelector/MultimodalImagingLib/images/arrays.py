"""What holds for arrays of voxels, whatever is in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Box = tuple[slice, slice, slice]


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box:
    """Return the smallest box around a mask `(K, J, I)`, as slices that cut it out.

    A mask without any voxel gives the whole array.
    """
    slices = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        first, last = (used[0], used[-1]) if used.size else (0, mask.shape[axis] - 1)
        slices.append(slice(int(first), int(last) + 1))
    return slices[0], slices[1], slices[2]
