"""Networks without gates to compare with, of the same number of parameters.

* `early-fusion`: one encoder sees all modalities as channels.
* `concatenation`: an encoder per modality as in CIML; the auxiliaries' features themselves, not
  messages, are concatenated at the same levels.
* `primary-alone`: the primary's encoder and the decoder, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from CIMLSegmentLib.config import KINDS, NetworkConfig
from CIMLSegmentLib.network.blocks import Decoder, Encoder
from CIMLSegmentLib.network.network import (
    CIMLNet,
    CIMLOutput,
    build_network,
    check_images,
    levels_needed,
    zero_where,
)
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import UsageError

BASELINES = KINDS[1:]
LARGEST_DIFFERENCE = 0.05

_N_HALVINGS = 14


class Baseline(nn.Module):
    """What the baselines have in common: they are called as `CIMLNet`, and send no messages."""

    def __init__(self, task: Task, config: NetworkConfig, fused: dict[str, list[int]]) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.decoders = nn.ModuleList(
            Decoder(config, fused_features=fused[subtask.name], out_channels=len(subtask.regions))
            for subtask in task.subtasks
        )

    def forward(
        self,
        images: Tensor,
        *,
        present: Tensor | None = None,
        generator: torch.Generator | None = None,  # noqa: ARG002
    ) -> CIMLOutput:
        """Segment a batch; an absent auxiliary is zero.

        Args:
            images: As for `CIMLNet`.
            present: As for `CIMLNet`; a primary is used whether present or not.
            generator: Not used: there is no noise.
        """
        check_images(images, self.task, self.config)
        if present is None:
            present = images.new_ones(images.shape[:2], dtype=torch.bool)
        fused = self.fuse(images, present)
        logits = {
            subtask.name: decoder(fused[subtask.name])
            for subtask, decoder in zip(self.task.subtasks, self.decoders, strict=True)
        }
        return CIMLOutput(
            {name: levels[0] for name, levels in logits.items()},
            coarse_logits={name: tuple(levels[1:]) for name, levels in logits.items()},
        )

    def fuse(self, images: Tensor, present: Tensor) -> dict[str, list[Tensor]]:
        """Return the input of each sub-task's decoder."""
        raise NotImplementedError


class EarlyFusion(Baseline):
    """All modalities are channels of one image."""

    def __init__(self, task: Task, config: NetworkConfig) -> None:
        super().__init__(task, config, {s.name: list(config.features) for s in task.subtasks})
        n_modalities = len(task.modalities)
        self.encoder = Encoder(config, in_channels=n_modalities, n_levels=config.n_levels)

    def fuse(self, images: Tensor, present: Tensor) -> dict[str, list[Tensor]]:
        """Return the features of the one encoder for every sub-task."""
        channels = [
            images[:, channel]
            if modality in self.task.primaries
            else zero_where(~present[:, channel], images[:, channel])
            for channel, modality in enumerate(self.task.modalities)
        ]
        features = self.encoder(torch.stack(channels, dim=1))
        return {subtask.name: features for subtask in self.task.subtasks}


class Concatenation(Baseline):
    """Features of the auxiliaries are concatenated where CIML would concatenate messages."""

    def __init__(self, task: Task, config: NetworkConfig) -> None:
        fused = {
            subtask.name: [
                width * (1 + len(subtask.auxiliaries) * (level in config.message_levels))
                for level, width in enumerate(config.features)
            ]
            for subtask in task.subtasks
        }
        super().__init__(task, config, fused)
        self.encoders = nn.ModuleList(
            Encoder(config, n_levels=levels_needed(task, config, modality))
            for modality in task.modalities
        )

    def fuse(self, images: Tensor, present: Tensor) -> dict[str, list[Tensor]]:
        """Return the primary's features with those of the auxiliaries at the message levels."""
        features = [
            encoder(images[:, channel : channel + 1])
            for channel, encoder in enumerate(self.encoders)
        ]
        return {
            subtask.name: self._joined(subtask, features, present) for subtask in self.task.subtasks
        }

    def _joined(
        self, subtask: Subtask, features: list[list[Tensor]], present: Tensor
    ) -> list[Tensor]:
        joined = list(features[self.task.modality_index(subtask.primary)])
        channels = [self.task.modality_index(auxiliary) for auxiliary in subtask.auxiliaries]
        for level in self.config.message_levels:
            received = [zero_where(~present[:, c], features[c][level]) for c in channels]
            joined[level] = torch.cat([joined[level], *received], dim=1)
        return joined


