"""One mask from those of several readers: STAPLE, or majority. Both are SimpleITK's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import MaskArray, bounding_box

Method = Literal["staple", "majority"]
METHODS: tuple[Method, ...] = ("staple", "majority")
_MARGIN = 5  # voxels around the union that STAPLE sees as background
_MOST_ROUNDS = 200


def voted_mask(masks: Sequence[MaskArray], method: Method) -> MaskArray:
    """Return the mask that several readers stand for together.

    `majority` holds the voxels that more than half of the readers marked: of two readers, what both
    did. `staple` weighs readers by how well they agree with the others [1] and keeps voxels with a
    probability above one half. How much background it sees matters to it: here the box around all
    masks and 5 voxels more.

    Args:
        masks: At least one mask, all of one shape.
        method: The method.

    References:
        [1] Warfield et al., Simultaneous truth and performance level estimation (STAPLE), IEEE
            Transactions on Medical Imaging, 2004.
    """
    union: MaskArray = np.asarray(np.logical_or.reduce(masks), dtype=bool)
    if not union.any():
        return union
    box = tuple(
        slice(max(part.start - _MARGIN, 0), part.stop + _MARGIN) for part in bounding_box(union)
    )
    images = [sitk.GetImageFromArray(mask[box].astype(np.uint8)) for mask in masks]
    found: MaskArray = np.zeros(union.shape, dtype=bool)
    found[box] = _staple(images) if method == "staple" else _majority(images)
    return found


def _majority(images: Sequence[sitk.Image]) -> MaskArray:
    voted = sitk.GetArrayFromImage(sitk.LabelVoting(list(images), 0))
    return np.asarray(voted == 1, dtype=bool)


def _staple(images: Sequence[sitk.Image]) -> MaskArray:
    estimated = sitk.STAPLE(list(images), 1.0, 1.0, _MOST_ROUNDS)
    return np.asarray(sitk.GetArrayFromImage(estimated) > 0.5, dtype=bool)
