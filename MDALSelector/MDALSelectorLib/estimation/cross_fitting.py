"""Which cases train and which are scored: folds by patient, repeats, and repeatability.

Every estimator gets its cases through a `Split`, which cannot hold a patient on both sides.
Cases are drawn in the order of their identifiers, so the order of the input cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from MDALSelectorLib.estimation.config import CrossFitConfig
from MDALSelectorLib.estimation.limits import BOUND_BLOCK
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float64Array

# Held-out pairs are compared within blocks of `BOUND_BLOCK` cases, and in this many blocks at most,
# so that time and memory stay small.
MAX_BOUND_BLOCKS = 8
# A training is stopped by at least so many patients, even if they are more than the usual share.
MIN_STOP_PATIENTS = 3

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Cases to fit with and cases to score; no patient is on both sides.

    Attributes:
        fit: Indices of the cases that may be seen, ascending.
        held_out: Indices of the cases that are scored, ascending.
        patients: Patient number of every case of the cohort.
        seed: Source of the randomness of this split's model.
    """

    fit: IntArray
    held_out: IntArray
    patients: IntArray
    seed: int

    def __post_init__(self) -> None:
        """Refuse to score a patient that was seen.

        Raises:
            ValueError: If a patient is on both sides.
        """
        shared = np.intersect1d(self.patients[self.fit], self.patients[self.held_out])
        if len(shared):
            cases = np.flatnonzero(np.isin(self.patients, shared)).tolist()
            msg = f"Cases {cases} belong to patients on both sides of a split."
            raise ValueError(msg)

    def inner(self, share: float) -> Split:
        """Split the cases to fit with by patient: to train on, and to stop the training by.

        Args:
            share: Part of the cases that the training is stopped by, in (0, 1).
        """
        generator = np.random.default_rng([self.seed, 1])
        n_patients = len(np.unique(self.patients[self.fit]))
        n_parts = max(2, min(round(1 / share), n_patients // MIN_STOP_PATIENTS))
        part = _deal(self.patients[self.fit], n_parts, generator)
        return Split(self.fit[part != 0], self.fit[part == 0], self.patients, self.seed)

    def halves(self) -> tuple[Split, Split]:
        """Return two splits that score the same cases from disjoint halves of the patients."""
        half = _deal(self.patients[self.fit], 2, np.random.default_rng([self.seed, 2]))
        one, other = (replace(self, fit=self.fit[half == h], seed=self.seed + h) for h in (0, 1))
        return one, other


@dataclass(frozen=True)
class CrossFitPlan:
    """Which fold each case is in, per repeat.

    Attributes:
        patients: Patient number of every case, `(n_cases,)`.
        fold_of_case: Fold of every case per repeat, `(n_repeats, n_cases)`.
        seeds: Seed per repeat and fold, `(n_repeats, n_folds)`.
    """

    patients: IntArray
    fold_of_case: IntArray
    seeds: IntArray

    @property
    def n_repeats(self) -> int:
        """Number of repeats."""
        return len(self.fold_of_case)

    def splits(self, repeat: int) -> Iterator[Split]:
        """Yield one split per fold; together they score every case once."""
        folds = self.fold_of_case[repeat]
        for fold, seed in enumerate(self.seeds[repeat]):
            yield Split(
                fit=np.flatnonzero(folds != fold),
                held_out=np.flatnonzero(folds == fold),
                patients=self.patients,
                seed=int(seed),
            )

    def thirds(self, repeat: int) -> tuple[IntArray, tuple[Split, ...]]:
        """Split the patients into three; each third fits a model that scores the other two.

        Every case is then scored by two models that have no case in common and saw none of its
        patient, for three trainings.

        Args:
            repeat: The draw belongs to this repeat.

        Returns:
            Third of every case, and one split per third.
        """
        seed = int(self.seeds[repeat, 0])
        third = _deal(self.patients, 3, np.random.default_rng([seed, 5]))
        cases = np.arange(len(third))
        splits = (
            Split(cases[third == t], cases[third != t], self.patients, seed + t) for t in range(3)
        )
        return third, tuple(splits)


def plan_cross_fit(
    patient_ids: Sequence[str], *, config: CrossFitConfig, seed: int
) -> CrossFitPlan:
    """Draw the folds of all repeats by patient; the order of the cases does not matter.

    Args:
        patient_ids: Patient per case; all cases of a patient share a fold.
        config: Number of folds and repeats.
        seed: Source of the randomness.

    Raises:
        CohortError: If there are fewer patients than folds.
    """
    names, patients = np.unique(np.asarray(patient_ids, dtype=str), return_inverse=True)
    n_needed = config.n_folds
    if len(names) < n_needed:
        msg = (
            f"Expected cases of at least {n_needed} patients, found {len(names)}. Add cases, or"
            " choose a strategy that needs no cross-modal information (TypiClust)."
        )
        raise CohortError(msg)
    patients = patients.astype(np.int64)
    generators = [np.random.default_rng([seed, repeat]) for repeat in range(config.n_repeats)]
    return CrossFitPlan(
        patients=patients,
        fold_of_case=np.stack([_deal(patients, config.n_folds, g) for g in generators]),
        seeds=np.stack([g.integers(2**31, size=config.n_folds) for g in generators]),
    )


def spearman(first: Float64Array, second: Float64Array) -> float:
    """Return the rank correlation of two lists of scores; NaN if one of them is constant."""
    ranks = np.stack([rankdata(first), rankdata(second)])
    if len(first) < 2 or bool((np.ptp(ranks, axis=1) == 0).any()):
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])


def bound_blocks(n_cases: int) -> list[IntArray]:
    """Return the blocks of positions that held-out bounds of all estimators are computed in.

    Args:
        n_cases: Held-out cases; fewer than two give no block.
    """
    if n_cases < 2:
        return []
    n_blocks = -(-n_cases // BOUND_BLOCK)
    return list(np.array_split(np.arange(n_cases), n_blocks))[:MAX_BOUND_BLOCKS]


def mean_pairwise_spearman(scores: Float64Array) -> float:
    """Return the mean rank correlation of all pairs of repeats.

    Args:
        scores: Score of every case per repeat, `(n_repeats, n_cases)`.

    Returns:
        1 for identical rankings, about 0 for noise; NaN for a single repeat.
    """
    pairs = [spearman(scores[i], scores[j]) for i, j in combinations(range(len(scores)), 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def _deal(patients: IntArray, n_folds: int, generator: np.random.Generator) -> IntArray:
    """Deal patients in random order, each to the fold with the fewest cases so far."""
    names, inverse, sizes = np.unique(patients, return_inverse=True, return_counts=True)
    filled = np.zeros(n_folds, dtype=np.int64)
    fold_of_patient = np.empty(len(names), dtype=np.int64)
    for patient in generator.permutation(len(names)):
        fold_of_patient[patient] = int(filled.argmin())
        filled[fold_of_patient[patient]] += sizes[patient]
    return fold_of_patient[inverse]
