"""Small labeled cases on disk for tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.model.model_description import Intensities
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.training_case import TrainingCase, write_training_case
from CIMLSegmentLib.training.training_cases import TrainingSet
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

PET_CT = load_task("pet-ct")
SPEC = PreprocessingSpec((2.0, 2.0, 3.0), {"PET": "PET", "CT": "CT"})
TINY = NetworkConfig(
    features=(4, 6),
    strides=((1, 1, 1), (2, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 2,
    message_levels=(1,),
    message_channels=2,
    gate_channels=3,
)
QUICK = TrainingConfig(
    patch_size=(8, 8, 8),
    n_steps=6,
    warmup_steps=2,
    validation_interval=3,
    augmentation=0.5,
)


def bright_ball(
    folder: Path,
    number: int,
    *,
    modalities: tuple[str, ...] = ("PET", "CT"),
    shape: tuple[int, int, int] = (12, 14, 16),
    task: Task = PET_CT,
) -> TrainingCase:
    """Write a case with a ball that PET shows brightly and CT a little; number is its place."""
    generator = np.random.default_rng(number)
    center = [generator.integers(3, n - 3) for n in shape]
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    distance = np.sqrt(sum((p - c) ** 2 for p, c in zip(places, center, strict=True)))
    mask = distance <= 2.5
    images = {
        name: (generator.normal(0, 0.3, shape) + mask * strength).astype(np.float32)
        for name, strength in (("PET", 2.0), ("CT", 0.7))
        if name in modalities
    }
    name = task.region_names[0]
    case = TrainingCase(
        case_id=f"case {number}",
        patient_id=f"patient {number // 2}",
        modalities=modalities,
        shape=shape,
        spacing_mm=(3.0, 2.0, 2.0),
        regions={name: int(mask.sum())},
        intensities={m: Intensities(0.0, 1.0, -1.0, 2.0) for m in modalities},
        warnings=(),
        path=folder / f"case-{number}.safetensors",
    )
    write_training_case(case, images, {name: mask}, key="k")
    return case


def bright_balls(folder: Path, n_cases: int) -> TrainingSet:
    """Write cases, two per patient."""
    return TrainingSet(tuple(bright_ball(folder, n) for n in range(n_cases)), SPEC)
