"""Augmentation with MONAI: one geometry for all modalities and masks, intensities per modality."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    Flip,
    RandAdjustContrast,
    RandAffined,
    RandGaussianNoise,
    RandGaussianSmooth,
    Randomizable,
    RandScaleIntensity,
    RandShiftIntensity,
)
from torch import Tensor

from MultimodalImagingLib.images.arrays import ByteArray, Float32Array

IMAGES, TARGETS = "images", "targets"

# Habits of nnU-Net, milder in the geometry; not those of the paper, which are not public to us.
_FLIP_SHARE = 0.5
_AFFINE_SHARE = 0.3
_INTENSITY_SHARE = 0.15
_LARGEST_TURN = math.radians(20)
_LARGEST_SCALING = 0.2
_INTENSITIES: tuple[Callable[[], Any], ...] = (
    partial(RandGaussianNoise, prob=1, std=0.1),
    partial(RandGaussianSmooth, prob=1, **{f"sigma_{axis}": (0.5, 1.0) for axis in "xyz"}),
    partial(RandScaleIntensity, prob=1, factors=0.25),
    partial(RandShiftIntensity, prob=1, offsets=0.1),
    partial(RandAdjustContrast, prob=1, gamma=(0.7, 1.5)),
)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a patch.

    Which changes a patch gets is drawn here, and only those are built: seeding one of MONAI's
    random transforms costs as much as many of them take.

    Attributes:
        spatial_dims: 2 or 3.
        strength: Multiplies the probability of each change, 0 to 1.
    """

    spatial_dims: int
    strength: float

    def __call__(
        self, images: Float32Array, targets: ByteArray, *, seed: int, geometry: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Change a patch; the same seed gives the same change.

        Args:
            images: Images `(M, …)`.
            targets: Region masks `(R, …)`, 0 or 1.
            seed: Decides on everything.
            geometry: Whether to flip, turn and scale.

        Returns:
            Images and masks, float32.
        """
        generator = np.random.default_rng(seed)
        changed, masks = torch.from_numpy(images), torch.from_numpy(targets).float()
        if geometry:
            changed, masks = self.move(changed, masks, generator)
        channels = [self._recolored(channel[None], generator) for channel in changed]
        return torch.cat(channels), (masks > 0.5).float()

    def move(
        self, images: Tensor, targets: Tensor, generator: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Flip, turn and scale images `(M, …)` and masks `(R, …)` together."""
        drawn = generator.random(self.spatial_dims) < _FLIP_SHARE * self.strength
        axes = [int(axis) for axis in np.flatnonzero(drawn)]
        if axes:
            flip = Flip(spatial_axis=axes)
            images, targets = _plain(flip(images)), _plain(flip(targets))
        if generator.random() < _AFFINE_SHARE * self.strength:
            affine = RandAffined(
                [IMAGES, TARGETS],
                prob=1,
                rotate_range=(_LARGEST_TURN,) * (3 if self.spatial_dims == 3 else 1),
                scale_range=(_LARGEST_SCALING,) * self.spatial_dims,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            )
            moved = _seeded(affine, generator)({IMAGES: images, TARGETS: targets})
            images, targets = _plain(moved[IMAGES]), _plain(moved[TARGETS])
        return images, targets

    def _recolored(self, image: Tensor, generator: np.random.Generator) -> Tensor:
        """Change the intensities of one modality, `(1, …)`."""
        for build in _INTENSITIES:
            if generator.random() < _INTENSITY_SHARE * self.strength:
                image = _plain(_seeded(build(), generator)(image))
        return image


def _seeded(transform: Randomizable, generator: np.random.Generator) -> Any:
    return transform.set_random_state(seed=int(generator.integers(2**31 - 1)))


def _plain(values: Tensor) -> Tensor:
    """Drop MONAI's metadata."""
    return torch.as_tensor(np.asarray(values)).float()
