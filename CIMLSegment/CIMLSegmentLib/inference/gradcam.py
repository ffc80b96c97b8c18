"""Grad-CAM on the messages: which places of a message raise the score of a region.

Selvaraju et al., Grad-CAM, ICCV 2017, applied to messages instead of a layer's features. By
default each position is weighted by its own gradient (HiResCAM, Draelos and Carin,
arXiv:2011.08891) and not by the mean gradient of its channel: on our toy the mean, taken mostly
where nothing is missing, pointed away from the one shape that only the message carries in one of
four networks. Layer, score and scaling are choices of this project. A model attribution, not
clinical evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, MessageKey


@dataclass(frozen=True)
class CamTarget:
    """Whose score is explained.

    Attributes:
        subtask: Name of the sub-task.
        region: Name of one of its regions.
        level: Message level at which the maps are made.
        mask: Where logits count, bool `(B, …)`; where the region is predicted if `None`.
        weights: `position`: each position by its own gradient; `mean`: by the mean gradient of
            the channel, as in the first Grad-CAM.
    """

    subtask: str
    region: str
    level: int
    mask: Tensor | None = None
    weights: Literal["position", "mean"] = "position"


def most_informative_level(output: CIMLOutput, subtask: str) -> int:
    """Return the message level that carries most nats to a sub-task; a map elsewhere says little.

    Raises:
        ValueError: If the sub-task has no messages.
    """
    nats: dict[int, float] = {}
    for key, kl in output.kl.items():
        if key.subtask == subtask:
            nats[key.level] = nats.get(key.level, 0.0) + float(kl.sum())
    if not nats:
        msg = f"Expected a sub-task with messages, got {subtask!r}, which has no auxiliary."
        raise ValueError(msg)
    return max(nats, key=lambda level: nats[level])


def message_gradcam(
    network: CIMLNet, images: Tensor, target: CamTarget, *, present: Tensor | None = None
) -> dict[MessageKey, Tensor]:
    """Compute a map per auxiliary of a sub-task, messages at their mean.

    With S the sum of the region's logits over the mask and w_c = dS / dz_c, of the position or
    its mean over positions, a map is ReLU(sum_c w_c z_c).

    Args:
        network: The network.
        images: Images `(B, M, …)`.
        target: What is explained.
        present: Which modalities may send messages, as in `CIMLNet.forward`.

    Returns:
        Maps `(B, …)` at the message's level, at least 0, in units of the score; not scaled.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        tracked = images.detach().clone().requires_grad_()
        output = network(tracked, present=present)
        keys = [
            key
            for key in output.messages
            if (key.subtask, key.level) == (target.subtask, target.level)
        ]
        messages = [output.messages[key] for key in keys]
        gradients = torch.autograd.grad(_score(network, output, target), messages) if keys else ()
    return {
        key: _map(message, gradient, target)
        for key, message, gradient in zip(keys, messages, gradients, strict=True)
    }


def scale_together(
    maps: Mapping[MessageKey, Tensor], *, size: Iterable[int] | None = None
) -> dict[MessageKey, Tensor]:
    """Scale the maps of one sub-task to 0 to 1 by the largest value over all its auxiliaries.

    A common scale keeps a useless message dark. If all maps are zero, they stay zero.

    Args:
        maps: What `message_gradcam` returns, or maps `(B, …)` put together from windows.
        size: Spatial size to interpolate to, linearly; as it is if `None`.

    Returns:
        Scaled maps `(B, …)`, each sample by its own largest value.
    """
    if not maps:
        return {}
    largest = torch.stack([values.flatten(1).amax(dim=1) for values in maps.values()]).amax(dim=0)
    divisor = torch.where(largest > 0, largest, torch.ones_like(largest))
    scaled = {
        key: values / divisor.reshape(-1, *[1] * (values.ndim - 1)) for key, values in maps.items()
    }
    if size is None:
        return scaled
    return {key: _interpolated(values, tuple(size)) for key, values in scaled.items()}


def _score(network: CIMLNet, output: CIMLOutput, target: CamTarget) -> Tensor:
    channel = network.task.subtask(target.subtask).regions.index(target.region)
    logits = output.logits[target.subtask][:, channel]
    mask = logits.detach() > 0 if target.mask is None else target.mask
    return logits.masked_fill(~mask, 0).sum()


def _map(message: Tensor, gradient: Tensor, target: CamTarget) -> Tensor:
    if target.weights == "mean":
        gradient = gradient.mean(dim=tuple(range(2, message.ndim)), keepdim=True)
    return (gradient * message.detach()).sum(dim=1).relu()


def _interpolated(values: Tensor, size: tuple[int, ...]) -> Tensor:
    mode = "trilinear" if len(size) == 3 else "bilinear"
    return F.interpolate(values[:, None], size=size, mode=mode, align_corners=False)[:, 0]
