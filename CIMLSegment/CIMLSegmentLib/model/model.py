"""A trained model and its folder: `model.safetensors` and `model.json`, nothing that is executed.

Both files hold the whole description, so that a save that is interrupted between them leaves a
readable model: `model.json` names the checksum of the weights it belongs to; if the weights are
newer, of the same training and intact, the description inside them counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from CIMLSegmentLib.model.model_description import WEIGHTS_SHA256, ModelDescription, ModelFacts
from CIMLSegmentLib.model.model_files import read_model_files, write_model_files
from CIMLSegmentLib.network.network import CIMLNet, build_network
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import ModelError
from MultimodalImagingLib.jobs.texts import listed
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

_MOST_NAMED = 3
_FORMATS = (torch.float32, torch.float16)


@dataclass(frozen=True)
class TrainedModel:
    """A network with everything that is needed to use it.

    Attributes:
        network: The network, in evaluation mode.
        description: What it is and how it was made.
        weights_sha256: Checksum of the file that it was read from; empty if it was not.
    """

    network: CIMLNet
    description: ModelDescription
    weights_sha256: str = ""

    @property
    def task(self) -> Task:
        """What the network segments."""
        return self.description.task

    @property
    def preprocessing(self) -> PreprocessingSpec:
        """How its training images were prepared; segmentation does the same."""
        return self.description.preprocessing

    @property
    def facts(self) -> ModelFacts:
        """Training cases, metrics, intensities, versions."""
        return self.description.facts

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Voxels of a training patch, per axis `(K, J, I)`."""
        return self.description.training.patch_size

    @property
    def identity(self) -> Mapping[str, object]:
        """What results say about the model that made them."""
        return {
            "model_id": self.description.model_id,
            "step": self.facts.step,
            **({WEIGHTS_SHA256: self.weights_sha256} if self.weights_sha256 else {}),
            "task": self.task.name,
            "versions": dict(self.facts.versions),
            **({"label_values": self.facts.label_values} if self.facts.label_values else {}),
        }


def save_model(folder: Path, model: TrainedModel, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a model folder; whenever the process is killed, the folder holds a readable model.

    Args:
        folder: Created if it does not exist; an older model in it is replaced.
        model: The model.
        dtype: Number format of the weights in the file: float32, or float16 for half the size.

    Raises:
        CrossModalError: If the folder cannot be written.
    """
    weights = {
        name: values.detach().to("cpu", dtype).contiguous()
        for name, values in model.network.state_dict().items()
    }
    write_model_files(folder, weights, model.description)


def load_model(folder: Path) -> TrainedModel:
    """Read a model folder; nothing in it is executed. The network is float32, whatever the file.

    Raises:
        ModelError: If the folder holds no model, or one that is damaged, changed, of an unknown
            version, or comes with files that could execute code.
    """
    weights, description, checksum = read_model_files(folder)
    task, config = description.task, description.network
    with torch.device("meta"):  # shapes without memory: a wrong description costs nothing
        expected = CIMLNet(task, config).state_dict()
    problems = [*_shape_problems(expected, weights), *_value_problems(weights)]
    if problems:
        msg = (
            f"The weights in {folder} do not fit the network that its description asks for:"
            f" {listed(problems, most=_MOST_NAMED, separator='; ')}. Copy the model again from its"
            " source, or train it again."
        )
        raise ModelError(msg)
    network = build_network(task, config, seed=0)
    network.load_state_dict(weights)
    return TrainedModel(network.eval(), description, checksum)


def _shape_problems(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[str]:
    for name, values in expected.items():
        if name not in found:
            yield f"{name} is missing"
        elif found[name].shape != values.shape:
            yield f"{name} has shape {tuple(found[name].shape)} instead of {tuple(values.shape)}"
    for name in found:
        if name not in expected:
            yield f"{name} is not part of it"


def _value_problems(found: Mapping[str, Tensor]) -> Iterator[str]:
    for name, values in found.items():
        if values.dtype not in _FORMATS:
            yield f"{name} is {values.dtype} instead of torch.float32 or torch.float16"
        elif not bool(values.isfinite().all()):
            yield f"{name} has values that are not finite"
