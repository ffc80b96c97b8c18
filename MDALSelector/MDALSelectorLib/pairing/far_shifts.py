"""Shifts beyond those that `best_shift` looks at, on the common cube.

Where one of two images lies far off, only a part of the body is in both. The half of one that is
left may then resemble the other half of the other, mirrored: what looks mirrored or turned has to
fit better than any shift does, and a shift is judged by the part that it brings together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.pairing.gradient_agreement import (
    MAX_SHIFT_MM,
    EdgeSpectrum,
    Triple,
    edge_spectrum,
    refined,
    shift_distances,
    shifted_agreement,
)
from MultimodalImagingLib.images.arrays import Float32Array

# Of each axis; what is left then of two images is judged if it has a fifth of their edges.
FAR_SHARE = 0.7
MIN_EDGE_SHARE = 0.2
# Farther along, a limb looks much the same.
MAX_FAR_MM = 80.0


@dataclass(frozen=True)
class FarShift:
    """The best shift of more than 24 mm and up to 80 mm.

    Attributes:
        agreement: Correlation of the edge fields there, where they overlap; -1 if there is none.
        gain: How much higher it is than at the best smaller shift, -2 to 2.
        offset_mm: How far the second image lies from the first, mm along `(K, J, I)`.
    """

    agreement: float
    gain: float
    offset_mm: Triple


def far_spectrum(field: Float32Array, weight: Float32Array) -> EdgeSpectrum:
    """Transform an edge field `(7, K, J, I)`, known where the weight `(K, J, I)` is 1."""
    radius = tuple(int(n * FAR_SHARE) for n in weight.shape)
    return edge_spectrum(field, weight, radius=radius)


def far_shift(first: EdgeSpectrum, second: EdgeSpectrum, *, spacing_mm: Triple) -> FarShift:
    """Find the shift of more than 24 and up to 80 mm at which two edge fields agree best.

    Args:
        first: Spectrum of the image at rest.
        second: Spectrum of the image that is shifted.
        spacing_mm: Spacing along `(K, J, I)`, mm.
    """
    found = shifted_agreement(first, second, min_share=MIN_EDGE_SHARE)
    distance = shift_distances(found.shape, spacing_mm)
    is_far = distance > MAX_SHIFT_MM
    far = np.where(is_far & (distance <= MAX_FAR_MM), found, np.float32(-1))
    peak = np.unravel_index(np.argmax(far), far.shape)
    near = float(np.where(is_far, np.float32(-1), found).max())
    offset = [
        (refined(found, peak, axis) - first.radius[axis]) * spacing_mm[axis] for axis in range(3)
    ]
    return FarShift(float(far[peak]), float(far[peak]) - near, (offset[0], offset[1], offset[2]))
