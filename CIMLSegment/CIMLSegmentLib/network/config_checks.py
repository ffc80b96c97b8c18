"""Everything that can be wrong with a configuration, each as a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from MultimodalImagingLib.errors import UsageError

if TYPE_CHECKING:
    from CIMLSegmentLib.network.config import NetworkConfig, TrainingConfig

GATES = ("spatial", "dot-product")
FUSIONS = ("concat", "sum")
OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_LARGEST_WIDTH = 4096


def raise_first(problems: Iterator[str]) -> None:
    """Raise the first problem, if any, as a `UsageError`."""
    for problem in problems:
        raise UsageError(problem)


def network_problems(config: NetworkConfig) -> Iterator[str]:
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


def training_problems(config: TrainingConfig) -> Iterator[str]:
    """Yield a sentence for each value of a training configuration that is out of range."""
    positive = ("batch_size", "accumulation", "n_steps", "validation_interval", "patience")
    for name in (*positive, "learning_rate", "gradient_clip"):
        if not 0 < getattr(config, name) < inf:
            yield f"Expected {name} above 0, got {getattr(config, name)}."
    for name in ("warmup_steps", "weight_decay", "beta", "augmentation", "seed"):
        if not 0 <= getattr(config, name) < inf:
            yield f"Expected {name} of at least 0, got {getattr(config, name)}."
    for name in ("beta_warmup", "foreground_share", "absence", "validation_share", "augmentation"):
        if not 0 <= getattr(config, name) <= 1:
            yield f"Expected {name} within 0 to 1, got {getattr(config, name)}."
    yield from _choice_problems(config)


def _choice_problems(config: TrainingConfig) -> Iterator[str]:
    if len(config.patch_size) not in (2, 3) or min(config.patch_size) < 1:
        yield f"Expected a patch size of 2 or 3 positive numbers, got {config.patch_size}."
    if config.batch_size % config.accumulation:
        yield (
            f"Expected a batch size that is a multiple of accumulation, got {config.batch_size}"
            f" and {config.accumulation}."
        )
    if config.optimizer not in OPTIMIZERS:
        yield f"Expected one of {', '.join(OPTIMIZERS)}, got the optimizer {config.optimizer!r}."
    if config.precision not in PRECISIONS:
        yield f"Expected one of {', '.join(PRECISIONS)}, got the precision {config.precision!r}."
