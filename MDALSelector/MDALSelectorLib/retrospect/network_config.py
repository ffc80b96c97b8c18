"""How the network learner trains; every chosen set of cases gets the same. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from MDALSelectorLib.estimation.config import require


@dataclass(frozen=True)
class NetworkConfig:
    """One small network, the same for every set of cases.

    Spacing, patches, widths, steps and rate were chosen within the training pool of one outer fold
    of sts51 (half of it trained, the other half was looked at), before any strategy was tried.

    Attributes:
        n_seeds: Trainings of every set that is chosen without chance, each with weights and
            patches of its own; random draws are trained once each.
        spacing_mm: Working spacing of the network, mm; scores are brought back to that of the run.
        n_steps: Steps of every training, however many cases it has.
        batch_size: Patches per step.
        patch_edge: Edge of a patch, voxels; a multiple of 4.
        target_share: Share of the patches that are centered in the target.
        channels: Features of the network per level; every level halves the resolution.
        learning_rate: Largest rate; it rises over a tenth of the steps and falls to zero.
        gain: Standard deviation of the log of each modality's random gain.
        offset: Standard deviation of each modality's random offset.
        at_once: Trainings at a time; `None` for one on a CPU and 16 elsewhere.
        device: torch device; `None` for a GPU if there is one, else the CPU.
    """

    n_seeds: int = 3
    spacing_mm: float = 6.0
    n_steps: int = 150
    batch_size: int = 6
    patch_edge: int = 16
    target_share: float = 0.5
    channels: tuple[int, ...] = (16, 32, 64)
    learning_rate: float = 3e-3
    gain: float = 0.1
    offset: float = 0.1
    at_once: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing can be trained."""
        require(self.n_seeds >= 1, "at least 1 seed", self.n_seeds)
        is_usable = 0.5 <= self.spacing_mm <= 50.0
        require(is_usable, "a spacing of the network between 0.5 and 50 mm", self.spacing_mm)
        require(self.n_steps >= 1, "at least 1 training step", self.n_steps)
        n_halvings = 2 ** (len(self.channels) - 1)
        fits = self.patch_edge >= n_halvings and self.patch_edge % n_halvings == 0
        require(fits, f"a patch edge that is a multiple of {n_halvings}", self.patch_edge)
        is_number = self.at_once is None or self.at_once >= 1
        require(is_number, "at least 1 training at a time", self.at_once or 0)
