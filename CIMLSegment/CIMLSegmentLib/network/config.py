"""Settings of network and training: frozen, checked, JSON in and out. Imports no torch."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any, TypeVar

from CIMLSegmentLib.network.config_checks import network_problems, raise_first, training_problems
from CIMLSegmentLib.task.json_entry import JsonEntry

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network. The paper's own values are not public to us; these are our choices.

    Attributes:
        spatial_dims: 3 for volumes, 2 for slices.
        features: Channels of encoder and decoder per level, from full resolution downwards.
        strides: Down-sampling in front of each level, per axis `(K, J, I)` or `(J, I)`.
        kernel_sizes: Kernel of the convolutions of each level, per axis.
        message_levels: Levels with a gate, ascending.
        message_channels: Channels of a message (Cz).
        gate_channels: Channels that both modalities are reduced to inside a gate.
        gate: `spatial` (form G) or `dot-product` (form D, at most 16^3 positions per level).
        fusion: `concat` appends messages to the primary's features, `sum` adds them.
        deep_supervision: Whether the decoders also predict at lower resolutions.
    """

    spatial_dims: int = 3
    features: tuple[int, ...] = (8, 16, 32, 64, 128)
    strides: tuple[tuple[int, ...], ...] = ((1, 1, 1), *(((2, 2, 2),) * 4))
    kernel_sizes: tuple[tuple[int, ...], ...] = ((3, 3, 3),) * 5
    message_levels: tuple[int, ...] = (2, 3, 4)
    message_channels: int = 8
    gate_channels: int = 16
    gate: str = "spatial"
    fusion: str = "concat"
    deep_supervision: bool = False

    def __post_init__(self) -> None:
        """Refuse a shape that cannot be built.

        Raises:
            UsageError: If anything is wrong.
        """
        raise_first(network_problems(self))

    @property
    def n_levels(self) -> int:
        """Number of resolutions."""
        return len(self.features)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Down-sampling of the deepest level, per axis; inputs are multiples of it."""
        return tuple(prod(steps) for steps in zip(*self.strides, strict=True))


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
        patch_size: Voxels of a training patch, per axis `(K, J, I)`.
        batch_size: Patches per optimizer step and process.
        accumulation: Parts that a batch is computed in, to save memory.
        n_steps: Most optimizer steps.
        learning_rate: Largest learning rate; follows a cosine to zero after the warm-up.
        warmup_steps: Steps of linear growth of the learning rate.
        optimizer: `adamw` or `sgd` (Nesterov momentum 0.99).
        weight_decay: Weight decay.
        gradient_clip: Largest norm of the gradient.
        beta: Weight of the KL term in nats per input voxel.
        beta_warmup: Share of the steps over which beta grows linearly from 0.
        dice: Whether the Dice loss is added to the cross entropy.
        foreground_share: Share of patches that hold a voxel of a region, if the case has one.
        absence: Probability that an auxiliary is withheld from a patch.
        augmentation: Strength of augmentation, 0 (none) to 1 (as recommended).
        validation_share: Share of patients kept for validation.
        validation_interval: Steps between two validations.
        patience: Validations without a better Dice after which training stops.
        precision: `auto` (bf16 where the device has it), `fp32`, `bf16` or `fp16`.
        seed: Seed of everything random.
    """

    patch_size: tuple[int, ...] = (96, 96, 96)
    batch_size: int = 2
    accumulation: int = 1
    n_steps: int = 5000
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    optimizer: str = "adamw"
    weight_decay: float = 1e-4
    gradient_clip: float = 12.0
    beta: float = 0.01
    beta_warmup: float = 0.3
    dice: bool = True
    foreground_share: float = 0.67
    absence: float = 0.2
    augmentation: float = 1.0
    validation_share: float = 0.2
    validation_interval: int = 250
    patience: int = 10
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            UsageError: If anything is wrong.
        """
        raise_first(training_problems(self))


def config_to_json(config: NetworkConfig | TrainingConfig) -> dict[str, Any]:
    """Return the JSON form of a configuration."""
    return {name: _listed(value) for name, value in asdict(config).items()}


def config_from_json(kind: type[ConfigT], data: object, *, where: str) -> ConfigT:
    """Build a configuration from parsed JSON; absent keys keep their default.

    Args:
        kind: `NetworkConfig` or `TrainingConfig`.
        data: Parsed JSON.
        where: How messages call the object.

    Raises:
        ModelError: If a key is unknown or has the wrong type.
        UsageError: If a value is out of range.
    """
    entry = JsonEntry(data, where)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    entry.check_keys(known, optional=known)
    hints = typing.get_type_hints(kind)
    return kind(**{name: _typed(entry, name, hints[name]) for name in entry.data})


def changed_config(config: ConfigT, changes: Mapping[str, object], *, where: str) -> ConfigT:
    """Return a configuration with some of its values replaced by parsed JSON.

    Raises:
        ModelError: If a key is unknown or has the wrong type.
        UsageError: If a value is out of range.
    """
    present = config_to_json(config)  # type: ignore[arg-type]
    return config_from_json(type(config), {**present, **changes}, where=where)


def _typed(entry: JsonEntry, name: str, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        if entry.data[name] is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    if origin is not tuple:
        return entry.value(name, hint)
    inner = typing.get_args(hint)[0]
    if typing.get_origin(inner) is not tuple:
        return entry.listed(name, inner)
    rows = [JsonEntry({name: row}, entry.where) for row in entry.value(name, list)]
    return tuple(row.listed(name, typing.get_args(inner)[0]) for row in rows)


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value
