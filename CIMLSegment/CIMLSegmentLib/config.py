"""All settings: of the network, of a training, of a segmentation; frozen, checked. No torch.

A setting is one field: its range, its default, and its option of the command line if it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path
from typing import Annotated

from CIMLSegmentLib.settings import Must, Option, check_settings

KINDS = ("ciml", "early-fusion", "concatenation", "primary-alone")
GATES = ("spatial", "dot-product")
FUSIONS = ("concat", "sum")
OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
VOXELS_AT_A_TIME = 4 * 96**3
N_SAMPLES = 10
_LARGEST_WIDTH = 4096
# Sides of cubes that patches have as many voxels as: below the first, patches hold too little for
# two levels; the second is usual; beyond the third nobody trains, but a damaged file may claim it.
SMALLEST_SIDE, LARGEST_PATCH, MOST_SIDE = 16, 96, 320
_LARGEST_PATCH = MOST_SIDE**3  # voxels


def _one_of(what: str, choices: Sequence[str]) -> Must:
    return Must(f"{what} to be one of {', '.join(choices)}", lambda value: value in choices)


_ABOVE_0 = Must("{name} above 0", lambda value: 0 < value < inf)
_AT_LEAST_0 = Must("{name} of at least 0", lambda value: 0 <= value < inf)
_SHARE = Must("{name} within 0 to 1", lambda value: 0 <= value <= 1)
_WIDTH = Must(f"{{name}} of 1 to {_LARGEST_WIDTH}", lambda value: 0 < value <= _LARGEST_WIDTH)
_STEPS = Must("{name} of 1 to 7", lambda rows: all(1 <= n <= 7 for row in rows for n in row))
_ODD = Must("odd kernel sizes", lambda rows: all(n % 2 for row in rows for n in row))
_FEATURES = Must(
    f"at least two levels of 1 to {_LARGEST_WIDTH} features",
    lambda widths: len(widths) > 1 and all(0 < width <= _LARGEST_WIDTH for width in widths),
)
_PATCH = Must(
    "a patch size of 2 or 3 positive numbers", lambda size: len(size) in {2, 3} and min(size) > 0
)
_SMALL = Must(
    f"a patch of at most {_LARGEST_PATCH} voxels", lambda size: prod(size) <= _LARGEST_PATCH
)
_Rows = tuple[tuple[int, ...], ...]


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

    spatial_dims: Annotated[int, Must("2 or 3 spatial dimensions", lambda n: n in {2, 3})] = 3
    features: Annotated[tuple[int, ...], _FEATURES] = (8, 16, 32, 64, 128)
    strides: Annotated[_Rows, _STEPS] = ((1, 1, 1), *(((2, 2, 2),) * 4))
    kernel_sizes: Annotated[_Rows, _STEPS, _ODD] = ((3, 3, 3),) * 5
    message_levels: Annotated[tuple[int, ...], Must("at least one message level", bool)] = (2, 3, 4)
    message_channels: Annotated[int, _WIDTH] = 8
    gate_channels: Annotated[int, _WIDTH] = 16
    gate: Annotated[str, _one_of("the gate", GATES)] = "spatial"
    fusion: Annotated[str, _one_of("the fusion", FUSIONS)] = "concat"
    deep_supervision: bool = False

    def __post_init__(self) -> None:
        """Refuse a shape that cannot be built.

        Raises:
            UsageError: If anything is wrong.
        """
        check_settings(self, self._relations())

    @property
    def n_levels(self) -> int:
        """Number of resolutions."""
        return len(self.features)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Down-sampling of the deepest level, per axis; inputs are multiples of it."""
        return tuple(prod(steps) for steps in zip(*self.strides, strict=True))

    def _relations(self) -> Iterator[str]:
        for name in ("strides", "kernel_sizes"):
            rows: _Rows = getattr(self, name)
            if [len(row) for row in rows] != [self.spatial_dims] * self.n_levels:
                yield (
                    f"Expected {name} of {self.n_levels} levels and {self.spatial_dims} axes,"
                    f" got {rows}."
                )
        if any(step != 1 for step in self.strides[0]):
            yield f"Expected stride 1 in front of the first level, got {self.strides[0]}."
        levels = self.message_levels
        if list(levels) != sorted({level for level in levels if 0 <= level < self.n_levels}):
            yield (
                f"Expected message levels in ascending order within 0 to {self.n_levels - 1},"
                f" got {levels}."
            )


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

    patch_size: Annotated[tuple[int, ...], _PATCH, _SMALL] = (96, 96, 96)
    batch_size: Annotated[int, _ABOVE_0, Option("--batch-size", "patches")] = 2
    accumulation: Annotated[int, _ABOVE_0] = 1
    n_steps: Annotated[int, _ABOVE_0, Option("--steps", "most training steps")] = 5000
    learning_rate: Annotated[float, _ABOVE_0] = 2e-3
    warmup_steps: Annotated[int, _AT_LEAST_0] = 100
    optimizer: Annotated[str, _one_of("the optimizer", OPTIMIZERS)] = "adamw"
    weight_decay: Annotated[float, _AT_LEAST_0] = 1e-4
    gradient_clip: Annotated[float, _ABOVE_0] = 12.0
    beta: Annotated[float, _AT_LEAST_0, Option("--beta", "weight of the information, per nat")] = (
        0.01
    )
    beta_warmup: Annotated[float, _SHARE] = 0.3
    dice: bool = True
    foreground_share: Annotated[float, _SHARE] = 0.67
    absence: Annotated[float, _SHARE] = 0.2
    augmentation: Annotated[float, _SHARE] = 1.0
    validation_share: Annotated[float, _SHARE] = 0.2
    validation_interval: Annotated[int, _ABOVE_0, Option("--validate-every", metavar="STEPS")] = 250
    patience: Annotated[int, _ABOVE_0] = 10
    precision: Annotated[str, _one_of("the precision", PRECISIONS)] = "auto"
    seed: Annotated[int, _AT_LEAST_0, Option("--seed", "default 0")] = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            UsageError: If anything is wrong.
        """
        check_settings(self, self._relations())

    def _relations(self) -> Iterator[str]:
        if self.batch_size % self.accumulation:
            yield (
                f"Expected a batch size that is a multiple of accumulation, got {self.batch_size}"
                f" and {self.accumulation}."
            )


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
        start: Folder of the model whose weights the training begins with; `None` for new ones.
    """

    training: TrainingConfig
    network: NetworkConfig
    kind: str = "ciml"
    device: str = "auto"
    validation_cases: tuple[str, ...] | None = None
    n_workers: int | None = None
    state_interval_s: float = 60.0
    start: Path | None = None


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
        no_influence: Whether to leave out the contributions to the prediction (Shapley values),
            which are else computed with the maps: less time, and no influence maps.
        gradcam: Whether it also holds Grad-CAM maps of the messages.
        probabilities: Whether it also holds the probability of every region.
        n_samples: Samples of the messages for the uncertainty maps; 0 for no such maps.
        seed: Seed of the messages' noise.
    """

    device: Annotated[str, Option("--device", "auto (default), cpu, cuda or cuda:1")] = "auto"
    overlap: Annotated[
        float,
        Must("an overlap of windows of 0 to below 1", lambda share: 0 <= share < 1),
        Option("--overlap", "share of a window that the next one repeats (default %(default)s)"),
    ] = 0.5
    batch_size: Annotated[
        int | None,
        Must("at least one window at a time", lambda n: n is None or n > 0),
        Option(
            "--batch-size",
            "windows at a time; by default as many as are quick and fit the memory",
            "WINDOWS",
        ),
    ] = None
    mirror: Annotated[bool, Option("--mirror", "average over mirror images: 8 times the work")] = (
        False
    )
    maps: Annotated[
        bool, Option("--attention", "write influence, attention and information maps")
    ] = False
    no_influence: Annotated[
        bool,
        Option(
            "--no-influence",
            "with --attention: do not compute what each message changed in the prediction",
        ),
    ] = False
    gradcam: Annotated[bool, Option("--gradcam", "write Grad-CAM maps of the messages")] = False
    probabilities: Annotated[
        bool, Option("--probabilities", "write the probability of every region, per voxel")
    ] = False
    n_samples: Annotated[
        int,
        Must("at least 2 samples for an uncertainty", lambda n: n == 0 or n > 1, "Use 0 for none."),
        Option(
            "--uncertainty",
            f"write the predictive entropy over sampled messages (default {N_SAMPLES} samples)",
            "SAMPLES",
            N_SAMPLES,
        ),
    ] = 0
    seed: Annotated[int, Option("--seed", "same seed, same files (default 0)")] = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            UsageError: If anything is wrong.
        """
        check_settings(self)

    @property
    def wants_influence(self) -> bool:
        """Whether contributions to the prediction are computed."""
        return self.maps and not self.no_influence

    def windows_at_a_time(self, window: Sequence[int]) -> int:
        """Return how many windows of a size, in voxels per axis, are computed together."""
        if self.batch_size is not None:
            return self.batch_size
        return min(max(VOXELS_AT_A_TIME // prod(window), 2), 16)
