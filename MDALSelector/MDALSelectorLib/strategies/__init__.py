"""Which cases to label next: one file per strategy or family, one interface, one registry.

Loads neither scikit-learn nor scipy before a strategy runs.
"""

from __future__ import annotations

from MDALSelectorLib.strategies.base import Strategy, StrategyOptions, strategy_generator
from MDALSelectorLib.strategies.baselines import ALPS, KCenter, RandomSampling, TypiClust
from MDALSelectorLib.strategies.by_utility import MaxMD, MinMD, Score, VoxelNMI
from MDALSelectorLib.strategies.cscs import CSCS, CSCSMinMD
from MDALSelectorLib.strategies.diverse_md import DiverseMD, DiverseMinMD
from MDALSelectorLib.strategies.epistemic import Epistemic, EpistemicMD
from MDALSelectorLib.strategies.pool import (
    EPISTEMIC,
    MODALITY_DIFFERENCE,
    SCORE,
    VOXEL_NMI,
    Pick,
    Pool,
    Ranking,
)
from MDALSelectorLib.strategies.prob_cover import ProbCover
from MDALSelectorLib.strategies.stratified_random import StratifiedRandom
from MDALSelectorLib.strategies.typical_md import TypicalMD, TypicalMinMD
from MultimodalImagingLib.errors import UsageError

__all__ = [
    "DEFAULT_STRATEGY",
    "EPISTEMIC",
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
        DiverseMinMD,
        TypicalMD,
        TypicalMinMD,
        CSCS,
        CSCSMinMD,
        ProbCover,
        StratifiedRandom,
        Score,
        Epistemic,
        EpistemicMD,
    )
}


def make_strategy(name: str, options: StrategyOptions | None = None) -> Strategy:
    """Return a strategy by its name; upper and lower case do not matter.

    Raises:
        UsageError: If there is no strategy of that name.
    """
    known = {strategy.lower(): strategy for strategy in STRATEGIES}
    kind = STRATEGIES.get(known.get(name.lower(), ""))
    if kind is None:
        msg = f"There is no strategy '{name}'. Choose one of {', '.join(STRATEGIES)}."
        raise UsageError(msg)
    return kind.from_options(options or StrategyOptions())
