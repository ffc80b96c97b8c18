"""Grad-CAM on the messages: which places of a message raise the score of a region.

Selvaraju et al., Grad-CAM, ICCV 2017, applied to messages instead of a layer's features. Each
position is weighted by its own gradient (HiResCAM, Draelos and Carin,
arXiv:2011.08891) and not by the mean gradient of its channel: on our toy the mean, taken mostly
where nothing is missing, pointed away from the one shape that only the message carries in one of
four networks. Layer, score and scaling are choices of this project. A model attribution, not
clinical evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, MessageKey
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.task.task import Task


@dataclass(frozen=True)
class CamTarget:
    """Whose score is explained.

    Attributes:
        subtask: Name of the sub-task.
        region: Name of one of its regions.
        level: Message level at which the maps are made.
    """

    subtask: str
    region: str
    level: int


def message_gradcam(
    network: CIMLNet, images: Tensor, target: CamTarget, *, present: Tensor | None = None
) -> dict[MessageKey, Tensor]:
    """Compute a map per auxiliary of a sub-task, messages at their mean.

    With S the sum of the region's logits where it is predicted and w_c = dS / dz_c at each
    position, a map is ReLU(sum_c w_c z_c).

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
        key: (gradient * message.detach()).sum(dim=1).relu()
        for key, message, gradient in zip(keys, messages, gradients, strict=True)
    }


def gradcam_keys(task: Task) -> list[MapKey]:
    """Return the maps of a task in a fixed order; a map is that of the first sub-task that has it.

    Args:
        task: What the network segments.
    """
    keys = [
        MapKey("gradcam", subtask.primary, auxiliary, region)
        for subtask in task.subtasks
        for region in subtask.regions
        for auxiliary in subtask.auxiliaries
    ]
    return list(dict.fromkeys(keys))


def window_cams(network: CIMLNet, windows: Tensor, present: Tensor) -> Tensor:
    """Compute the maps of windows `(B, M, K, J, I)` as channels `(B, maps, k, j, i)`."""
    found: dict[MapKey, Tensor] = {}
    level = network.config.message_levels[0]
    for subtask in network.task.subtasks:
        for region in subtask.regions if subtask.auxiliaries else ():
            target = CamTarget(subtask.name, region, level)
            maps = message_gradcam(network, windows, target, present=present)
            for message, values in maps.items():
                key = MapKey("gradcam", subtask.primary, message.auxiliary, region)
                found.setdefault(key, values)
    return torch.stack([found[key].float() for key in gradcam_keys(network.task)], dim=1)


def scaled_together(maps: Mapping[MapKey, Tensor]) -> dict[MapKey, Tensor]:
    """Scale the maps of each region to 0 to 1 by the largest value over all its auxiliaries.

    Maps of windows have to be put together before: a common scale keeps a useless message dark.
    """
    largest: dict[tuple[str | None, str | None], float] = {}
    for key, values in maps.items():
        owner = (key.region, key.primary)
        largest[owner] = max(largest.get(owner, 0.0), float(values.max()))
    return {key: values / (largest[key.region, key.primary] or 1.0) for key, values in maps.items()}


def _score(network: CIMLNet, output: CIMLOutput, target: CamTarget) -> Tensor:
    channel = network.task.subtask(target.subtask).regions.index(target.region)
    logits = output.logits[target.subtask][:, channel]
    return logits.masked_fill(logits.detach() <= 0, 0).sum()
