"""What the panel has to know of a model folder. Must not import Slicer, Qt or torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import ModelError
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json

if TYPE_CHECKING:
    from CIMLSegmentLib.config import NetworkConfig

MODEL_FILE, WEIGHTS_FILE, CHECKSUM = "model.json", "model.safetensors", "weights_sha256"


@dataclass(frozen=True)
class ModelSummary:
    """A trained model as the panel shows it.

    Attributes:
        folder: The model folder.
        task: What it segments.
        spacing_mm: Voxels that images are resampled to, `(I, J, K)`.
        map_spacing_mm: Voxels of the finest messages, which is as fine as a map can be.
        dice: Mean Dice of the validation cases, 0 to 1; `None` if it was not validated.
        n_validation_cases: Their number.
        evaluation_dice: Mean Dice of the evaluation set, 0 to 1; `None` if it was not tested.
        n_evaluation_cases: Their number.
        started_from: Name of the model that its training began with; empty if there is none.
    """

    folder: Path
    task: Task
    spacing_mm: tuple[float, ...] = ()
    map_spacing_mm: tuple[float, ...] = ()
    dice: float | None = None
    n_validation_cases: int = 0
    evaluation_dice: float | None = None
    n_evaluation_cases: int = 0
    started_from: str = ""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the model's order."""
        return tuple(self.task.modalities)


def read_model_summary(folder: Path) -> ModelSummary:
    """Read what a model is, without its weights.

    Raises:
        ModelError: If the folder holds no model.
    """
    from CIMLSegmentLib.model.model_description import description_from_json

    absent = [name for name in (MODEL_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if absent:
        msg = (
            f"Expected a trained model in {folder}, but {' and '.join(absent)} are not there."
            " Choose the folder that training wrote."
        )
        raise ModelError(msg)
    where = f"the file {folder / MODEL_FILE}"
    content = JsonEntry(read_json(folder / MODEL_FILE), where).data
    content.pop(CHECKSUM, None)  # of the weights, which are checked when they are used
    model = description_from_json(content, where=where)
    spacing = model.preprocessing.spacing_mm
    return ModelSummary(
        folder=folder,
        task=model.task,
        spacing_mm=spacing,
        map_spacing_mm=_map_spacing(model.network, spacing),
        dice=model.facts.metrics.get("dice"),
        n_validation_cases=len(model.facts.validation_cases),
        evaluation_dice=model.facts.evaluation_dice.get("dice"),
        n_evaluation_cases=len(model.facts.evaluation),
        started_from=model.facts.started_from.name if model.facts.started_from else "",
    )


def millimeters(spacing_mm: Sequence[float]) -> str:
    """Write a spacing, for example `8 x 8 x 12 mm`; empty if it is not known."""
    if not spacing_mm:
        return ""
    return " \N{MULTIPLICATION SIGN} ".join(f"{value:.3g}" for value in spacing_mm) + " mm"


def _map_spacing(
    network: NetworkConfig, spacing_mm: tuple[float, float, float]
) -> tuple[float, ...]:
    """Spacing of the first level with messages; strides are `(K, J, I)`, spacings `(I, J, K)`."""
    strides = network.strides[: min(network.message_levels) + 1]
    steps = [prod(axis) for axis in zip(*strides, strict=True)]
    return tuple(step * value for step, value in zip(reversed(steps), spacing_mm, strict=False))
