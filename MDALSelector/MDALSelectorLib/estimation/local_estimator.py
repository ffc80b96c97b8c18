"""Cross-fitted local PMI: pairs of positions instead of pairs of cases, in closed form.

At every sampled position of the body, what one modality shows around it is held against what the
other shows there; the density is pooled over the positions of the training cases, the case's score
is a clipped mean over its own. It stands in for the PMI of the case, which it is not: neighboring
positions are not independent. No case is scored by a critic that saw a case of its patient.

Chance is what pairs at the same relative place of *different* patients reach, with critics that
were fitted to such pairs: bodies resemble each other, and that alone is not a signal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.config import LocalConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray
from MDALSelectorLib.estimation.local_folds import LocalFold, local_fold
from MDALSelectorLib.estimation.local_gaussian import LocalCritic, NormalMap
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter


@dataclass(frozen=True, eq=False)
class LocalCritics:
    """What the first repeat learned; enough to say what each case's positions share.

    Attributes:
        fold_of_case: Fold of every case, `(n_cases,)`; its critics never saw the case.
        maps: Per fold, the map of every modality's features.
        critics: Per fold, the critic of every pair.
    """

    fold_of_case: IntArray
    maps: tuple[Mapping[str, NormalMap], ...]
    critics: tuple[Mapping[ModalityPair, LocalCritic], ...]


@dataclass(frozen=True, eq=False)
class LocalEstimates:
    """What the local estimator finds.

    Attributes:
        estimates: One per pair that cases show at enough places.
        null_bounds: Per pair, bounds of pairs of different patients, nats, `(n_shuffles,)`.
        critics: What the first repeat learned.
    """

    estimates: tuple[PairEstimate, ...]
    null_bounds: Mapping[ModalityPair, Float64Array]
    critics: LocalCritics


def local_estimates(
    samples: LocalSamples,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: LocalConfig,
    reporter: Reporter | None = None,
) -> LocalEstimates:
    """Estimate the local PMI of every case and pair, each case by a critic of other patients.

    Repeatability: within every fold, two critics of disjoint halves of the other folds' patients
    both score the fold's cases at the same places.

    Args:
        samples: Features at the places of all cases.
        pairs: Pairs of modalities.
        plan: Which cases are held out when.
        config: Ridge, shuffles, halves.
        reporter: Notified of every fold.
    """
    reporter = reporter or NullReporter()
    modalities = tuple(dict.fromkeys(modality for pair in pairs for modality in pair))
    partners = _partners(plan, config.n_shuffles)
    sheets = {pair: _Sheet(pair, plan, config) for pair in pairs}
    maps, critics = [], []
    reporter.stage("PMI, local", plan.n_repeats * len(plan.seeds[0]))
    for repeat in range(plan.n_repeats):
        for split in plan.splits(repeat):
            fold = local_fold(samples, modalities, split)
            found = {pair: sheets[pair].note(fold, repeat) for pair in pairs}
            if repeat == 0:
                maps.append(fold.maps)
                critics.append({p: critic for p, critic in found.items() if critic is not None})
                for pair in pairs:
                    sheets[pair].note_shuffles(fold, partners)
            if repeat < config.n_reliability_splits:
                for half, part in enumerate(split.halves()):
                    smaller = local_fold(samples, modalities, part)
                    for pair in pairs:
                        sheets[pair].note_half(smaller, repeat, half)
            reporter.advance()
    estimates = tuple(sheet.estimate() for sheet in sheets.values() if sheet.is_scored.any())
    return LocalEstimates(
        estimates,
        {pair: sheet.null_bounds() for pair, sheet in sheets.items()},
        LocalCritics(plan.fold_of_case[0], tuple(maps), tuple(critics)),
    )


class _Sheet:
    """Collects the out-of-fold scores of one pair over folds and repeats."""

    def __init__(self, pair: ModalityPair, plan: CrossFitPlan, config: LocalConfig) -> None:
        n_repeats, n_cases = plan.fold_of_case.shape
        n_halves = min(config.n_reliability_splits, n_repeats)
        self._pair, self._config = pair, config
        self._pmi = np.full((n_repeats, n_cases), np.nan)
        self._bounds = np.full((n_repeats, n_cases), np.nan)
        self._half = np.full((n_halves, 2, n_cases), np.nan)
        self._shuffled = np.full((config.n_shuffles, n_cases), np.nan)

    @property
    def is_scored(self) -> MaskArray:
        """Which cases every critic could score."""
        scores = [*self._pmi, *self._half.reshape(-1, self._pmi.shape[1])]
        return np.asarray(np.isfinite(scores).all(axis=0))

    def note(self, fold: LocalFold, repeat: int) -> LocalCritic | None:
        critic = fold.critic(self._pair, ridge=self._config.ridge)
        held_out = fold.split.held_out
        self._pmi[repeat, held_out] = fold.case_pmi(self._pair, critic)
        self._bounds[repeat, held_out] = fold.case_bounds(self._pair, critic)
        return critic

    def note_half(self, fold: LocalFold, repeat: int, half: int) -> None:
        critic = fold.critic(self._pair, ridge=self._config.ridge)
        self._half[repeat, half, fold.split.held_out] = fold.case_pmi(self._pair, critic)

    def note_shuffles(self, fold: LocalFold, partners: Sequence[IntArray]) -> None:
        for row, partner in enumerate(partners):
            critic = fold.critic(self._pair, ridge=self._config.ridge, partner=partner)
            self._shuffled[row, fold.split.held_out] = fold.case_bounds(
                self._pair, critic, partner=partner, n_blocks=1
            )

    def estimate(self) -> PairEstimate:
        """Return the scores; the bound is the median over cases, which no odd case breaks."""
        cases = np.flatnonzero(self.is_scored)
        return PairEstimate(
            pair=self._pair,
            estimator="local",
            case_index=cases,
            repeat_pmi=self._pmi[:, cases],
            repeat_bounds=np.nanmedian(self._bounds[:, cases], axis=1),
            half_pmi=self._half[:, :, cases],
        )

    def null_bounds(self) -> Float64Array:
        """Return the bound of every shuffle."""
        known = np.isfinite(self._shuffled).any(axis=1)
        return np.asarray(np.nanmedian(self._shuffled[known], axis=1))


def _partners(plan: CrossFitPlan, n_shuffles: int) -> list[IntArray]:
    """Draw, within the folds of the first repeat, another patient's case for every case."""
    generator = np.random.default_rng([int(plan.seeds[0, 0]), 4])
    folds = [split.held_out for split in plan.splits(0)]
    found = []
    for _ in range(n_shuffles):
        partner = np.arange(len(plan.patients))
        for cases in folds:
            partner[cases] = _of_other_patients(cases, plan.patients[cases], generator)
        found.append(partner)
    return found


def _of_other_patients(
    cases: IntArray, patients: IntArray, generator: np.random.Generator
) -> IntArray:
    """Shuffle cases so that none stays with its patient, where the patients allow it."""
    names, group, sizes = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.argsort(generator.permutation(len(names))[group], kind="stable")
    partner = np.empty_like(cases)
    partner[order] = np.roll(cases[order], int(sizes.max()))
    return partner
