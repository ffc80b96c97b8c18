"""Augmentation with MONAI: one geometry for all modalities and masks, intensities per modality."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from torch import Tensor

from CIMLSegmentLib.training_case import FloatArray, MaskArray

IMAGES, TARGETS = "images", "targets"

# Habits of nnU-Net, milder in the geometry; not those of the paper, which are not public to us.
_LARGEST_TURN = math.radians(20)
_LARGEST_SCALING = 0.2


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a patch.

    Attributes:
        spatial_dims: 2 or 3.
        strength: Multiplies the probability of each change, 0 to 1.
    """

    spatial_dims: int
    strength: float

    def __call__(
        self, images: FloatArray, targets: MaskArray, *, seed: int, geometry: bool = True
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
        data = {IMAGES: torch.from_numpy(images), TARGETS: torch.from_numpy(targets).float()}
        if geometry and self.strength > 0:
            data = self._geometry().set_random_state(seed)(data)
        channels = {str(channel): data[IMAGES][channel][None] for channel in range(len(images))}
        if self.strength > 0:
            channels = self._intensities(list(channels)).set_random_state(seed + 1)(channels)
        plain = [_plain(values) for values in channels.values()]
        return torch.cat(plain), (_plain(data[TARGETS]) > 0.5).float()

    def _geometry(self) -> Compose:
        keys = [IMAGES, TARGETS]
        flips = [
            RandFlipd(keys, prob=0.5 * self.strength, spatial_axis=axis)
            for axis in range(self.spatial_dims)
        ]
        n_turns = 3 if self.spatial_dims == 3 else 1
        affine = RandAffined(
            keys,
            prob=0.3 * self.strength,
            rotate_range=(_LARGEST_TURN,) * n_turns,
            scale_range=(_LARGEST_SCALING,) * self.spatial_dims,
            mode=("bilinear", "nearest"),
            padding_mode="zeros",
        )
        return Compose([*flips, affine])

    def _intensities(self, channels: list[str]) -> Compose:
        share = 0.15 * self.strength
        changes = []
        for channel in channels:
            changes += [
                RandGaussianNoised([channel], prob=share, std=0.1),
                RandGaussianSmoothd([channel], prob=share, **_sigmas()),
                RandScaleIntensityd([channel], factors=0.25, prob=share),
                RandShiftIntensityd([channel], offsets=0.1, prob=share),
                RandAdjustContrastd([channel], prob=share, gamma=(0.7, 1.5)),
            ]
        return Compose(changes)


def _sigmas() -> dict[str, tuple[float, float]]:
    return {f"sigma_{axis}": (0.5, 1.0) for axis in "xyz"}


def _plain(values: Tensor) -> Tensor:
    """Drop MONAI's metadata."""
    return torch.as_tensor(np.asarray(values)).float()
