"""Batches of patches; what a sample is depends on seed, step and number alone.

So a run that was killed resumes as if nothing had happened, and several processes together see the
same patches as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from CIMLSegmentLib.model.training_config import TrainingConfig
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.augmentation import Augmentation
from CIMLSegmentLib.training.patches import patch_start, read_patch
from CIMLSegmentLib.training.training_case import TrainingCase

_PATCH, _ORDER = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Batch:
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
        tensors = (self.images, self.targets, self.usable, self.present)
        return Batch(*(values.to(device, non_blocking=True) for values in tensors))

    def split(self, n_parts: int) -> list[Batch]:
        """Return the batch in equal parts."""
        parts = [
            values.chunk(n_parts)
            for values in (self.images, self.targets, self.usable, self.present)
        ]
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
        columns = zip(*samples, strict=True)
        return Batch(*(torch.stack(values) for values in columns))

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
