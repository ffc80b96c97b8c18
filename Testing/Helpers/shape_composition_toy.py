"""A toy in the spirit of ShapeComposition: it is known what each modality adds.

Three shapes that do not overlap. Modality A shows circle and square, B shows square and triangle;
every sub-task wants all three. For A the square of B is redundant and its triangle complementary;
for B, A's square is redundant and its circle complementary. Image size, radii, contrast and noise
are this project's; the paper's own verification task is not public to us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, build_network
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import task_from_json
from CIMLSegmentLib.training.losses import CIMLLoss

SHAPES = ("circle", "square", "triangle")
SHOWN = {
    "A": ("circle", "square"),
    "B": ("square", "triangle"),
    "C": ("circle",),
    "noise": (),
}
NOISE_SIGMA = 0.15
BOTH_WAYS = {"A": ("B",), "B": ("A",)}


@dataclass(frozen=True)
class Toy:
    """Sizes of a toy experiment; the defaults are those of the full-size one.

    Attributes:
        size: Pixels along each side of an image.
        smallest: Smallest half-size of a shape, pixels.
        largest: Largest half-size of a shape, pixels.
        features: Channels per level.
        batch: Images per step.
        steps: Training steps.
        peak: Largest learning rate.
        network: Changes of the network's configuration.
    """

    size: int = 64
    smallest: int = 6
    largest: int = 9
    features: tuple[int, ...] = (12, 24, 48)
    batch: int = 16
    steps: int = 300
    peak: float = 4e-3
    network: Mapping[str, object] = field(default_factory=dict)

    def network_config(self) -> NetworkConfig:
        """Return the configuration of the network: a gate at each level, Cz = 4."""
        n_levels = len(self.features)
        settings = {
            "spatial_dims": 2,
            "features": self.features,
            "strides": ((1, 1), *(((2, 2),) * (n_levels - 1))),
            "kernel_sizes": ((3, 3),) * n_levels,
            "message_levels": tuple(range(n_levels)),
            "message_channels": 4,
            "gate_channels": 12,
        }
        return NetworkConfig(**{**settings, **self.network})


@dataclass(frozen=True)
class Samples:
    """Images and what is on them.

    Attributes:
        images: `(N, M, size, size)`, modalities in the order of the task.
        masks: Masks of circle, square and triangle, bool `(N, 3, size, size)`.
    """

    images: torch.Tensor
    masks: torch.Tensor

    @property
    def target(self) -> torch.Tensor:
        """Union of the shapes, bool `(N, 1, size, size)`."""
        return self.masks.any(dim=1, keepdim=True)


def toy_task(auxiliaries_of: Mapping[str, tuple[str, ...]]) -> Task:
    """Return the task with one sub-task per primary; each wants the union of the shapes."""
    names = [*auxiliaries_of, *(a for others in auxiliaries_of.values() for a in others)]
    terminology = {"category": "SCT^49755003^Altered Structure", "type": "SCT^4147007^Mass"}
    region = {"name": "shapes", "labels": [1], "color": [200, 0, 0], "terminology": terminology}
    subtasks = [
        {"name": primary, "primary": primary, "auxiliaries": list(others), "regions": ["shapes"]}
        for primary, others in auxiliaries_of.items()
    ]
    return task_from_json(
        {
            "name": "shapes",
            "modalities": dict.fromkeys(names, "OTHER"),
            "labels": {"shape": 1},
            "regions": [region],
            "subtasks": subtasks,
        }
    )


def draw_masks(toy: Toy, n_images: int, generator: np.random.Generator) -> np.ndarray:
    """Draw masks of circle, square and triangle, bool `(n_images, 3, size, size)`."""
    rows, columns = np.mgrid[: toy.size, : toy.size]
    masks = np.zeros((n_images, 3, toy.size, toy.size), dtype=bool)
    for image in masks:
        for number, (row, column, radius) in enumerate(_places(toy, generator)):
            image[number] = _inside(SHAPES[number], rows - row, columns - column, radius)
    return masks


def draw_samples(
    toy: Toy,
    task: Task,
    n_images: int,
    generator: np.random.Generator,
    *,
    erased: tuple[str, str] | None = None,
) -> Samples:
    """Draw images; `erased` is a (modality, shape) that is left out of that modality's images."""
    masks = draw_masks(toy, n_images, generator)
    noise = generator.normal(0, NOISE_SIGMA, (n_images, len(task.modalities), toy.size, toy.size))
    images = noise.astype(np.float32)
    for channel, modality in enumerate(task.modalities):
        shown = [s for s in SHOWN[modality] if (modality, s) != erased]
        images[:, channel] += masks[:, [SHAPES.index(shape) for shape in shown]].any(axis=1)
    return Samples(torch.from_numpy(images), torch.from_numpy(masks))


