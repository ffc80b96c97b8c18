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
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split
from MDALSelectorLib.estimation.local_folds import LocalFold, local_fold
from MDALSelectorLib.estimation.local_gaussian import LocalCritic, NormalMap
from MDALSelectorLib.estimation.local_samples import Blurs, LocalSamples, case_features
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MDALSelectorLib.estimation.position_sheet import LocalEstimates, PositionSheet
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

NAME = "local"


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

    def describe(
        self, case: PreparedCase, modality: str, *, fold: int, kind: str, blurs: Blurs
    ) -> Float64Array:
        """Return the normal scores of a modality at every voxel, `(K, J, I, n_features)`."""
        found = case_features(case, modality, kind=kind, blurs=blurs)
        return self.maps[fold][modality](np.moveaxis(found, 0, -1))


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
    run = _Run(samples, pairs, plan, config, groups or {})
    reporter.stage("PMI, local", plan.n_repeats * len(plan.seeds[0]))
    for repeat in range(plan.n_repeats):
        for split in plan.splits(repeat):
            run.score(split, repeat)
            reporter.advance()
    return run.estimates()


class _Run:
    """Scores the folds of a plan one by one."""

    def __init__(
        self,
        samples: LocalSamples,
        pairs: Sequence[ModalityPair],
        plan: CrossFitPlan,
        config: LocalConfig,
        groups: Groups,
    ) -> None:
        self._samples, self._plan, self._config = samples, plan, config
        self._modalities = tuple(dict.fromkeys(modality for pair in pairs for modality in pair))
        self._n_halves = min(config.n_reliability_splits, plan.n_repeats)
        self._sheets = {
            p: PositionSheet(p, plan, n_repeats=plan.n_repeats, n_halves=self._n_halves)
            for p in pairs
        }
        self._partners = {
            name: exchanges(plan, labels, config.n_shuffles)
            for name, labels in labels_to_exchange_within(groups, plan).items()
        }
        self._maps: list[Mapping[str, NormalMap]] = []
        self._critics: list[Mapping[ModalityPair, LocalCritic]] = []

    def score(self, split: Split, repeat: int) -> None:
        fold = local_fold(self._samples, self._modalities, split)
        critics = {}
        for pair, sheet in self._sheets.items():
            critic = fold.critic(pair, ridge=self._config.ridge)
            bounds = fold.case_bounds(pair, critic)
            sheet.note(split.held_out, repeat, fold.case_scores(pair, critic), bounds)
            if critic is not None:
                critics[pair] = critic
        if repeat == 0:
            self._maps.append(fold.maps)
            self._critics.append(critics)
            self._note_chance(fold)
        if repeat < self._n_halves:
            self._note_halves(split, repeat)

    def estimates(self) -> LocalEstimates:
        scored = (sheet for sheet in self._sheets.values() if sheet.is_scored.any())
        critics = LocalCritics(self._plan.fold_of_case[0], tuple(self._maps), tuple(self._critics))
        return LocalEstimates(tuple(sheet.estimate(NAME) for sheet in scored), critics)

    def _note_chance(self, fold: LocalFold) -> None:
        for pair, sheet in self._sheets.items():
            for name, draws in self._partners.items():
                bounds = [self._chance(fold, pair, partner) for partner in draws]
                sheet.note_null(name, fold.split.held_out, bounds)

    def _chance(self, fold: LocalFold, pair: ModalityPair, partner: IntArray) -> Float64Array:
        critic = fold.critic(pair, ridge=self._config.ridge, partner=partner)
        return fold.case_bounds(pair, critic, partner=partner, n_blocks=1)

    def _note_halves(self, split: Split, repeat: int) -> None:
        for half, part in enumerate(split.halves()):
            fold = local_fold(self._samples, self._modalities, part)
            for pair, sheet in self._sheets.items():
                critic = fold.critic(pair, ridge=self._config.ridge)
                sheet.note_half(part.held_out, repeat, half, fold.case_scores(pair, critic))
