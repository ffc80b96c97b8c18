"""What training minimizes: cross entropy, Dice and the price of the messages, kept apart.

    L = sum_k CE_k + Dice_k + beta * KL_k
    KL_k = (1 / voxels of the input) * sum over auxiliaries, levels, voxels, channels of
           KL(N(mu, sigma^2) || N(0, 1))

The cross entropy is a mean per voxel, so KL is nats per *input* voxel too: beta then means the
same for every patch size and level. The bottleneck's two terms are those of the variational
information bottleneck (Alemi et al., ICLR 2017); the weights are choices of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional as F

from CIMLSegmentLib.config import TrainingConfig
from CIMLSegmentLib.network.network import CIMLOutput, MessageKey
from CIMLSegmentLib.task.task import Task


@dataclass(frozen=True)
class LossTerms:
    """The terms of one batch.

    Attributes:
        total: What is minimized.
        cross_entropy: Per sub-task, nats per voxel and region.
        dice: Per sub-task, 1 - soft Dice; empty if Dice is off.
        kl: Per message, nats per input voxel, mean over the batch.
    """

    total: Tensor
    cross_entropy: Mapping[str, Tensor]
    dice: Mapping[str, Tensor]
    kl: Mapping[MessageKey, Tensor]


@dataclass(frozen=True)
class CIMLLoss:
    """The loss of a task.

    Attributes:
        task: The task.
        config: Its settings: `beta`, `beta_warmup`, `dice`.
    """

    task: Task
    config: TrainingConfig

    def __call__(
        self,
        output: CIMLOutput,
        targets: Tensor,
        *,
        usable: Tensor | None = None,
        step: int | None = None,
    ) -> LossTerms:
        """Compute the loss of a batch.

        Args:
            output: What the network computed.
            targets: Region masks, 0 to 1, `(B, R, …)`, regions in the order of the task.
            usable: Which modalities the cases have, bool `(B, M)`; samples without a sub-task's
                primary do not count for that sub-task. All by default.
            step: Step of the training, from 0, for the warm-up of beta; all of beta by default.
        """
        cross_entropy: dict[str, Tensor] = {}
        dice: dict[str, Tensor] = {}
        for subtask in self.task.subtasks:
            counts = _counts(targets, usable, self.task.modality_index(subtask.primary))
            channels = [self.task.region_names.index(region) for region in subtask.regions]
            wanted = targets[:, channels].float()
            levels = [output.logits[subtask.name], *output.coarse_logits.get(subtask.name, ())]
            weights = _level_weights(len(levels))
            terms = [_segmentation_terms(level.float(), wanted, counts) for level in levels]
            cross_entropy[subtask.name] = _weighted(weights, [term[0] for term in terms])
            if self.config.dice:
                dice[subtask.name] = _weighted(weights, [term[1] for term in terms])
        kl = kl_per_input_voxel(output, n_voxels=prod(targets.shape[2:]))
        total = sum([*cross_entropy.values(), *dice.values()], targets.new_zeros(()))
        price = sum(kl.values(), targets.new_zeros(()))
        return LossTerms(total + self._beta(step) * price, cross_entropy, dice, kl)

    def _beta(self, step: int | None) -> float:
        n_steps, warmup = self.config.n_steps, self.config.beta_warmup
        share = 1.0 if step is None else beta_share(step, n_steps=n_steps, warmup=warmup)
        return self.config.beta * share


def kl_per_input_voxel(output: CIMLOutput, *, n_voxels: int) -> dict[MessageKey, Tensor]:
    """Return each message's KL, summed over its positions and divided by the input's voxels.

    Args:
        output: What the network computed.
        n_voxels: Voxels of the input image or patch.

    Returns:
        Nats per input voxel, mean over the batch; the values of all levels add up.
    """
    return {key: kl.flatten(1).sum(dim=1).mean() / n_voxels for key, kl in output.kl.items()}


def beta_share(step: int, *, n_steps: int, warmup: float) -> float:
    """Return the share of beta at a step: linear from 0 to 1 over the first part of training.

    Args:
        step: Step, from 0.
        n_steps: Number of steps of the whole training.
        warmup: Part of the training that the growth takes, 0 to 1.
    """
    n_warmup = warmup * n_steps
    return 1.0 if step >= n_warmup else step / n_warmup


def _segmentation_terms(logits: Tensor, wanted: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    if logits.shape[2:] != wanted.shape[2:]:
        wanted = F.interpolate(wanted, size=logits.shape[2:], mode="area")
    per_sample = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    overlap = DiceLoss(sigmoid=True, reduction="none")(logits, wanted)
    n_counting = counts.sum().clamp(min=1)
    cross_entropy = (per_sample.flatten(1).mean(dim=1) * counts).sum() / n_counting
    return cross_entropy, (overlap.flatten(1).mean(dim=1) * counts).sum() / n_counting


def _counts(targets: Tensor, usable: Tensor | None, primary: int) -> Tensor:
    if usable is None:
        return targets.new_ones(len(targets), dtype=torch.float32)
    return usable[:, primary].to(torch.float32)


def _level_weights(n_levels: int) -> list[float]:
    halves = [0.5**level for level in range(n_levels)]
    return [half / sum(halves) for half in halves]


def _weighted(weights: list[float], values: list[Tensor]) -> Tensor:
    pairs = zip(weights, values, strict=True)
    return torch.stack([weight * value for weight, value in pairs]).sum()
