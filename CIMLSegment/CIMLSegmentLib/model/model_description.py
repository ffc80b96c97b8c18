"""What a model is: task, network, preprocessing, how it was made; JSON in and out. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import fmean
from typing import Any

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.results.case_roles import CaseRole
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import (
    modalities_from_json,
    modalities_to_json,
    task_from_json,
    task_to_json,
)
from MultimodalImagingLib.errors import ModelError, UsageError
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.json_entry import JsonEntry, config_from_json, config_to_json

FORMAT_VERSION = 1
WEIGHTS_NAME, DESCRIPTION_NAME = "model.safetensors", "model.json"
WEIGHTS_SHA256 = "weights_sha256"  # entry of `model.json`: checksum of the file of the weights

_PARTS = ("format_version", "model_id", "task", "network", "training", "preprocessing")
_LATER = (
    "label_values",
    "started_from",
    "seen_before",
    "evaluation",
)  # facts that most models have not
PACKAGES = ("numpy", "SimpleITK", "torch", "monai", "safetensors")


@dataclass(frozen=True)
class Intensities:
    """Prepared intensities of a modality inside the body, over all training cases, unitless.

    Attributes:
        mean: Mean of the cases' means.
        sd: Mean of the cases' standard deviations.
        low: Smallest 1st percentile of a case.
        high: Largest 99th percentile of a case.
    """

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class StartedFrom:
    """The model that a training began with.

    Attributes:
        name: Name of its folder.
        model_id: Name of its training.
        step: Optimizer step of its state.
    """

    name: str
    model_id: str
    step: int


@dataclass(frozen=True)
class EvaluatedCase:
    """How well a case of the evaluation set was segmented, on the working grid.

    Attributes:
        dice: Per region, by the BraTS rules for empty ones.
        hd95_mm: Per region, mm, by the same rules.
    """

    dice: Mapping[str, float]
    hd95_mm: Mapping[str, float]


@dataclass(frozen=True)
class ModelFacts:
    """How a model was made.

    Attributes:
        training_cases: Cases that it was trained on.
        validation_cases: Cases that chose among its states.
        intensities: Per modality.
        metrics: Validation figures, for example `{"dice": 0.8, "dice WT": 0.9}`; the cases chose
            the state, so these flatter.
        step: Optimizer step of this state.
        versions: Versions of the program and of what it computes with.
        label_values: What the user said about the values of the label maps; empty if nothing.
        started_from: The model that its training began with; `None` if all weights were new.
        seen_before: Cases that this model was trained or validated with, and those before it.
        evaluation: Cases of the evaluation set, which had no part in the training, when it ended.
    """

    training_cases: tuple[str, ...] = ()
    validation_cases: tuple[str, ...] = ()
    intensities: Mapping[str, Intensities] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    step: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    label_values: str = ""
    started_from: StartedFrom | None = None
    seen_before: tuple[str, ...] = ()
    evaluation: Mapping[str, EvaluatedCase] = field(default_factory=dict)

    @property
    def seen_cases(self) -> set[str]:
        """Cases that had a part in the weights; a figure on them says little about others."""
        return {*self.training_cases, *self.validation_cases, *self.seen_before}

    def role_of(self, case_id: str) -> CaseRole:
        """Return the part that a case had in the weights; whether it is set aside is not known."""
        parts = {
            CaseRole.TRAINING: self.training_cases,
            CaseRole.VALIDATION: self.validation_cases,
            CaseRole.BEFORE: self.seen_before,
        }
        return next((role for role, names in parts.items() if case_id in names), CaseRole.UNSEEN)

    @property
    def evaluation_dice(self) -> dict[str, float]:
        """Mean Dice over the evaluation set: of all regions as `dice`, and `dice <region>`."""
        regions = dict.fromkeys(name for case in self.evaluation.values() for name in case.dice)
        means = {
            region: fmean(c.dice[region] for c in self.evaluation.values() if region in c.dice)
            for region in regions
        }
        overall = {"dice": fmean(means.values())} if means else {}
        return overall | {f"dice {region}": mean for region, mean in means.items()}


@dataclass(frozen=True)
class ModelDescription:
    """Everything about a model but its weights.

    Attributes:
        task: What it segments.
        network: Shape of the network.
        training: How it was trained.
        preprocessing: How its images were prepared.
        facts: How it was made.
    """

    task: Task
    network: NetworkConfig
    training: TrainingConfig
    preprocessing: PreprocessingSpec
    facts: ModelFacts = field(default_factory=ModelFacts)

    def __post_init__(self) -> None:
        """Refuse parts that contradict each other.

        Raises:
            UsageError: If anything is wrong.
        """
        n_axes = self.network.spatial_dims
        if len(self.training.patch_size) != n_axes:
            msg = f"Expected a patch size of {n_axes} axes, got {self.training.patch_size}."
            raise UsageError(msg)
        if dict(self.preprocessing.kinds) != dict(self.task.modalities):
            msg = (
                f"Expected images prepared as {dict(self.task.modalities)}, got"
                f" {dict(self.preprocessing.kinds)}."
            )
            raise UsageError(msg)

    @property
    def model_id(self) -> str:
        """Name of the training: the same for all its states, another for other settings or cases.

        The same training on labels that were corrected has it again: `weights_sha256` tells those
        apart.
        """
        content = _content(self)
        for name in ("metrics", "step", "versions", "intensities", "evaluation"):
            content.pop(name, None)
        return json_checksum(content)[:16]


def description_to_json(description: ModelDescription) -> dict[str, Any]:
    """Return the JSON form; `description_from_json` restores an equal description."""
    return {**_content(description), "model_id": description.model_id}


def _content(description: ModelDescription) -> dict[str, Any]:
    facts = config_to_json(description.facts)
    for name in _LATER:  # models of earlier versions keep their form and name
        if not facts[name]:
            del facts[name]
    return {
        "format_version": FORMAT_VERSION,
        "task": task_to_json(description.task),
        "network": config_to_json(description.network),
        "training": config_to_json(description.training),
        "preprocessing": {
            "spacing_mm": list(description.preprocessing.spacing_mm),
            "modalities": modalities_to_json(description.preprocessing.kinds),
        },
        **facts,
    }


def description_from_json(data: object, *, where: str) -> ModelDescription:
    """Read a description.

    Args:
        data: Parsed JSON.
        where: How messages call it.

    Raises:
        ModelError: If it is of an unknown version, or anything in it is wrong.
    """
    entry = JsonEntry(data, where)
    version = entry.data.get("format_version")
    if version != FORMAT_VERSION:
        msg = (
            f"Expected a model of format version {FORMAT_VERSION} in {where}, got {version!r}. Use"
            " the version of CrossModal that wrote it, or train the model again."
        )
        raise ModelError(msg)
    of_facts = [f.name for f in fields(ModelFacts)]
    entry.check_keys([*_PARTS, *of_facts], optional=_LATER)
    part = entry.data
    facts = {name: part[name] for name in of_facts if name in part}
    try:
        return ModelDescription(
            task_from_json(part["task"]),
            config_from_json(NetworkConfig, part["network"], where=f"the network of {where}"),
            config_from_json(TrainingConfig, part["training"], where=f"the training of {where}"),
            _preprocessing(entry),
            config_from_json(ModelFacts, facts, where=where),
        )
    except (UsageError, ValueError) as error:
        msg = f"The description of the model in {where} cannot be used: {error}"
        raise ModelError(msg) from error


def _preprocessing(entry: JsonEntry) -> PreprocessingSpec:
    inner = JsonEntry(entry.data["preprocessing"], f"the preprocessing of {entry.where}")
    inner.check_keys(("spacing_mm", "modalities"), optional=())
    spacing = inner.listed("spacing_mm", float)
    return PreprocessingSpec(spacing, modalities_from_json(inner.items("modalities", "modality")))
