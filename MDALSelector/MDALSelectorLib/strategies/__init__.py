"""Which cases to label next: one file per strategy or family, one interface, one registry.

Imports numpy at most; scikit-learn and scipy are loaded when a strategy runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from MDALSelectorLib.strategies.alps import ALPS
from MDALSelectorLib.strategies.base import Strategy, strategy_generator
from MDALSelectorLib.strategies.by_utility import MaxMD, MinMD, Score, VoxelNMI
from MDALSelectorLib.strategies.diverse_md import DiverseMD
from MDALSelectorLib.strategies.k_center import KCenter
from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    SCORE,
    VOXEL_NMI,
    Pick,
    Pool,
    Ranking,
)
from MDALSelectorLib.strategies.random_sampling import RandomSampling
from MDALSelectorLib.strategies.typi_clust import TypiClust
from MultimodalImagingLib.errors import UsageError

__all__ = [
    "DEFAULT_STRATEGY",
    "MODALITY_DIFFERENCE",
    "SCORE",
    "STRATEGIES",
    "VOXEL_NMI",
    "Pick",
    "Pool",
    "Ranking",
    "Strategy",
    "StrategyOptions",
    "make_strategy",
    "strategy_generator",
]

DEFAULT_STRATEGY = "DiverseMD"

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        DiverseMD,
        MaxMD,
        RandomSampling,
        ALPS,
        TypiClust,
        KCenter,
        VoxelNMI,
        MinMD,
        Score,
    )
}


@dataclass(frozen=True)
class StrategyOptions:
    """What a user may change about the strategies.

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many
            (strategies that rank by a utility).
        gate: Share of a group's most typical members that compete (DiverseMD).
        space: What cases are grouped by (DiverseMD): fused embeddings or standardized PMI per pair.
        score_direction: Which end of the user's score comes first (Score).
    """

    max_per_patient: int = 1
    gate: float = 0.5
    space: Literal["embedding", "pairs"] = "embedding"
    score_direction: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        """Refuse values that no strategy can use."""
        if self.max_per_patient < 1:
            msg = (
                f"Expected at least 1 case per patient, got {self.max_per_patient}. Give 1 or more."
            )
            raise UsageError(msg)
        if not 0.0 < self.gate <= 1.0:
            msg = f"Expected a gate above 0 and at most 1, got {self.gate}. The usual value is 0.5."
            raise UsageError(msg)


def make_strategy(name: str, options: StrategyOptions | None = None) -> Strategy:
    """Return a strategy by its name; upper and lower case do not matter.

    Raises:
        UsageError: If there is no strategy of that name.
    """
    chosen = options or StrategyOptions()
    known = {strategy.lower(): strategy for strategy in STRATEGIES}
    kind = STRATEGIES.get(known.get(name.lower(), ""))
    if kind is None:
        msg = f"There is no strategy '{name}'. Choose one of {', '.join(STRATEGIES)}."
        raise UsageError(msg)
    if kind is DiverseMD:
        return DiverseMD(gate=chosen.gate, space=chosen.space)
    if kind is Score:
        return Score(max_per_patient=chosen.max_per_patient, direction=chosen.score_direction)
    if kind in (MaxMD, MinMD, VoxelNMI, RandomSampling):
        return kind(max_per_patient=chosen.max_per_patient)
    return kind()
