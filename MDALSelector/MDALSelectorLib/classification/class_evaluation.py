"""How well classes are told for patients that took no part in learning, and what explains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.classification.class_findings import N_REPEATS, ClassAccuracy
from MDALSelectorLib.classification.class_learner import (
    IntArray,
    chosen_strength,
    class_probabilities,
    patient_folds,
    patients_per_class,
)
from MultimodalImagingLib.images.arrays import Float64Array

N_FOLDS = 5
N_RESAMPLES = 2000
LEVELS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Probabilities of cases whose patients were held out.

    Attributes:
        probabilities: Shape `(n_repeats, n_cases, n_classes)`.
        classes: Number of the true class of every case, `(n_cases,)`.
        patients: Their patients.
    """

    probabilities: Float64Array
    classes: IntArray
    patients: tuple[str, ...]

    @property
    def hits(self) -> Float64Array:
        """Share of the repeats in which every case is right, `(n_cases,)`."""
        named = self.probabilities.argmax(axis=2)
        return np.asarray((named == self.classes).mean(axis=0))

    def order(self, number: int) -> Float64Array:
        """Tell how often a case of a class ranks above one of the others, by its probability.

        Returns:
            Shape `(n_of_class, n_others)`: 1 always, 0 never; ties count half.
        """
        values = self.probabilities[:, :, number]
        own, others = values[:, self.classes == number], values[:, self.classes != number]
        above = (own[:, :, None] > others[:, None, :]).mean(axis=0)
        level = (own[:, :, None] == others[:, None, :]).mean(axis=0)
        return np.asarray(above + 0.5 * level)


def cross_validated(
    values: Float64Array,
    classes: IntArray,
    patients: Sequence[str],
    *,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> HeldOut:
    """Predict every labeled case by classifiers that saw no case of its patient.

    The strength of regularization is chosen anew among the patients that are trained on.

    Args:
        values: Standardized embeddings of the labeled cases, `(n, n_features)`.
        classes: Number of their class, `(n,)`; every class occurs in two patients or more.
        patients: Their patients.
        seed: Source of the splits.
        advance: Called after every repeat.
    """
    n_classes = int(classes.max()) + 1
    names = np.asarray(patients, dtype=str)
    found = np.zeros((N_REPEATS, len(classes), n_classes))
    for repeat in range(N_REPEATS):
        split = (seed * N_REPEATS + repeat) % 2**32
        for train, test in patient_folds(classes, patients, n_folds=N_FOLDS, seed=split):
            own = classes[train], names[train].tolist()
            strength = _strength(values[train], *own, seed=split)
            found[repeat, test] = class_probabilities(
                values[train], own[0], values[test], n_classes=n_classes, strength=strength
            )
        advance()
    return HeldOut(found, classes, tuple(patients))


def _strength(values: Float64Array, classes: IntArray, patients: list[str], *, seed: int) -> float:
    """Choose among the classes that two patients have; the others cannot be held out here."""
    known = [c for c, n in patients_per_class(classes, patients).items() if n > 1]
    rows = np.flatnonzero(np.isin(classes, known))
    if len(known) < 2:
        return 1e-2
    chosen = np.unique(classes[rows], return_inverse=True)[1]
    return chosen_strength(values[rows], chosen, [patients[row] for row in rows], seed=seed)


def accuracy_of(held_out: HeldOut, names: Sequence[str], *, cases: str, seed: int) -> ClassAccuracy:
    """Return how well classes are told, with intervals from resampled patients.

    Args:
        held_out: Probabilities of cases that were not learned from.
        names: Name of every class.
        cases: Which cases these are, in words.
        seed: Source of the resamples.
    """
    draws = Resamples(held_out.patients, seed=seed)
    balanced = balanced_accuracy(held_out.hits, held_out.classes, draws)
    auroc = area_under_curve(held_out, draws)
    middle, low, high = _interval(balanced)
    area = (None, None, None) if auroc is None else _interval(auroc)
    counts = np.bincount(held_out.classes, minlength=len(names))
    return ClassAccuracy(
        cases=cases,
        n_cases=len(held_out.classes),
        n_patients=len({*held_out.patients}),
        balanced_accuracy=middle,
        low=low,
        high=high,
        chance=1.0 / int((counts > 0).sum()),
        accuracy=float(held_out.hits.mean()),
        majority=names[int(counts.argmax())],
        majority_accuracy=float(counts.max() / counts.sum()),
        auroc=area[0],
        auroc_low=area[1],
        auroc_high=area[2],
        mean_probability=float(held_out.probabilities.max(axis=2).mean()),
    )


class Resamples:
    """Weights of cases: all alike in the first row, those of resampled patients in the others.

    It is the Bayesian bootstrap [1]: weights of patients are exponential. Every class has one case
    more of which nothing is known (Jeffreys' prior), without which five right cases of five would
    leave no doubt: its share of right answers is drawn, too.

    References:
        [1] Rubin, The Bayesian bootstrap, Annals of Statistics 1981.
    """

    def __init__(self, patients: Sequence[str], *, seed: int) -> None:
        number = np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1]
        self._generator = np.random.default_rng([seed, 6])
        drawn = self._generator.exponential(size=(N_RESAMPLES, int(number.max()) + 1))
        self.weights = np.vstack([np.ones(len(number)), drawn[:, number]])

    def unknown_case(self) -> tuple[Float64Array, Float64Array]:
        """Draw the weight of a case of which nothing is known, and how right it is, `(n_rows,)`."""
        weight = np.append(0.0, self._generator.exponential(size=N_RESAMPLES))
        return weight, np.append(0.0, self._generator.beta(0.5, 0.5, size=N_RESAMPLES))


