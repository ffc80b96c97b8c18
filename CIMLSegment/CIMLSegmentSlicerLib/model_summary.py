"""What the panel has to know of a model folder. Must not import Slicer, Qt or torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from CIMLSegmentLib.json_entry import JsonEntry, read_json
from CIMLSegmentLib.task import Task
from CIMLSegmentLib.task_io import task_from_json
from MultimodalImagingLib.errors import ModelError

MODEL_FILE, WEIGHTS_FILE = "model.json", "model.safetensors"


@dataclass(frozen=True)
class ModelSummary:
    """A trained model as the panel shows it.

    Attributes:
        folder: The model folder.
        task: What it segments.
        spacing_mm: Voxels that images are resampled to, `(I, J, K)`; empty if the file has none.
        map_spacing_mm: Voxels of the finest messages, which is as fine as a map can be.
    """

    folder: Path
    task: Task
    spacing_mm: tuple[float, ...] = ()
    map_spacing_mm: tuple[float, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the model's order."""
        return tuple(self.task.modalities)


def read_model_summary(folder: Path) -> ModelSummary:
    """Read what a model is, without its weights.

    Raises:
        ModelError: If the folder holds no model.
    """
    absent = [name for name in (MODEL_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if absent:
        msg = (
            f"Expected a trained model in {folder}, but {' and '.join(absent)} are not there."
            " Choose the folder that training wrote."
        )
        raise ModelError(msg)
    entry = JsonEntry(read_json(folder / MODEL_FILE), f"the model {folder / MODEL_FILE}")
    if "task" not in entry.data:
        msg = f"The file {entry.where} names no task. Choose the folder that training wrote."
        raise ModelError(msg)
    spacing = _spacing(entry)
    return ModelSummary(
        folder, task_from_json(entry.data["task"]), spacing, _map_spacing(entry, spacing)
    )


def millimeters(spacing_mm: Sequence[float]) -> str:
    """Write a spacing, for example `8 x 8 x 12 mm`; empty if it is not known."""
    if not spacing_mm:
        return ""
    return " \N{MULTIPLICATION SIGN} ".join(f"{value:.3g}" for value in spacing_mm) + " mm"


def _spacing(entry: JsonEntry) -> tuple[float, ...]:
    preprocessing = entry.data.get("preprocessing")
    if not isinstance(preprocessing, dict):
        return ()
    values = preprocessing.get("spacing_mm")
    return tuple(map(float, values)) if isinstance(values, list) else ()


def _map_spacing(entry: JsonEntry, spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Spacing of the first level with messages; strides are `(K, J, I)`, spacings `(I, J, K)`."""
    network = entry.data.get("network")
    if not spacing or not isinstance(network, dict):
        return ()
    levels, strides = network.get("message_levels"), network.get("strides")
    if not levels or not strides:
        return ()
    steps = [prod(axis) for axis in zip(*strides[: min(levels) + 1], strict=True)]
    return tuple(step * value for step, value in zip(reversed(steps), spacing, strict=False))