def train_toy(toy: Toy, task: Task, *, beta: float, seed: int = 0, warmup: float = 0.0) -> CIMLNet:
    """Train a network on fresh images at each step."""
    data = np.random.default_rng([seed, 1])
    noise = torch.Generator().manual_seed(seed)
    network = build_network(task, toy.network_config(), seed=seed)
    loss = CIMLLoss(task, TrainingConfig(beta=beta, beta_warmup=warmup, n_steps=toy.steps))
    optimizer = torch.optim.Adam(network.parameters(), lr=toy.peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, toy.peak, total_steps=toy.steps)
    for step in range(toy.steps):
        samples = draw_samples(toy, task, toy.batch, data)
        output = network(samples.images, generator=noise)
        optimizer.zero_grad()
        loss(output, samples.target, step=step).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def run_toy(network: CIMLNet, samples: Samples, *, with_messages: bool = True) -> CIMLOutput:
    """Segment samples with messages at their mean, or with all messages replaced by 0."""
    shape = samples.images.shape[:2]
    return network(samples.images, present=torch.full(shape, with_messages))


def dice(output: CIMLOutput, samples: Samples, subtask: str) -> float:
    """Return the mean Dice of a sub-task over the samples."""
    predicted = output.logits[subtask] > 0
    overlap = (predicted & samples.target).flatten(1).sum(dim=1)
    total = predicted.flatten(1).sum(dim=1) + samples.target.flatten(1).sum(dim=1)
    return float((2 * overlap / total).mean())


def recall(output: CIMLOutput, samples: Samples, subtask: str, shape: str) -> float:
    """Return the part of a shape's pixels that a sub-task finds."""
    mask = samples.masks[:, SHAPES.index(shape)]
    return float((output.logits[subtask][:, 0] > 0)[mask].float().mean())


def kl_map(output: CIMLOutput, size: int, *, subtask: str, auxiliary: str) -> torch.Tensor:
    """Return nats per input pixel `(N, size, size)`, summed over levels."""
    total = torch.zeros(())
    for key, kl in output.kl.items():
        if (key.subtask, key.auxiliary) == (subtask, auxiliary):
            factor = size // kl.shape[-1]
            spread = kl.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
            total = total + spread / factor**2
    return total


def mean_on_shape(values: torch.Tensor, samples: Samples, shape: str) -> float:
    """Return the mean of maps `(N, size, size)` over the pixels of a shape."""
    return float(values[samples.masks[:, SHAPES.index(shape)]].mean())


def near_shape(samples: Samples, shape: str, *, n_pixels: int) -> torch.Tensor:
    """Return masks `(N, size, size)` of a shape and of what lies a few pixels around it."""
    mask = samples.masks[:, SHAPES.index(shape)].float()[:, None]
    size = 2 * n_pixels + 1
    return torch.nn.functional.max_pool2d(mask, size, stride=1, padding=n_pixels)[:, 0] > 0


def _places(toy: Toy, generator: np.random.Generator) -> list[tuple[int, int, int]]:
    while True:
        places: list[tuple[int, int, int]] = []
        for _ in SHAPES:
            radius = int(generator.integers(toy.smallest, toy.largest + 1))
            row, column = generator.integers(radius + 1, toy.size - 1 - radius, size=2)
            if all(_are_apart((row, column, radius), other) for other in places):
                places.append((int(row), int(column), radius))
        if len(places) == len(SHAPES):
            return places


def _are_apart(first: tuple[int, int, int], second: tuple[int, int, int]) -> bool:
    distance = (first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2
    return bool(distance > 1.5 * (first[2] + second[2] + 3) ** 2)


def _inside(shape: str, dy: np.ndarray, dx: np.ndarray, radius: int) -> np.ndarray:
    if shape == "circle":
        return dy**2 + dx**2 <= radius**2
    if shape == "square":
        return (abs(dy) <= radius) & (abs(dx) <= radius)
    return (abs(dy) <= radius) & (abs(dx) <= (dy + radius) / 2)
