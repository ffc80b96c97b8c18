"""NaN and infinities: background where they lie outside of the body, else a reason to refuse.

Programs that strip the skull (SPM) or resample write NaN where there is nothing; that is
background. A NaN that finite voxels enclose is damage, or a hole that the user has to judge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

Array = npt.NDArray[np.generic]


class EnclosedNonFiniteError(ValueError):
    """Voxels with NaN or infinity lie inside the image; `n_voxels` of them."""

    def __init__(self, n_voxels: int, n_total: int) -> None:
        super().__init__(f"{n_voxels} voxels with NaN or infinity inside the image")
        self.n_voxels = n_voxels
        self.n_total = n_total


def with_finite_background(array: Array, *, background: float | None = None) -> tuple[Array, int]:
    """Replace what is not finite and reaches the rim of the volume by the background.

    Args:
        array: Values `(K, J, I)`.
        background: Value of air; `None` for 0, or the lowest value if that is below.

    Returns:
        The values (the same array if all are finite), and how many were replaced.

    Raises:
        EnclosedNonFiniteError: If finite voxels enclose one that is not, or none is finite.
    """
    if array.dtype.kind != "f":
        return array, 0
    is_bad = ~np.isfinite(array)
    n_bad = int(is_bad.sum())
    if not n_bad:
        return array, 0
    if n_bad == array.size:
        raise EnclosedNonFiniteError(n_bad, array.size)
    n_enclosed = int((is_bad & ~_reaches_rim(is_bad)).sum())
    if n_enclosed:
        raise EnclosedNonFiniteError(n_enclosed, array.size)
    air = min(0.0, float(array[~is_bad].min())) if background is None else background
    return np.where(is_bad, np.asarray(air, dtype=array.dtype), array), n_bad


def _reaches_rim(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    parts = sitk.GetArrayFromImage(
        sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype("u1")))
    )
    is_outer = np.zeros(int(parts.max()) + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            is_outer[np.unique(np.take(parts, end, axis=axis))] = True
    is_outer[0] = False
    return np.asarray(is_outer[parts])