def balanced_accuracy(hits: Float64Array, classes: IntArray, draws: Resamples) -> Float64Array:
    """Return the mean over the classes of the share of right cases.

    Args:
        hits: How right every case is, 0 to 1, `(n_cases,)`.
        classes: Number of the true class, `(n_cases,)`.
        draws: How often each case counts.

    Returns:
        Shape `(n_rows,)`; the first is that of the cases themselves.
    """
    recalls = []
    for number in np.unique(classes):
        own = draws.weights[:, classes == number]
        weight, share = draws.unknown_case()
        right = own @ hits[classes == number] + weight * share
        recalls.append(right / (own.sum(axis=1) + weight))
    return np.asarray(np.mean(recalls, axis=0))


def area_under_curve(held_out: HeldOut, draws: Resamples) -> Float64Array | None:
    """Return the area under the receiver operating curve, mean over classes against the rest.

    Args:
        held_out: Probabilities of cases that were not learned from.
        draws: How often each case counts.

    Returns:
        Shape `(n_rows,)`; `None` if all cases are of one class.
    """
    numbers = np.unique(held_out.classes)
    if len(numbers) < 2:
        return None
    areas = []
    for number in numbers:
        is_own = held_out.classes == number
        own, others = draws.weights[:, is_own], draws.weights[:, ~is_own]
        pairs = ((own @ held_out.order(int(number))) * others).sum(axis=1)
        (more_own, above), (more_others, below) = draws.unknown_case(), draws.unknown_case()
        n_own, n_others = own.sum(axis=1), others.sum(axis=1)
        pairs += above * more_own * (n_others + more_others) + below * more_others * n_own
        areas.append(pairs / ((n_own + more_own) * (n_others + more_others)))
    return np.asarray(np.mean(areas, axis=0))


def _interval(values: Float64Array) -> tuple[float, float, float]:
    """Return the value of the cases themselves and an interval that holds it."""
    low, high = np.quantile(values[1:], LEVELS)
    value = float(values[0])
    return value, min(float(low), value), max(float(high), value)


def area_within_groups(
    held_out: HeldOut, groups: Sequence[str], draws: Resamples
) -> tuple[tuple[float, float, float], int] | None:
    """Return the area under the curve among pairs of cases of the same group.

    Args:
        held_out: Probabilities of cases that were not learned from.
        groups: Group of every case, such as its site.
        draws: How often each case counts.

    Returns:
        The share of pairs of different classes within a group that are in the right order, with its
        95 % interval, and the number of those pairs; `None` without such pairs.
    """
    names = np.asarray(groups, dtype=str)
    right, total, n_pairs = np.zeros(len(draws.weights)), np.zeros(len(draws.weights)), 0
    for number in np.unique(held_out.classes):
        is_own = held_out.classes == number
        own, others = draws.weights[:, is_own], draws.weights[:, ~is_own]
        same = (names[is_own][:, None] == names[~is_own][None, :]).astype(np.float64)
        right += ((own @ (held_out.order(int(number)) * same)) * others).sum(axis=1)
        total += ((own @ same) * others).sum(axis=1)
        n_pairs += int(same.sum())
    if not n_pairs:
        return None
    return _interval(right / total), n_pairs // 2


def group_hits(groups: Sequence[str], classes: IntArray, patients: Sequence[str]) -> Float64Array:
    """Tell for every case whether its group alone gives its class away.

    Each case is given the class that is most over-represented among the cases of other patients of
    its group; without any, or where several are alike, chance decides.

    Args:
        groups: Group of every case, such as its site.
        classes: Number of its class, `(n,)`.
        patients: Its patient.

    Returns:
        How right each case is, 0 to 1, `(n,)`.
    """
    names, people = np.asarray(groups, dtype=str), np.asarray(patients, dtype=str)
    n_classes = int(classes.max()) + 1
    hits = np.zeros(len(classes))
    for row, own in enumerate(classes):
        others = people != people[row]
        usual = np.maximum(np.bincount(classes[others], minlength=n_classes), 1e-12)
        here = np.bincount(classes[others & (names == names[row])], minlength=n_classes) / usual
        best = np.flatnonzero(here >= here.max() - 1e-12)
        hits[row] = float(own in best) / len(best)
    return hits
