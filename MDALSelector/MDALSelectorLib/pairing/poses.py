"""Mirrored and turned images: does a pair of modalities fit better in another pose?

A pose is a flip along an axis, or a turn by 90 or 180 degrees around one. Edge fields are turned as
the tensors that they are, so that no edge is looked for twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import fft

from MultimodalImagingLib.images.arrays import Float32Array, Float64Array

# Shifts of up to this many voxels of the cube are allowed in every pose.
RADIUS = 4
_OFF_DIAGONAL = ((0, 1), (0, 2), (1, 2))
# Array axes are (K, J, I): close to superior, posterior, left.
_FLIPPED = ("upside down", "front to back", "left to right")
_AROUND = ("head-foot", "front-back", "left-right")


@dataclass(frozen=True)
class Pose:
    """A signed permutation of the axes of an image.

    Attributes:
        axes: Axis that each axis of the result is taken from.
        signs: -1 for reversed axes of the result.
        text: What was done to the image, to follow "fits better when it is".
    """

    axes: tuple[int, int, int]
    signs: tuple[int, ...]
    text: str

    def __call__(self, field: Float32Array) -> Float32Array:
        """Return the edge field `(7, n, n, n)` of an image in this pose."""
        reversed_axes = tuple(axis + 1 for axis in range(3) if self.signs[axis] < 0)
        spatial = field.transpose(0, *(axis + 1 for axis in self.axes))
        moved = np.flip(spatial, tuple(reversed_axes))
        channels = [*self.axes]
        channels += [
            3 + _OFF_DIAGONAL.index((min(pair), max(pair)))
            for pair in ((self.axes[a], self.axes[b]) for a, b in _OFF_DIAGONAL)
        ]
        signs = [1, 1, 1, *(self.signs[a] * self.signs[b] for a, b in _OFF_DIAGONAL), 1]
        return np.asarray(moved[[*channels, 6]] * np.reshape(signs, (7, 1, 1, 1)), np.float32)


def _poses() -> tuple[Pose, ...]:
    none = (0, 1, 2)
    flips = [
        Pose(none, tuple(-1 if a == axis else 1 for a in none), f"mirrored {_FLIPPED[axis]}")
        for axis in none
    ]
    half = [
        Pose(none, tuple(1 if a == axis else -1 for a in none), _turned(180, axis)) for axis in none
    ]
    quarter = []
    for axis, swapped in enumerate(((0, 2, 1), (2, 1, 0), (1, 0, 2))):
        others = [a for a in none if a != axis]
        for signs in product((1, -1), repeat=2):
            if signs[0] * signs[1] < 0:  # a turn, not a reflection
                both = dict(zip(others, signs, strict=True)) | {axis: 1}
                quarter.append(Pose(swapped, tuple(both[a] for a in none), _turned(90, axis)))
    return (*flips, *half, *quarter)


def _turned(degrees: int, axis: int) -> str:
    return f"turned by {degrees} degrees around the {_AROUND[axis]} axis"


POSES = _poses()


def pose_agreements(first: Float32Array, second: Float32Array) -> Float64Array:
    """Return how well two edge fields fit with the second as it is and in each of `POSES`.

    Args:
        first: Edge field on a cube, `(7, n, n, n)`.
        second: The same of the other modality.

    Returns:
        Correlation as it is, then in each pose, each at its best small shift, `(13,)`.
    """
    still = np.conj(_spectrum(first))
    return np.array([_best(still, second), *(_best(still, pose(second)) for pose in POSES)])


def _spectrum(field: Float32Array) -> npt.NDArray[np.complex64]:
    norm = float(np.linalg.norm(field))
    scaled = field / (norm if norm > 0 else 1.0)
    return np.asarray(fft.rfftn(scaled.astype(np.float32), axes=(1, 2, 3)))


def _best(conjugate: npt.NDArray[np.complex64], field: Float32Array) -> float:
    correlation = fft.irfftn((conjugate * _spectrum(field)).sum(axis=0), field.shape[1:])
    near = np.arange(-RADIUS, RADIUS + 1)
    return float(correlation[np.ix_(near, near, near)].max())
