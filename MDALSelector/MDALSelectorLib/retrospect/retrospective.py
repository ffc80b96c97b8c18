"""What a retrospective run found, with the sentence that says it; imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.retrospect.config import CLASSIFIER, COMPARED, PLAIN_DRAWS
from MDALSelectorLib.retrospect.outcomes import Outcome, RandomBand
from MDALSelectorLib.strategies import DEFAULT_STRATEGY

if TYPE_CHECKING:
    from MDALSelectorLib.retrospect.evaluation import Evaluation
from MultimodalImagingLib.jobs.texts import MINUS

USUAL_BUDGET = "20%"


@dataclass(frozen=True)
class Retrospective:
    """What a retrospective run found.

    Attributes:
        cohort: Name of the cohort.
        modalities: In the order of the cohort.
        learner: What was trained.
        budgets: As they were asked for, with ascending numbers of cases.
        bands: What random draws give, per budget.
        outcomes: How every strategy did at every budget.
        areas: The same over all budgets; empty for a single budget.
        main_budget: Number of the budget that the sentence speaks of.
        sentence: The result in one sentence.
        notes: What it rests on and what limits it; full sentences.
        n_cases: Labeled cases that took part.
        n_patients: Their patients.
        configuration: Settings that decide on the result.
        versions: Versions of what computed it.
    """

    cohort: str
    modalities: tuple[str, ...]
    learner: str
    budgets: tuple[str, ...]
    bands: tuple[RandomBand, ...]
    outcomes: tuple[Outcome, ...]
    areas: tuple[Outcome, ...]
    main_budget: int
    sentence: str
    notes: tuple[str, ...]
    n_cases: int
    n_patients: int
    configuration: Mapping[str, object]
    versions: Mapping[str, str]

    @property
    def figure(self) -> str:
        """What was measured on the cases held out."""
        return "balanced accuracy" if self.learner == CLASSIFIER else "Dice"

    def at(self, budget: int) -> list[Outcome]:
        """Return the outcomes of a budget, the best first."""
        return sorted(
            (outcome for outcome in self.outcomes if outcome.budget == budget),
            key=lambda outcome: (-outcome.difference, outcome.strategy),
        )


def all_outcomes(
    evaluation: Evaluation, n_budgets: int
) -> tuple[tuple[RandomBand, ...], tuple[Outcome, ...], tuple[Outcome, ...]]:
    """Return bands, outcomes per budget, and outcomes over all budgets.

    Args:
        evaluation: Folds with their Dice.
        n_budgets: Number of budgets.
    """
    bands = tuple(evaluation.random_band(number) for number in range(n_budgets))
    found = [evaluation.outcome(name, number) for number in range(n_budgets) for name in COMPARED]
    areas = []
    if n_budgets > 1:
        areas = [evaluation.area(name, [band.n_cases for band in bands]) for name in COMPARED]
    return (
        bands,
        tuple(outcome for outcome in found if outcome is not None),
        tuple(area for area in areas if area is not None),
    )


def main_budget(budgets: Sequence[str]) -> int:
    """Return the number of the budget to speak of: 20 % if it is there, else the middle one."""
    cleaned = [text.replace(" ", "") for text in budgets]
    return cleaned.index(USUAL_BUDGET) if USUAL_BUDGET in cleaned else (len(cleaned) - 1) // 2


def verdict(cohort: str, budget: str, outcomes: Sequence[Outcome]) -> str:
    """Say how the default strategy and the best one did at a budget.

    Args:
        cohort: Name of the cohort.
        budget: As it was asked for.
        outcomes: Of all strategies at that budget.
    """
    compared = [outcome for outcome in outcomes if outcome.strategy not in PLAIN_DRAWS]
    ranked = sorted(compared, key=lambda o: (-o.difference, o.strategy))
    if not ranked:
        return f"On {cohort} at {budget}, only random draws could be compared."
    usual = next((o for o in ranked if o.strategy == DEFAULT_STRATEGY), ranked[0])
    best = ranked[0]
    lead = f"On {cohort} at {budget}, {usual.strategy} is {_against(usual)}"
    if best is usual:
        return f"{lead}; no strategy did better."
    return f"{lead}; best: {best.strategy}, {_against(best, is_short=True)}."


def luck_of_the_best(outcomes: Sequence[Outcome]) -> float:
    """Return how far the best of as many strategies would lie above by chance alone, in Dice."""
    from scipy.stats import norm

    compared = [o for o in outcomes if o.strategy not in PLAIN_DRAWS]
    if len(compared) < 2:
        return 0.0
    spread = np.mean([np.hypot(o.spread_of_cases, o.spread_of_choices) for o in compared])
    n = len(compared)
    return float(norm.ppf((n - 0.375) / (n + 0.25)) * spread)


def signed(value: float, digits: int = 3) -> str:
    """Write a number with its sign; a difference that rounds to zero has none."""
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}"


def _against(outcome: Outcome, *, is_short: bool = False) -> str:
    size = f"{abs(outcome.difference):.3f}"
    side = f"{size} above" if outcome.difference >= 0 else f"{size} below"
    side = side if float(size) else "level with"
    reference = "" if is_short and float(size) else " the median random draw"
    interval = f"{signed(outcome.low)} to {signed(outcome.high)}"
    text = f"{side}{reference} (95 % interval {interval}"
    has_zero = outcome.low <= 0 <= outcome.high
    return f"{text}, so chance may explain it)" if has_zero else f"{text})"
