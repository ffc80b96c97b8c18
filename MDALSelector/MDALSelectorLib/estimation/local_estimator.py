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

from MDALSelectorLib.estimation.chance import Groups, exchanges, labels_to_exchange_within
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
        critics: What the first repeat learned.
    """

    estimates: tuple[PairEstimate, ...]
    critics: LocalCritics


def local_estimates(
    samples: LocalSamples,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: LocalConfig,
    groups: Groups | None = None,
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
        groups: Group of every case by grouping, for what chance reaches within them.
        reporter: Notified of every fold.
    """
    reporter = reporter or NullReporter()
    modalities = tuple(dict.fromkeys(modality for pair in pairs for modality in pair))
    partners = {
        name: exchanges(plan, labels, config.n_shuffles)
        for name, labels in labels_to_exchange_within(groups or {}, plan).items()
    }
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
        self._shuffled: dict[str, Float64Array] = {}

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

    def note_shuffles(self, fold: LocalFold, partners: Mapping[str, Sequence[IntArray]]) -> None:
        empty = np.full((self._config.n_shuffles, self._pmi.shape[1]), np.nan)
        for name, draws in partners.items():
            bounds = self._shuffled.setdefault(name, empty.copy())
            for row, partner in enumerate(draws):
                critic = fold.critic(self._pair, ridge=self._config.ridge, partner=partner)
                bounds[row, fold.split.held_out] = fold.case_bounds(
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
            null_bounds={name: _medians(bounds) for name, bounds in self._shuffled.items()},
        )


def _medians(bounds: Float64Array) -> Float64Array:
    """Return the median over cases of every shuffle that any case has a place in."""
    known = np.isfinite(bounds).any(axis=1)
    return np.asarray(np.nanmedian(bounds[known], axis=1))