class PrimaryAlone(Baseline):
    """Each sub-task sees its primary modality only."""

    def __init__(self, task: Task, config: NetworkConfig) -> None:
        super().__init__(task, config, {s.name: list(config.features) for s in task.subtasks})
        self.encoders = nn.ModuleList(
            Encoder(config, n_levels=config.n_levels) for _ in task.primaries
        )

    def fuse(self, images: Tensor, present: Tensor) -> dict[str, list[Tensor]]:  # noqa: ARG002
        """Return the features of each sub-task's primary."""
        features = {}
        for modality, encoder in zip(self.task.primaries, self.encoders, strict=True):
            channel = self.task.modality_index(modality)
            features[modality] = encoder(images[:, channel : channel + 1])
        return {subtask.name: features[subtask.primary] for subtask in self.task.subtasks}


_CLASSES: dict[str, type[EarlyFusion | Concatenation | PrimaryAlone]] = {
    "early-fusion": EarlyFusion,
    "concatenation": Concatenation,
    "primary-alone": PrimaryAlone,
}


def build_baseline(kind: str, task: Task, config: NetworkConfig, *, seed: int) -> Baseline:
    """Build a baseline with as many parameters as CIML's network of the configuration.

    Args:
        kind: `early-fusion`, `concatenation` or `primary-alone`.
        task: The task.
        config: Configuration of CIML's network; the baseline's widths are scaled from it.
        seed: Its weights depend on it alone.

    Raises:
        UsageError: If the kind is unknown, or no widths give the same number within 5 %.
    """
    if kind not in BASELINES:
        msg = f"Expected a baseline of {', '.join(BASELINES)}, got {kind!r}."
        raise UsageError(msg)
    matched = _matched_config(kind, task, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _CLASSES[kind](task, matched)


def build_any(kind: str, task: Task, config: NetworkConfig, *, seed: int) -> CIMLNet | Baseline:
    """Build CIML's network (`ciml`) or a baseline."""
    if kind == "ciml":
        return build_network(task, config, seed=seed)
    return build_baseline(kind, task, config, seed=seed)


def n_parameters(network: nn.Module) -> int:
    """Return the number of trained values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def _matched_config(kind: str, task: Task, config: NetworkConfig) -> NetworkConfig:
    with torch.device("meta"):  # counts parameters without making them
        wanted = n_parameters(CIMLNet(task, config))

        def difference(candidate: NetworkConfig) -> int:
            return n_parameters(_CLASSES[kind](task, candidate)) - wanted

        low, high = 0.2, 8.0
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            if difference(_scaled(config, middle)) < 0:
                low = middle
            else:
                high = middle
        scaled = [_scaled(config, low), _scaled(config, high)]
        nearby = [*scaled, *(other for start in scaled for other in _neighbors(start))]
        best = min(nearby, key=lambda candidate: abs(difference(candidate)))
        surplus = difference(best)
    if abs(surplus) > LARGEST_DIFFERENCE * wanted:
        msg = (
            f"No widths give the baseline {kind} the {wanted} parameters of the network within"
            f" 5 %; the nearest has {wanted + surplus}. Use a wider network."
        )
        raise UsageError(msg)
    return best


def _neighbors(config: NetworkConfig) -> Iterator[NetworkConfig]:
    """Yield the configurations whose width differs by one channel at one level."""
    for level, width in enumerate(config.features):
        for other in (width - 1, width + 1):
            if other > 0:
                features = (*config.features[:level], other, *config.features[level + 1 :])
                yield replace(config, features=features)


def _scaled(config: NetworkConfig, factor: float) -> NetworkConfig:
    return replace(config, features=tuple(max(1, round(factor * n)) for n in config.features))
