"""Settings of the network: frozen and checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from MultimodalImagingLib.record.json_entry import raise_first

GATES = ("spatial", "dot-product")
FUSIONS = ("concat", "sum")
_LARGEST_WIDTH = 4096


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
        raise_first(_network_problems(self))

    @property
    def n_levels(self) -> int:
        """Number of resolutions."""
        return len(self.features)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Down-sampling of the deepest level, per axis; inputs are multiples of it."""
        return tuple(prod(steps) for steps in zip(*self.strides, strict=True))


def _network_problems(config: NetworkConfig) -> Iterator[str]:
    """Yield a sentence for each part of a network configuration that cannot be built."""
    if config.spatial_dims not in (2, 3):
        yield f"Expected 2 or 3 spatial dimensions, got {config.spatial_dims}."
    if len(config.features) < 2 or not all(0 < n <= _LARGEST_WIDTH for n in config.features):
        yield (
            f"Expected at least two levels of 1 to {_LARGEST_WIDTH} features,"
            f" got {config.features}."
        )
    for name in ("strides", "kernel_sizes"):
        rows: tuple[tuple[int, ...], ...] = getattr(config, name)
        shape_is_right = all(len(row) == config.spatial_dims for row in rows)
        if len(rows) != config.n_levels or not shape_is_right:
            yield (
                f"Expected {name} of {config.n_levels} levels and {config.spatial_dims} axes,"
                f" got {rows}."
            )
        if any(not 1 <= step <= 7 for row in rows for step in row):
            yield f"Expected {name} of 1 to 7, got {rows}."
    if any(size % 2 == 0 for row in config.kernel_sizes for size in row):
        yield f"Expected odd kernel sizes, got {config.kernel_sizes}."
    if any(step != 1 for step in config.strides[0]):
        yield f"Expected stride 1 in front of the first level, got {config.strides[0]}."
    yield from _message_problems(config)


def _message_problems(config: NetworkConfig) -> Iterator[str]:
    levels = config.message_levels
    if list(levels) != sorted({level for level in levels if 0 <= level < config.n_levels}):
        yield (
            f"Expected message levels in ascending order within 0 to {config.n_levels - 1},"
            f" got {levels}."
        )
    if not levels:
        yield "Expected at least one message level, got none."
    for name in ("message_channels", "gate_channels"):
        if not 0 < getattr(config, name) <= _LARGEST_WIDTH:
            yield f"Expected {name} of 1 to {_LARGEST_WIDTH}, got {getattr(config, name)}."
    if config.gate not in GATES:
        yield f"Expected the gate to be one of {', '.join(GATES)}, got {config.gate!r}."
    if config.fusion not in FUSIONS:
        yield f"Expected the fusion to be one of {', '.join(FUSIONS)}, got {config.fusion!r}."
