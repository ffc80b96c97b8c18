"""How a case is segmented with a trained model. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from MultimodalImagingLib.errors import UsageError

VOXELS_AT_A_TIME = 4 * 96**3


@dataclass(frozen=True)
class InferenceConfig:
    """Settings of segmentation; what the images need is the model's own.

    Attributes:
        device: `auto` (the first GPU, else the CPU), `cpu`, `cuda` or `cuda:<index>`.
        overlap: Share of a window's length that it has in common with the next, 0 to below 1.
        batch_size: Windows computed at a time, halved when memory runs out; `None` for as many as
            have `VOXELS_AT_A_TIME` together, at least 2 (PyTorch's convolutions of a single
            volume are slower per volume on CPUs) and at most 16.
        mirror: Whether to average over the mirror images along all axes (8 times the work).
        maps: Whether the result holds attention and information maps.
        gradcam: Whether it also holds Grad-CAM maps of the messages.
        n_samples: Samples of the messages for the uncertainty maps; 0 for no such maps.
        seed: Seed of the messages' noise.
    """

    device: str = "auto"
    overlap: float = 0.5
    batch_size: int | None = None
    mirror: bool = False
    maps: bool = False
    gradcam: bool = False
    n_samples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            UsageError: If anything is wrong.
        """
        if not 0 <= self.overlap < 1:
            msg = f"Expected an overlap of windows of 0 to below 1, got {self.overlap}."
            raise UsageError(msg)
        if self.batch_size is not None and self.batch_size < 1:
            msg = f"Expected at least one window at a time, got {self.batch_size}."
            raise UsageError(msg)
        if self.n_samples < 0 or self.n_samples == 1:
            msg = (
                f"Expected at least 2 samples for an uncertainty, got {self.n_samples}. Use 0 for"
                " none."
            )
            raise UsageError(msg)

    def windows_at_a_time(self, window: Sequence[int]) -> int:
        """Return how many windows of a size, in voxels per axis, are computed together."""
        if self.batch_size is not None:
            return self.batch_size
        return min(max(VOXELS_AT_A_TIME // prod(window), 2), 16)
