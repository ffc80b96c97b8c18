"""Settings of a training, which a model remembers: frozen and checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod

from MultimodalImagingLib.record.json_entry import raise_first

OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_LARGEST_PATCH = 320**3  # voxels; what nobody trains with, and a damaged description may claim


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
