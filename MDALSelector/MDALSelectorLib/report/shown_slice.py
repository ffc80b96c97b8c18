"""Which axial slice of a case the report shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

# Only slices that show at least this share of the largest body area are looked at.
MIN_BODY_SHARE = 0.85
MIN_BODY_SHARE_PET = 0.6
# A position that shares so much less than the median is white.
DISAGREEMENT_NATS = 3.0
# Side of the square whose mean says where the modalities fit least: one position may be noise.
AROUND_POSITIONS = 5


def informative_slice(case: PreparedCase, *, kinds: Mapping[str, str]) -> int:
    """Choose the axial slice whose body has the most contrast, summed over the modalities.

    The contrast of a modality is its variance inside the body of the slice, divided by that of the
    whole body. Where there is PET, it alone decides, because bones have the most contrast
    otherwise. Only slices with at least 85 % of the largest body area compete (60 % with PET);
    of equal ones the one closest to the middle wins.

    Args:
        case: The prepared case.
        kinds: Kind of every modality.

    Returns:
        Index along K.
    """
    positron = [m for m in case.modalities if kinds[m] == "PET"]
    min_share = MIN_BODY_SHARE_PET if positron else MIN_BODY_SHARE
    areas = case.body.sum(axis=(1, 2))
    n_slices = len(areas)
    from_middle = sorted(range(n_slices), key=lambda k: (abs(2 * k - n_slices + 1), k))
    competing = [k for k in from_middle if areas[k] >= max(min_share * areas.max(), 1)]
    if not competing:
        return from_middle[0]
    deciding = positron or case.modalities
    contrast = {k: sum(_contrast(case, m, k) for m in deciding) for k in competing}
    return max(competing, key=contrast.__getitem__)


def least_fitting_slice(disagreement: Float32Array) -> int:
    """Choose the axial slice with the largest mean disagreement above zero.

    Only slices with at least 60 % of the largest area compete; of equal ones the one closest to
    the middle wins.

    Args:
        disagreement: Nats, `(K, J, I)`, NaN outside the body.

    Returns:
        Index along K.
    """
    known = np.isfinite(disagreement)
    areas = known.sum(axis=(1, 2))
    above = np.where(known, np.clip(disagreement, 0.0, DISAGREEMENT_NATS), 0.0)
    means = above.sum(axis=(1, 2)) / np.maximum(areas, 1)
    n_slices = len(areas)
    from_middle = sorted(range(n_slices), key=lambda k: (abs(2 * k - n_slices + 1), k))
    competing = [k for k in from_middle if areas[k] >= max(MIN_BODY_SHARE_PET * areas.max(), 1)]
    return max(competing, key=means.__getitem__) if competing else from_middle[0]


def least_fitting_position(disagreement: Float32Array) -> tuple[int, int, int]:
    """Choose the position of that slice around which the modalities fit least.

    Args:
        disagreement: Nats, `(K, J, I)`, NaN outside the body.

    Returns:
        Index along K, J and I; of equal ones the first.
    """
    from scipy.ndimage import uniform_filter

    k = least_fitting_slice(disagreement)
    known = np.isfinite(disagreement[k])
    above = np.where(known, np.clip(disagreement[k], 0.0, DISAGREEMENT_NATS), 0.0)
    around = np.where(known, uniform_filter(above, AROUND_POSITIONS, mode="constant"), -1.0)
    j, i = np.unravel_index(int(around.argmax()), around.shape)
    return k, int(j), int(i)


def _contrast(case: PreparedCase, modality: str, k: int) -> float:
    values, body = case.images[modality], case.body & case.coverage[modality]
    whole = float(values[body].var()) if body.any() else 0.0
    if whole == 0.0 or not body[k].any():
        return 0.0
    return float(values[k][body[k]].var()) / whole
