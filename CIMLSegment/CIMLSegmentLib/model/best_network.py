"""The best network of a training on disk: a model folder, or the weights of a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import safetensors.torch

from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import ModelDescription
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.network import CIMLNet
from MultimodalImagingLib.record.atomic_files import write_bytes

STATE_FOLDER = "training"
BASELINE_NAME = "best.safetensors"


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
