"""Ready-made models and results for tests of the CIMLSegment panel; no torch is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.model.model_description import ModelDescription, description_to_json
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_result import (
    Contribution,
    ResultMap,
    SegmentationResult,
    contributions,
    influences,
)
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

BODY, LESION = (5.0, -11.0, 40.0), (15.0, -3.0, 36.0)
IDENTITY = tuple(np.eye(3).ravel().tolist())


def grid(
    size: tuple[int, int, int] = (30, 34, 26),
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    direction: np.ndarray | None = None,
) -> Grid:
    """A grid whose middle is the middle of the body."""
    matrix = np.eye(3) if direction is None else direction
    origin = np.array(BODY) - matrix @ (np.array(spacing) * (np.array(size) - 1) / 2)
    return Grid(size, spacing, tuple(origin.tolist()), tuple(matrix.ravel().tolist()))


def oblique(degrees: float = 20.0) -> np.ndarray:
    """Directions turned about the long axis of the body."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def ball(on: Grid, center: tuple[float, float, float], radius: float) -> np.ndarray:
    """Membership 0 to 1 of a ball in LPS mm with a soft rim."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in on.array_shape), indexing="ij")
    index = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    position = (index @ on.index_to_lps.T)[..., :3]
    distance = np.linalg.norm(position - np.array(center), axis=-1)
    return np.clip((radius - distance) / 2 + 0.5, 0, 1)


def image(modality: str, on: Grid) -> Volume:
    """A phantom: a body with a lesion, as a modality shows it."""
    body, lesion = ball(on, BODY, 24), ball(on, LESION, 9)
    noise = np.random.default_rng(7).normal(0, 1, size=on.array_shape)
    values = {
        "PET": 0.02 + 0.98 * body + 5 * lesion + 0.05 * noise,
        "CT": -1000 + 1040 * body + 15 * lesion + 12 * noise,
        "T1": body * (300 + 80 * lesion + 20 * noise),
    }.get(modality, body * (200 + 120 * lesion + 20 * noise))
    return Volume(values.astype(np.float32), on)


def describe_model(
    task_name: str = "pet-ct-mr", patch_size: tuple[int, ...] = (16, 16, 16)
) -> ModelDescription:
    """A small network on 2 mm voxels whose messages begin at 4 mm."""
    task = load_task(task_name)
    network = NetworkConfig(
        features=(4, 6, 8),
        strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
        kernel_sizes=((3, 3, 3),) * 3,
        message_levels=(1, 2),
        message_channels=2,
        gate_channels=3,
    )
    spec = PreprocessingSpec((2.0, 2.0, 2.0), dict(task.modalities))
    return ModelDescription(task, network, TrainingConfig(patch_size=patch_size), spec)


def write_model_json(
    folder: Path, task_name: str = "pet-ct-mr", *, description: ModelDescription | None = None
) -> Path:
    """Write what the panel reads of a model; its weights are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    content = description_to_json(description or describe_model(task_name))
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def write_model(
    folder: Path, task_name: str = "pet-ct-mr", *, patch_size: tuple[int, ...] = (16, 16, 16)
) -> Path:
    """Write a whole model with random weights that decide; needs torch."""
    import torch

    from CIMLSegmentLib.model.model import TrainedModel, save_model
    from CIMLSegmentLib.network.network import build_network

    description = describe_model(task_name, patch_size)
    network = build_network(description.task, description.network, seed=3)
    with torch.no_grad():  # an untrained network is near 0 everywhere
        for head in network.decoders:
            for parameter in head.heads.parameters():
                parameter.mul_(20)
    save_model(folder, TrainedModel(network, description))
    return folder


def make_result(
    on: Grid,
    task: Task,
    *,
    case: str = "case",
    is_empty: bool = False,
    with_influence: bool = False,
):
    """A result with all kinds of maps on a grid of the first primary; values are made up."""
    lesion = ball(on, LESION, 9)
    labels = np.zeros(on.array_shape, dtype=np.uint8)
    if not is_empty:
        for shrink, region in enumerate(task.regions):
            labels[ball(on, LESION, 9 - 2.5 * shrink) > 0.5] = region.value
    maps, information = [], {}
    for number, (subtask, auxiliary) in enumerate(task.pairs(), start=1):
        values = (ball(on, LESION, 6 + 3 * number) * (0.5 + number)).astype(np.float32)
        information[subtask.name, auxiliary] = Volume(values, on)
        pair = (subtask.primary, auxiliary)
        maps.append(ResultMap(MapKey("information", *pair), Volume(values, on)))
        for kind in ("attention", "gradcam"):
            shown = np.clip(values / (1.0 + number), 0, 1).astype(np.float32)
            keys = [MapKey(kind, *pair, name) for name in subtask.regions]
            maps += [ResultMap(key, Volume(shown, on)) for key in keys]
    doubt = (4 * lesion * (1 - lesion) * np.log(2)).astype(np.float32)
    maps += [
        ResultMap(MapKey("uncertainty", region=region.name), Volume(doubt, on))
        for region in task.regions
    ]
    changes: dict[MapKey, Volume] = {}
    for number, (subtask, auxiliary) in enumerate(task.pairs() if with_influence else ()):
        signed = (0.6 * ball(on, LESION, 7) - 0.3 * ball(on, LESION, 4 + number)).astype(np.float32)
        for name in subtask.regions:
            key = MapKey("influence", subtask.primary, auxiliary, name)
            changes[key] = Volume((-1) ** number * signed, on)
    maps += [ResultMap(key, volume) for key, volume in changes.items()]
    label_map = Volume(labels, on)
    return SegmentationResult(
        case_id=case,
        task=task,
        primary=task.subtasks[0].primary,
        label_map=label_map,
        contributions=contributions(region_masks(labels, task), information, task),
        influences=influences(changes, {key: n for n, key in enumerate(changes, start=1)}),
        maps=tuple(maps),
        timings_s={"network": 1.0},
        model={"name": "made up"},
    )


def write_example(folder: Path, on: Grid, *, task_name: str = "pet-ct-mr", **options) -> Path:
    """Write a result folder and return it."""
    return write_result(make_result(on, load_task(task_name), **options), folder)


def expected_shares(on: Grid, task: Task) -> dict[tuple[str, str], float]:
    """Share per region and auxiliary, computed anew from the arrays."""
    result = make_result(on, task)
    masks = region_masks(result.label_map.array, task)
    nats: dict[tuple[str, str], float] = {}
    for item in result.maps:
        if item.key.kind == "information":
            for region, mask in masks.items():
                nats[region, item.key.auxiliary] = float(item.volume.array[mask].sum())
    totals = {region: sum(v for (r, _), v in nats.items() if r == region) for region in masks}
    return {key: value / totals[key[0]] for key, value in nats.items()}


__all__ = [
    "BODY",
    "LESION",
    "Contribution",
    "describe_model",
    "expected_shares",
    "grid",
    "image",
    "make_result",
    "oblique",
    "write_example",
    "write_model",
    "write_model_json",
]
