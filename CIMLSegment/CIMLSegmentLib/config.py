"""All settings: of the network, of a training, of a segmentation; frozen, checked. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.json_entry import raise_first

GATES = ("spatial", "dot-product")
FUSIONS = ("concat", "sum")
_LARGEST_WIDTH = 4096
OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_LARGEST_PATCH = 320**3  # voxels; what nobody trains with, and a damaged description may claim
VOXELS_AT_A_TIME = 4 * 96**3


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
        raise_first(_training_problems(self))


def _training_problems(config: TrainingConfig) -> Iterator[str]:
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
    elif prod(config.patch_size) > _LARGEST_PATCH:
        yield f"Expected a patch of at most {_LARGEST_PATCH} voxels, got {config.patch_size}."
    if config.batch_size % config.accumulation:
        yield (
            f"Expected a batch size that is a multiple of accumulation, got {config.batch_size}"
            f" and {config.accumulation}."
        )
    if config.optimizer not in OPTIMIZERS:
        yield f"Expected one of {', '.join(OPTIMIZERS)}, got the optimizer {config.optimizer!r}."
    if config.precision not in PRECISIONS:
        yield f"Expected one of {', '.join(PRECISIONS)}, got the precision {config.precision!r}."


@dataclass(frozen=True)
class TrainingJob:
    """What is trained and how.

    Attributes:
        training: Steps, patches, loss, validation.
        network: Shape of the network; for a baseline, of the network that it is as large as.
        kind: `ciml`, or a baseline: `early-fusion`, `concatenation`, `primary-alone`.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        validation_cases: Cases kept for validation; a share of the patients by default.
        n_workers: Threads that make patches ahead; chosen by the number of cores if `None`.
        state_interval_s: Seconds after which the last state is written again.
    """

    training: TrainingConfig
    network: NetworkConfig
    kind: str = "ciml"
    device: str = "auto"
    validation_cases: tuple[str, ...] | None = None
    n_workers: int | None = None
    state_interval_s: float = 60.0


@dataclass(frozen=True)
class InferenceConfig:
    """Settings of segmentation; what the images need is the model's own.

    Attributes:
        device: `auto` (the first GPU, else the CPU), `cpu`, `cuda` or `cuda:<index>`.
        overlap: Share of a window's length that it has in common with the next, 0 to below 1.
        batch_size: Windows computed at a time, halved when memory runs out; `None` for as many as
            have `VOXELS_AT_A_TIME` together, at least 2 (PyTorch's convolutions of a single
            volume are slower per volume on CPUs) and at most 16.
        mirror: Whether to average over the mirror images along all axes (8 times the work).
        maps: Whether the result holds attention and information maps.
        gradcam: Whether it also holds Grad-CAM maps of the messages.
        n_samples: Samples of the messages for the uncertainty maps; 0 for no such maps.
        seed: Seed of the messages' noise.
    """

    device: str = "auto"
    overlap: float = 0.5
    batch_size: int | None = None
    mirror: bool = False
    maps: bool = False
    gradcam: bool = False
    n_samples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            UsageError: If anything is wrong.
        """
        if not 0 <= self.overlap < 1:
            msg = f"Expected an overlap of windows of 0 to below 1, got {self.overlap}."
            raise UsageError(msg)
        if self.batch_size is not None and self.batch_size < 1:
            msg = f"Expected at least one window at a time, got {self.batch_size}."
            raise UsageError(msg)
        if self.n_samples < 0 or self.n_samples == 1:
            msg = (
                f"Expected at least 2 samples for an uncertainty, got {self.n_samples}. Use 0 for"
                " none."
            )
            raise UsageError(msg)

    def windows_at_a_time(self, window: Sequence[int]) -> int:
        """Return how many windows of a size, in voxels per axis, are computed together."""
        if self.batch_size is not None:
            return self.batch_size
        return min(max(VOXELS_AT_A_TIME // prod(window), 2), 16)
