"""Arrays of voxels: their types, the box around a mask, and what values alone tell.

NaN and infinities are background where they lie outside of the body: programs that strip the skull
(SPM) or resample write NaN where there is nothing. A NaN that finite voxels enclose is damage, or
a hole that the user has to judge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.jobs.texts import counted, joined

# One name per type of numbers, for all libraries.
VoxelArray = npt.NDArray[np.generic]  # numbers of any type
FloatingArray = npt.NDArray[np.floating]  # floating point of any length
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
MaskArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]

Box = tuple[slice, slice, slice]


def bounding_box(mask: MaskArray) -> Box:
    """Return the smallest box around a mask `(K, J, I)`, as slices that cut it out.

    A mask without any voxel gives the whole array.
    """
    slices = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        first, last = (used[0], used[-1]) if used.size else (0, mask.shape[axis] - 1)
        slices.append(slice(int(first), int(last) + 1))
    return slices[0], slices[1], slices[2]


class EnclosedNonFiniteError(ValueError):
    """Voxels with NaN or infinity lie inside the image; the text is the end of "found ..."."""


def with_finite_background(
    array: VoxelArray, *, background: float | None = None
) -> tuple[VoxelArray, int]:
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
        msg = "NaN or infinity in every voxel"
        raise EnclosedNonFiniteError(msg)
    if n_enclosed := int((is_bad & ~_reaches_rim(is_bad)).sum()):
        msg = f"{counted(n_enclosed, 'voxel')} with NaN or infinity inside the image"
        raise EnclosedNonFiniteError(msg)
    air = min(0.0, float(array[~is_bad].min())) if background is None else background
    return np.where(is_bad, np.asarray(air, dtype=array.dtype), array), n_bad


def _reaches_rim(mask: MaskArray) -> MaskArray:
    parts = sitk.GetArrayFromImage(
        sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype("u1")))
    )
    is_outer = np.zeros(int(parts.max()) + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            is_outer[np.unique(np.take(parts, end, axis=axis))] = True
    is_outer[0] = False
    return np.asarray(is_outer[parts])


MAX_LABELS = 10
# So many voxels, evenly spread, tell an image apart without sorting all of them.
_SAMPLE = 8192


def mask_values(array: VoxelArray) -> str | None:
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
