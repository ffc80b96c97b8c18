"""Where patches lie: around a voxel of a region, or anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from CIMLSegmentLib.training.training_case import FloatArray, MaskArray, TrainingCase

# A chosen voxel lies at most this share of the patch off its center, so that turning and scaling
# about the center keeps it inside.
_LARGEST_OFFSET = 1 / 6


def patch_start(
    case: TrainingCase,
    patch_size: Sequence[int],
    generator: np.random.Generator,
    *,
    foreground: bool,
) -> tuple[int, ...]:
    """Choose the first voxel of a patch; it may lie outside the case's arrays.

    Args:
        case: The case.
        patch_size: Voxels along `(K, J, I)`.
        generator: Source of chance.
        foreground: Whether the patch must hold a voxel of a region, each region equally likely;
            if the case has none, the patch lies anywhere.
    """
    regions = [name for name, n_voxels in case.regions.items() if n_voxels]
    if not foreground or not regions:
        free = [max(n - size, 0) for n, size in zip(case.shape, patch_size, strict=True)]
        start = [int(generator.integers(0, most + 1)) for most in free]
        return tuple(
            s if n >= size else -((size - n) // 2)
            for s, n, size in zip(start, case.shape, patch_size, strict=True)
        )
    places = case.places(regions[int(generator.integers(len(regions)))])
    voxel = places[int(generator.integers(len(places)))]
    offset = [
        int(generator.integers(-most, most + 1))
        for most in (int(size * _LARGEST_OFFSET) for size in patch_size)
    ]
    return tuple(
        int(v) - size // 2 + shift for v, size, shift in zip(voxel, patch_size, offset, strict=True)
    )


def read_patch(
    case: TrainingCase, modalities: Sequence[str], start: Sequence[int], patch_size: Sequence[int]
) -> tuple[FloatArray, MaskArray]:
    """Read a patch; 0 where it reaches beyond the case's arrays.

    Returns:
        Images `(M, K, J, I)` and region masks `(R, K, J, I)`.
    """
    ranges = [
        (max(first, 0), max(min(first + size, n), 0))
        for first, size, n in zip(start, patch_size, case.shape, strict=True)
    ]
    window = tuple(slice(low, max(low, high)) for low, high in ranges)
    images, masks = case.read(modalities, window)
    inner = tuple(
        slice(part.start - first, part.stop - first)
        for part, first in zip(window, start, strict=True)
    )
    padded_images = np.zeros((len(images), *patch_size), dtype=np.float32)
    padded_masks = np.zeros((len(masks), *patch_size), dtype=np.uint8)
    padded_images[(slice(None), *inner)] = images
    padded_masks[(slice(None), *inner)] = masks
    return padded_images, padded_masks
