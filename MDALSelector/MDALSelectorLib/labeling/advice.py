"""Whether to go on labeling: what the rounds reached, and one sentence about the next labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.labeling.learning_curve import (
    FEWEST_CASES,
    FEWEST_ROUNDS,
    Curves,
    Interval,
    fit_curves,
)
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.rounds import Round

POINT = 0.01  # of Dice
# Beyond so many times the labels of now, a number of labels is no forecast any more.
_FAR = 10.0


@dataclass(frozen=True)
class RoundDice:
    """What one round reached.

    Attributes:
        number: Number of the round.
        n_labels: Labels that its model was trained on.
        n_cases: Evaluation cases whose Dice counts: those that all compared rounds have.
        dice: Mean Dice over these cases, each the mean of its regions; `None` without any.
    """

    number: int
    n_labels: int
    n_cases: int
    dice: float | None


@dataclass(frozen=True)
class Advice:
    """Whether to go on.

    Attributes:
        sentence: The advice.
        rounds: The rounds that are compared, by labels.
        curves: The curve through them; `None` where none can be drawn.
        may_stop: Whether the interval of what the next labels bring includes no gain.
    """

    sentence: str
    rounds: tuple[RoundDice, ...]
    curves: Curves | None = None
    may_stop: bool = False


def advice(rounds: Sequence[Round], *, n_left: int) -> Advice:
    """Say what more labels would bring.

    Rounds are compared on the evaluation cases that all of them have. Of rounds with the same
    number of labels the last counts; one without a label of the cohort does not.

    Args:
        rounds: The rounds of the cohort.
        n_left: Cases that may be trained on and are still without a label.
    """
    compared = sorted({len(r.labels): r for r in rounds if r.labels and r.evaluation}.items())
    cases, dice = _common(tuple(found for _, found in compared))
    table = tuple(
        RoundDice(found.number, n_labels, len(cases), float(row.mean()) if cases else None)
        for (n_labels, found), row in zip(compared, dice, strict=True)
    )
    if len(table) < FEWEST_ROUNDS:
        return Advice(_too_few_rounds(len(table), len(rounds)), table)
    if len(cases) < FEWEST_CASES:
        text = (
            "No extrapolation is possible: the rounds have"
            f" {counted(len(cases), 'evaluation case')} in common, and it takes {FEWEST_CASES}."
            " Label more cases of the evaluation set."
        )
        return Advice(text, table)
    curves = fit_curves([row.n_labels for row in table], dice)
    if n_left < 1:
        text = (
            "No case is left to label: each has its label, is skipped, or is kept from training by"
            " the evaluation set. More labels would take more cases."
        )
        return Advice(text, table, curves)
    n_next = max(min(table[-1].n_labels - table[-2].n_labels, n_left), 1)
    may_stop = curves.gain(n_next).low <= 0
    return Advice(_sentence(curves, n_next, n_left), table, curves, may_stop)


def _common(rounds: Sequence[Round]) -> tuple[tuple[str, ...], Float64Array]:
    """Return the cases that all rounds have a Dice of, and the mean over regions, per round."""
    tables = [found.case_dice for found in rounds]
    cases = tuple(sorted(set.intersection(*map(set, tables)))) if tables else ()
    rows = [[table[case] for case in cases] for table in tables]
    return cases, np.array(rows, dtype=np.float64).reshape(len(rounds), len(cases))


def _too_few_rounds(n_compared: int, n_rounds: int) -> str:
    found = f"there {'is' if n_compared == 1 else 'are'} {n_compared or 'none'}"
    if n_rounds > n_compared:
        found += f" (of {n_rounds}; the others have no evaluation cases, or as many labels)"
    return (
        f"No extrapolation is possible yet: it takes {FEWEST_ROUNDS} rounds with more and more"
        f" labels and a Dice on the evaluation set; {found}."
    )


def _sentence(curves: Curves, n_next: int, n_left: int) -> str:
    gain = curves.gain(n_next)
    if gain.low <= 0:
        return (
            f"It may be time to stop: {counted(n_next, 'more label', 'changes', 'change')} the mean"
            f" Dice by {_points(gain.low)} to {_points(gain.high)} points (90 % interval), which"
            " includes no gain."
        )
    needed = curves.labels_for(POINT)
    limit = max(_FAR * float(curves.n_labels[-1]), float(n_left))
    about = "" if needed.value > limit else f"About {_up(needed.value)} more labels for +1 point"
    text = (
        f"{about} (90 % interval {_range(needed, limit)})."
        if about
        else f"More than {_up(limit)} more labels for +1 point, by the fitted curve."
    )
    if needed.low > n_left:
        text += f" Only {counted(n_left, 'case', 'is', 'are')} left."
    return f"It is worth to go on. {text}"


def _range(needed: Interval, limit: float) -> str:
    low = _up(needed.low)
    return f"{low} or more" if needed.high > limit else f"{low} to {_up(needed.high)}"


def _up(value: float) -> int:
    return max(math.ceil(value), 1)


def _points(dice: float) -> str:
    return f"{100 * dice:+.1f}".replace("-", "\N{MINUS SIGN}")
