"""Grad-CAM maps of all regions for a batch of windows, at the finest message level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from CIMLSegmentLib.inference.gradcam import CamTarget, message_gradcam
from CIMLSegmentLib.network.network import CIMLNet, MessageKey


class CamKey(NamedTuple):
    """Whose score a map explains, and which message it is about."""

    region: str
    message: MessageKey


def cam_keys(network: CIMLNet) -> list[CamKey]:
    """Return the maps of a network in a fixed order."""
    level = network.config.message_levels[0]
    return [
        CamKey(region, MessageKey(subtask.name, auxiliary, level))
        for subtask in network.task.subtasks
        for region in subtask.regions
        for auxiliary in subtask.auxiliaries
    ]


def window_cams(network: CIMLNet, windows: Tensor, present: Tensor) -> Tensor:
    """Compute the maps of windows `(B, M, K, J, I)` as channels `(B, maps, k, j, i)`."""
    found: dict[CamKey, Tensor] = {}
    level = network.config.message_levels[0]
    for subtask in network.task.subtasks:
        for region in subtask.regions if subtask.auxiliaries else ():
            target = CamTarget(subtask.name, region, level)
            maps = message_gradcam(network, windows, target, present=present)
            found |= {CamKey(region, key): values for key, values in maps.items()}
    return torch.stack([found[key].float() for key in cam_keys(network)], dim=1)


def scaled_together(maps: Mapping[CamKey, Tensor]) -> dict[CamKey, Tensor]:
    """Scale the maps of each region to 0 to 1 by the largest value over all its auxiliaries.

    Maps of windows have to be put together before: a common scale keeps a useless message dark.
    """
    largest: dict[tuple[str, str], float] = {}
    for key, values in maps.items():
        owner = (key.region, key.message.subtask)
        largest[owner] = max(largest.get(owner, 0.0), float(values.max()))
    return {
        key: values / (largest[key.region, key.message.subtask] or 1.0)
        for key, values in maps.items()
    }
