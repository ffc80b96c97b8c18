"""The state of a training on disk: the last one, so that it can go on, and the best network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import ModelDescription
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.network import CIMLNet
from MultimodalImagingLib.errors import ModelError, UsageError
from MultimodalImagingLib.record.atomic_files import write_bytes
from MultimodalImagingLib.record.tensor_file import TensorFileError, read_tensors, write_tensors

STATE_NAME = "state.safetensors"
STATE_FOLDER = "training"
BASELINE_NAME = "best.safetensors"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        step: Finished optimizer steps.
        best_dice: Best mean validation Dice so far; below 0 before the first validation.
        best_step: Its step.
        best_metrics: All validation figures of that step.
        n_worse: Validations since then.
        scaler: State of the gradient scaler.
    """

    step: int = 0
    best_dice: float = -1.0
    best_step: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    n_worse: int = 0
    scaler: dict[str, float] = field(default_factory=dict)


def write_state(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    *,
    training_id: str,
) -> None:
    """Write weights, optimizer and progress atomically as one file.

    Args:
        folder: Receives the file.
        network: The network.
        optimizer: Its optimizer.
        progress: How far it is.
        training_id: Stands for task, settings and cases.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    tensors = {f"network.{name}": values for name, values in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    plain = {name: values.detach().cpu().numpy() for name, values in tensors.items()}
    header = {"training_id": training_id, **asdict(progress)}
    write_tensors(folder / STATE_NAME, plain, header)


def read_state(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, *, training_id: str
) -> Progress:
    """Read a state into a network and its optimizer.

    Raises:
        ModelError: If the file is damaged.
        UsageError: If it belongs to another training.
    """
    path = folder / STATE_NAME
    header, tensors = _contents(path)
    if header.pop("training_id", None) != training_id:
        msg = (
            f"The training in {folder.parent} was started with another task, other settings, other"
            " cases or another model (--from), so it cannot resume with these. Use the old ones, or"
            " another folder."
        )
        raise UsageError(msg)
    weights: dict[str, Tensor] = {}
    state: dict[int, dict[str, Tensor]] = {}
    for name, values in tensors.items():
        part, _, rest = name.partition(".")
        if part == "network":
            weights[rest] = values
        else:
            index, _, key = rest.partition(".")
            state.setdefault(int(index), {})[key] = values
    network.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    known = {entry.name for entry in fields(Progress)}
    return Progress(**{name: value for name, value in header.items() if name in known})


def _contents(path: Path) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    try:
        header, tensors = read_tensors(path)
    except TensorFileError as error:
        msg = (
            f"The state of the training in {path} cannot be read: {error}. Start the training anew"
            " in another folder; the best model so far stays in this one."
        )
        raise ModelError(msg) from error
    return header, {name: torch.from_numpy(values) for name, values in tensors.items()}


def keep_best(
    folder: Path,
    network: CIMLNet | Baseline,
    description: ModelDescription,
    *,
    step: int,
    metrics: Mapping[str, float],
) -> None:
    """Write a network as the best one so far.

    Args:
        folder: The model folder.
        network: The network, on any device.
        description: Description of the model; step and metrics are set here.
        step: Its step.
        metrics: Its validation figures.

    Raises:
        CrossModalError: If it cannot be written.
    """
    if isinstance(network, CIMLNet):
        facts = replace(description.facts, metrics=dict(metrics), step=step)
        save_model(folder, TrainedModel(network, replace(description, facts=facts)))
        return
    weights = {name: v.detach().cpu().contiguous() for name, v in network.state_dict().items()}
    write_bytes(folder / STATE_FOLDER / BASELINE_NAME, safetensors.torch.save(weights))


def read_best(folder: Path, network: CIMLNet | Baseline) -> CIMLNet | Baseline:
    """Return the best network on the CPU; `network` tells what it is, and may be used for it."""
    if isinstance(network, CIMLNet):
        return load_model(folder).network
    best = safetensors.torch.load_file(folder / STATE_FOLDER / BASELINE_NAME)
    network.cpu().load_state_dict(best)
    network.eval()
    return network
