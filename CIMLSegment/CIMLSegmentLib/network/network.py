"""CIML's network: an encoder per modality, a decoder per sub-task, a gate per pair and level."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.network.blocks import Decoder, Encoder
from CIMLSegmentLib.network.gate import DotProductGate, GateShape, SpatialGate, gaussian_message
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task


class MessageKey(NamedTuple):
    """Which message: to which sub-task, from which auxiliary, at which level (0 is finest)."""

    subtask: str
    auxiliary: str
    level: int


@dataclass(frozen=True)
class CIMLOutput:
    """Everything that a forward pass computes.

    Attributes:
        logits: Sub-task name to logits `(B, R, …)`, channels in the order of its regions.
        attention: Attention maps `(B, …)` at the message's level, unitless, 0 to 1; 0 where the
            auxiliary is absent.
        kl: Information per position of the message's level `(B, …)`, nats, summed over channels;
            0 where the auxiliary is absent.
        messages: Messages `(B, Cz, …)` that the decoders got.
        coarse_logits: Sub-task name to logits at falling resolution, for deep supervision.
    """

    logits: Mapping[str, Tensor]
    attention: Mapping[MessageKey, Tensor] = field(default_factory=dict)
    kl: Mapping[MessageKey, Tensor] = field(default_factory=dict)
    messages: Mapping[MessageKey, Tensor] = field(default_factory=dict)
    coarse_logits: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)


class CIMLNet(nn.Module):
    """Segments each sub-task from its primary modality and the messages of its auxiliaries.

    Structure of Shen et al., Complementary information mutual learning for multimodality medical
    image segmentation, Neural Networks 180:106670, 2024, as far as public; all sizes, the form of
    the gate and the place of the noise are choices of this project.
    """

    def __init__(self, task: Task, config: NetworkConfig) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.encoders = nn.ModuleList(
            Encoder(config, n_levels=levels_needed(task, config, modality))
            for modality in task.modalities
        )
        self.channels = nn.ModuleList(MessageChannel(config) for _ in task.pairs())
        self.decoders = nn.ModuleList(
            Decoder(
                config,
                fused_features=_fused_features(config, len(subtask.auxiliaries)),
                out_channels=len(subtask.regions),
            )
            for subtask in task.subtasks
        )

    def forward(
        self,
        images: Tensor,
        *,
        present: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> CIMLOutput:
        """Segment a batch.

        Args:
            images: Finite images `(B, M, K, J, I)` or `(B, M, J, I)`, modalities in the order of
                the task; each axis a multiple of `config.total_stride`.
            present: Which modalities may send messages, bool `(B, M)`; all by default. An absent
                one's message is the prior's mean, 0. A primary is used whether present or not.
            generator: Source of the messages' noise; without it messages are their means.

        Raises:
            ValueError: If the shape of the images does not fit.
        """
        check_images(images, self.task, self.config)
        if present is None:
            present = images.new_ones(images.shape[:2], dtype=torch.bool)
        features = self.encode(images)
        return self.output(features, self.exchange(features, present, generator))

    def output(self, features: list[list[Tensor]], exchange: Exchange) -> CIMLOutput:
        """Decode every sub-task with all messages of an exchange."""
        logits = {
            subtask.name: self.decode(subtask, features, exchange.messages)
            for subtask in self.task.subtasks
        }
        return CIMLOutput(
            {name: levels[0] for name, levels in logits.items()},
            exchange.attention,
            exchange.kl,
            exchange.messages,
            {name: tuple(levels[1:]) for name, levels in logits.items()},
        )

    def encode(self, images: Tensor) -> list[list[Tensor]]:
        """Return the features of every modality, level by level, of images `(B, M, …)`."""
        return [
            encoder(images[:, channel : channel + 1])
            for channel, encoder in enumerate(self.encoders)
        ]

    def exchange(
        self,
        features: list[list[Tensor]],
        present: Tensor,
        generator: torch.Generator | None = None,
    ) -> Exchange:
        """Let the gates make all messages.

        Args:
            features: What `encode` returns.
            present: Which modalities may send messages, bool `(B, M)`.
            generator: Source of the messages' noise; without it messages are their means.
        """
        exchange = Exchange(present, generator)
        for module, (subtask, auxiliary) in zip(self.channels, self.task.pairs(), strict=True):
            source = self.task.modality_index(auxiliary)
            primary = features[self.task.modality_index(subtask.primary)]
            gated_by_level = cast(MessageChannel, module)(primary, features[source])
            for level, gated in gated_by_level.items():
                exchange.send(MessageKey(subtask.name, auxiliary, level), gated, source)
        return exchange

    def decode(
        self,
        subtask: Subtask,
        features: list[list[Tensor]],
        messages: Mapping[MessageKey, Tensor],
        *,
        withheld: Collection[str] = (),
    ) -> list[Tensor]:
        """Return the logits of a sub-task, finest first.

        Args:
            subtask: The sub-task.
            features: What `encode` returns.
            messages: Those of the exchange.
            withheld: Auxiliaries whose messages are replaced by the prior's mean, 0.
        """
        fused = list(features[self.task.modality_index(subtask.primary)])
        for module, (owner, auxiliary) in zip(self.channels, self.task.pairs(), strict=True):
            channel = cast(MessageChannel, module)
            for level in channel.message_levels if owner == subtask else ():
                message = messages[MessageKey(subtask.name, auxiliary, level)]
                if auxiliary in withheld:
                    message = torch.zeros_like(message)
                fused[level] = channel.join(fused[level], message, level)
        levels: list[Tensor] = self.decoders[self.task.subtasks.index(subtask)](fused)
        return levels


class MessageChannel(nn.Module):
    """The gates of one (sub-task, auxiliary) pair, one per message level."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.message_levels = config.message_levels
        self.gates = nn.ModuleList(_gate(config, level) for level in config.message_levels)
        convolution = nn.Conv3d if config.spatial_dims == 3 else nn.Conv2d
        self.projections = nn.ModuleList(
            convolution(config.message_channels, config.features[level], 1, bias=False)
            for level in (config.message_levels if config.fusion == "sum" else ())
        )

    def forward(
        self, primary: list[Tensor], auxiliary: list[Tensor]
    ) -> dict[int, tuple[Tensor, Tensor]]:
        """Return message statistics and attention map per message level."""
        return {
            level: gate(primary[level], auxiliary[level])
            for level, gate in zip(self.message_levels, self.gates, strict=True)
        }

    def join(self, features: Tensor, message: Tensor, level: int) -> Tensor:
        """Give a message to the decoder's input of a level; a message of 0 adds nothing."""
        if not self.projections:
            return torch.cat([features, message], dim=1)
        projection = self.projections[self.message_levels.index(level)]
        return features + torch.as_tensor(projection(message))


