"""What a retrospective run is asked for. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from MDALSelectorLib.estimation.config import require
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MDALSelectorLib.strategies import STRATEGIES
from MDALSelectorLib.strategies.base import StrategyOptions

# Estimators that take seconds: they run anew in every outer fold.
EstimatorChoice = Literal["auto", "local", "gaussian"]
ESTIMATOR_CHOICES: tuple[EstimatorChoice, ...] = ("auto", "local", "gaussian")
LearnerName = Literal["linear", "network", "classifier"]
LEARNERS: tuple[LearnerName, ...] = ("linear", "network", "classifier")
# Learns the class of every case; its figure is the balanced accuracy, that of the others the Dice.
CLASSIFIER = "classifier"

DEFAULT_BUDGETS = ("10%", "20%", "40%")
# Fewer labeled cases cannot be split into folds that say anything.
MIN_CASES = 10
RANDOM = "Random"
# Random draws in which every site has its share; where the cohort tells sites or scanners apart.
SITE_RANDOM = "SiteStratifiedRandom"
# What strategies are compared with; no strategy itself.
PLAIN_DRAWS = (RANDOM, SITE_RANDOM)
# What can be compared, in the order of tables.
COMPARED = (*STRATEGIES, SITE_RANDOM)
# Strategies whose choice is random, and how many of them are drawn for one random draw: grouping
# the pool anew for every draw takes longer than all trainings.
SHARE_OF_DRAWS = {RANDOM: 1.0, SITE_RANDOM: 1.0, "StratifiedRandom": 0.25}


@dataclass(frozen=True)
class RetrospectConfig:
    """What a retrospective run is asked for.

    Attributes:
        budgets: Cases to label, `12` or `20%`; a share is one of the pool of an outer fold.
        strategies: Names of the strategies; empty for all that the cohort has the data for.
        options: Options of the strategies.
        n_draws: Random draws per outer fold and budget.
        n_folds: Outer folds; each is tested on with the others as its pool.
        n_partitions: Times that the patients are dealt to outer folds.
        seed: Seed of everything random.
        estimator: How PMI is estimated on the pool of every fold; `auto` takes the better one of
            the two closed forms by the rule of `select`.
        learner: What is trained on the chosen cases; `classifier` if their labels are classes.
        network: How the network is trained; `None` if the linear learner is asked for.
        labels: Folder of label maps; `None` for those of the record and the cohort.
        label_values: Values of the label maps that are the target; empty for all but 0.
        left_out: Cases that take no part.
        score_column: Column of the manifest that strategy `Score` ranks by.
        output: Folder of the run; `None` for a numbered one in the cohort's record.
        record: Folder of the cohort's record; `None` for the usual place.
        spacing_mm: Working spacing, mm; `None` to choose it from the images.
        modality_patterns: Patterns `PATTERN=NAME` that come before the cohort's table.
        export: Whether the splits are written for nnU-Net, too.
    """

    budgets: tuple[str, ...] = DEFAULT_BUDGETS
    strategies: tuple[str, ...] = ()
    options: StrategyOptions = field(default_factory=StrategyOptions)
    n_draws: int = 40
    n_folds: int = 5
    n_partitions: int = 4
    seed: int = 0
    estimator: EstimatorChoice = "auto"
    learner: LearnerName = "linear"
    network: NetworkConfig | None = None
    labels: Path | None = None
    label_values: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    score_column: str | None = None
    output: Path | None = None
    record: Path | None = None
    spacing_mm: float | None = None
    modality_patterns: tuple[str, ...] = ()
    export: bool = False

    def draws_of(self, strategy: str) -> int:
        """Return how often a strategy chooses per fold and budget; 1 if it is not random."""
        share = SHARE_OF_DRAWS.get(strategy)
        return 1 if share is None else max(2, round(share * self.n_draws))

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing can be said."""
        require(self.n_draws >= 2, "at least 2 random draws", self.n_draws)
        require(self.n_folds >= 2, "at least 2 outer folds", self.n_folds)
        require(self.n_partitions >= 1, "at least 1 partition", self.n_partitions)
        require(self.seed >= 0, "a seed of 0 or more", self.seed)
        require(bool(self.budgets), "at least one budget, such as 20%", "none")
        require(0 not in self.label_values, "label values other than 0, the background", 0)
        unknown = [name for name in self.strategies if name not in COMPARED]
        require(not unknown, f"strategies of {', '.join(COMPARED)}", ", ".join(unknown))
        has_network = (self.learner == "network") == (self.network is not None)
        require(has_network, "settings of the network with that learner alone", self.learner)
        if self.spacing_mm is not None:
            is_usable = 0.1 <= self.spacing_mm <= 50.0
            require(is_usable, "a working spacing between 0.1 and 50 mm", self.spacing_mm)
