"""What came out of the trainings: Dice per strategy and budget, and differences with intervals.

Imports nothing that takes long, as the panel reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from MultimodalImagingLib.images.arrays import Float64Array

if TYPE_CHECKING:
    from MDALSelectorLib.retrospect.fold_plan import FoldPlan


@dataclass(frozen=True, eq=False)
class FoldResult:
    """Dice of every training of an outer fold.

    Attributes:
        plan: The fold.
        dice: Shape `(n_trainings, n_test)`, in the orders of the plan.
    """

    plan: FoldPlan
    dice: Float64Array

    def rows(self, strategy: str, budget: int) -> list[int]:
        """Return the trainings of a strategy and budget."""
        return [
            row
            for row, training in enumerate(self.plan.trainings)
            if (training.strategy, training.budget) == (strategy, budget)
        ]


@dataclass(frozen=True)
class Outcome:
    """How a strategy did at a budget.

    Attributes:
        strategy: Its name.
        budget: Number of the budget among those asked for; `None` for the area under the curve.
        dice: Mean over folds and test cases.
        difference: To the median random draw of the same fold.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
        difference_to_mean: To the mean random draw of the same fold.
        spread_of_cases: Standard error of the difference from the choice of test cases.
        spread_of_choices: Standard error that the choice of training cases adds.
        share_of_full: Dice over that of all labels.
        better_than: Share of the random draws of the same folds below it.
        n_folds: Folds in which the strategy could choose.
    """

    strategy: str
    budget: int | None
    dice: float
    difference: float
    low: float
    high: float
    difference_to_mean: float
    spread_of_cases: float
    spread_of_choices: float
    share_of_full: float
    better_than: float
    n_folds: int


@dataclass(frozen=True)
class RandomBand:
    """What one random draw may give at a budget.

    Attributes:
        n_cases: Mean number of cases chosen.
        median: Median draw, mean over folds.
        low: 5th percentile of one draw.
        high: 95th percentile.
        spread: Standard deviation of one draw of the same fold.
        full: Dice of all labels.
    """

    n_cases: float
    median: float
    low: float
    high: float
    spread: float
    full: float
