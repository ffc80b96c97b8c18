"""Batches of patches; what a sample is depends on seed, step and number alone.

So a run that was killed resumes as if nothing had happened, and several processes together see the
same patches as one. Patches lie around a voxel of a region, or anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from CIMLSegmentLib.config import TrainingConfig
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.augmentation import Augmentation
from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.images.arrays import ByteArray, Float32Array

_PATCH, _ORDER = 1, 2  # streams of random numbers

# A chosen voxel lies at most this share of the patch off its center, so that turning and scaling
# about the center keeps it inside.
_LARGEST_OFFSET = 1 / 6


class Batch(NamedTuple):
    """Patches of several cases.

    Attributes:
        images: `(B, M, …)`, 0 where the case lacks the modality.
        targets: Region masks `(B, R, …)`, 0 or 1.
        usable: Modalities that the cases have, bool `(B, M)`.
        present: Modalities that may send messages, bool `(B, M)`; a part of the usable ones.
    """

    images: Tensor
    targets: Tensor
    usable: Tensor
    present: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(values.to(device, non_blocking=True) for values in self))

    def split(self, n_parts: int) -> list[Batch]:
        """Return the batch in equal parts."""
        parts = [values.chunk(n_parts) for values in self]
        return [Batch(*tensors) for tensors in zip(*parts, strict=True)]


class PatchSource:
    """Makes patches of the training cases."""

    def __init__(self, cases: Sequence[TrainingCase], task: Task, config: TrainingConfig) -> None:
        self.cases = cases
        self.task = task
        self.config = config
        self.modalities = tuple(task.modalities)
        self.augmentation = Augmentation(len(config.patch_size), config.augmentation)

    def batch(self, step: int, numbers: Sequence[int]) -> Batch:
        """Return the patches of these numbers, each 0 to batch size - 1, of a step."""
        samples = [self.sample(step, number) for number in numbers]
        return Batch(*(torch.stack(values) for values in zip(*samples, strict=True)))

    def sample(self, step: int, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return images, targets, usable and present of one patch."""
        config = self.config
        generator = np.random.default_rng([config.seed, _PATCH, step, number])
        case = self._case(step * config.batch_size + number)
        # Stratified, so that a batch never lacks its share of lesions by chance.
        foreground = (number + generator.random()) / config.batch_size < config.foreground_share
        start = patch_start(case, config.patch_size, generator, foreground=foreground)
        images, masks = read_patch(case, self.modalities, start, config.patch_size)
        seed = int(generator.integers(2**31 - 2))
        changed, targets = self.augmentation(images, masks, seed=seed)
        if foreground and masks.any() and not bool(targets.any()):  # turned out of the patch
            changed, targets = self.augmentation(images, masks, seed=seed, geometry=False)
        usable = torch.tensor([modality in case.modalities for modality in self.modalities])
        withheld = torch.from_numpy(generator.random(len(self.modalities)) < config.absence)
        changed = changed * usable.reshape(-1, *[1] * (changed.ndim - 1))
        return changed, targets, usable, usable & ~withheld

    def _case(self, number: int) -> TrainingCase:
        """Go through all cases in a new order each time."""
        epoch, position = divmod(number, len(self.cases))
        order = np.random.default_rng([self.config.seed, _ORDER, epoch]).permutation(
            len(self.cases)
        )
        return self.cases[int(order[position])]


def batches(
    source: PatchSource, steps: range, numbers: Sequence[int], *, n_workers: int
) -> Iterator[Batch]:
    """Yield the batches of steps, made ahead of time by threads.

    Args:
        source: Makes them.
        steps: Which steps.
        numbers: Which patches of each step; the others belong to other processes.
        n_workers: Threads; 0 to make batches when they are asked for.
    """
    if n_workers == 0:
        yield from (source.batch(step, numbers) for step in steps)
        return
    pool = ThreadPoolExecutor(max_workers=n_workers)
    waiting: list[Future[Batch]] = []
    ahead = iter(steps)
    try:
        for _ in range(len(steps)):
            while len(waiting) <= n_workers and (step := next(ahead, None)) is not None:
                waiting.append(pool.submit(source.batch, step, numbers))
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
) -> tuple[Float32Array, ByteArray]:
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