class Exchange:
    """The messages of one forward pass.

    Attributes:
        present: Which modalities may send messages, bool `(B, M)`.
        attention: Attention maps, as in `CIMLOutput`.
        kl: Information, nats, as in `CIMLOutput`.
        messages: Messages, as in `CIMLOutput`.
    """

    def __init__(self, present: Tensor, generator: torch.Generator | None) -> None:
        self.present = present
        self._generator = generator
        self.attention: dict[MessageKey, Tensor] = {}
        self.kl: dict[MessageKey, Tensor] = {}
        self.messages: dict[MessageKey, Tensor] = {}

    def send(self, key: MessageKey, gated: tuple[Tensor, Tensor], source: int) -> None:
        """Make one message of what a gate let through; 0 where its modality is absent."""
        statistics, attention = gated
        message, kl = gaussian_message(statistics, generator=self._generator)
        absent = ~self.present[:, source]
        self.attention[key] = zero_where(absent, attention)
        self.kl[key] = zero_where(absent, kl)
        self.messages[key] = zero_where(absent, message)


def build_network(task: Task, config: NetworkConfig, *, seed: int) -> CIMLNet:
    """Build a network whose weights depend on the seed alone; the global generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CIMLNet(task, config)


def check_images(images: Tensor, task: Task, config: NetworkConfig) -> None:
    """Refuse a batch that the network cannot take.

    Raises:
        ValueError: If axes, modalities or sizes do not fit.
    """
    stride = config.total_stride
    spatial = tuple(images.shape[2:])
    fits = len(spatial) == len(stride) and images.shape[1] == len(task.modalities)
    if not fits or any(size % step for size, step in zip(spatial, stride, strict=True)):
        msg = (
            f"Expected images of shape (B, {len(task.modalities)}, …) with {len(stride)} spatial"
            f" axes that are multiples of {stride}, got {tuple(images.shape)}."
        )
        raise ValueError(msg)


def zero_where(absent: Tensor, values: Tensor) -> Tensor:
    """Return values `(B, …)` with 0 in the samples that `absent` `(B,)` marks."""
    mask = absent.reshape(-1, *[1] * (values.ndim - 1))
    return values.masked_fill(mask, 0)


def levels_needed(task: Task, config: NetworkConfig, modality: str) -> int:
    """Return how many levels of a modality are read by a decoder or a gate."""
    return config.n_levels if modality in task.primaries else config.message_levels[-1] + 1


def _gate(config: NetworkConfig, level: int) -> nn.Module:
    shape = GateShape(
        config.spatial_dims,
        config.features[level],
        config.features[level],
        config.gate_channels,
        config.message_channels,
        config.kernel_sizes[level],
    )
    return SpatialGate(shape) if config.gate == "spatial" else DotProductGate(shape)


def _fused_features(config: NetworkConfig, n_auxiliaries: int) -> list[int]:
    added = n_auxiliaries * config.message_channels if config.fusion == "concat" else 0
    return [
        width + added * (level in config.message_levels)
        for level, width in enumerate(config.features)
    ]
