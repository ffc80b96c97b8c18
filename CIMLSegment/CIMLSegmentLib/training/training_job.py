"""What a training is asked for and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.model.training_config import TrainingConfig
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.config import NetworkConfig
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.training.patient_split import Split


@dataclass(frozen=True)
class TrainingJob:
    """What is trained and how.

    Attributes:
        training: Steps, patches, loss, validation.
        network: Shape of the network; for a baseline, of the network that it is as large as.
        kind: `ciml`, or a baseline: `early-fusion`, `concatenation`, `primary-alone`.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        validation_cases: Cases kept for validation; a share of the patients by default.
        n_workers: Threads that make patches ahead; chosen by the number of cores if `None`.
        state_interval_s: Seconds after which the last state is written again.
    """

    training: TrainingConfig
    network: NetworkConfig
    kind: str = "ciml"
    device: str = "auto"
    validation_cases: tuple[str, ...] | None = None
    n_workers: int | None = None
    state_interval_s: float = 60.0


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes:
        folder: The model folder.
        network: The best network, on the CPU; that of the last step if there was no validation.
        step: Steps that were made.
        best_step: Step of the best network.
        metrics: Its validation figures: `dice`, `dice <region>`, `hd95_mm <region>`.
        split: Cases for training and validation.
        stopped_early: Whether it ended because validation no longer got better.
    """

    folder: Path
    network: CIMLNet | Baseline
    step: int
    best_step: int
    metrics: Mapping[str, float]
    split: Split
    stopped_early: bool
