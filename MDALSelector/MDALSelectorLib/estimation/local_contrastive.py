"""Cross-fitted local PMI by networks: the contrastive form of the local estimator.

One fully convolutional encoder per modality sees what lies around a position at two scales. The
encoders are trained by InfoNCE to find the other modality's view of the same position among those
of other positions, of the same case and of other cases; the critic is normalized on both sides over
a bank of positions of the cases that trained it. Score, bound, floor of chance, low quantile and
map of a case are those of the closed form, at the first of the same places.

Repeatability: encoders of disjoint thirds of the patients score the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from MDALSelectorLib.estimation.bank_critic import BankCritic, fit_bank_critic
from MDALSelectorLib.estimation.chance import Groups, exchanges, labels_to_exchange_within
from MDALSelectorLib.estimation.config import (
    EstimationConfig,
    LocalContrastiveConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.contrastive_training import run_jobs, train_fold
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split
from MDALSelectorLib.estimation.encoders import ContrastiveModel
from MDALSelectorLib.estimation.fold_jobs import FoldJob, chosen_device, fold_jobs, retried_on_cpu
from MDALSelectorLib.estimation.local_folds import ScoredPositions, drawn_positions
from MDALSelectorLib.estimation.local_patches import LocalPatches, case_channels
from MDALSelectorLib.estimation.local_samples import Blurs, seen_body
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MDALSelectorLib.estimation.patch_encoder import PatchEncoder, PositionEncoder
from MDALSelectorLib.estimation.patch_views import PatchViews
from MDALSelectorLib.estimation.position_critics import CaseScores
from MDALSelectorLib.estimation.position_sheet import LocalEstimates, PositionSheet
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, bounding_box
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter, check_cancelled
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

NAME = "local-contrastive"
# Thirds of fewer patients are too few to train on and to stop the training by.
MIN_PATIENTS_FOR_THIRDS = 18
Encoders = Mapping[str, PositionEncoder]


@dataclass(frozen=True, eq=False)
class NetworkCritics:
    """What the first repeat learned; enough to say what each case's positions share.

    Attributes:
        fold_of_case: Fold of every case, `(n_cases,)`; its critics never saw the case.
        encoders: Per fold, the encoder of every modality.
        critics: Per fold, the critic of every pair.
    """

    fold_of_case: IntArray
    encoders: tuple[Encoders, ...]
    critics: tuple[Mapping[ModalityPair, BankCritic], ...]

    def describe(
        self, case: PreparedCase, modality: str, *, fold: int, kind: str, blurs: Blurs
    ) -> Float64Array:
        """Return the embedding of every voxel of the body's box, `(K, J, I, n_features)`."""
        channels = case_channels(case, modality, kind=kind, blurs=blurs)
        box = bounding_box(seen_body(case, modality))
        with torch.no_grad():
            inside = self.encoders[fold][modality].volume(torch.from_numpy(channels[:, *box]))
        found = np.zeros((*case.body.shape, inside.shape[-1]), dtype=np.float64)
        found[box] = inside.numpy()
        return found


@dataclass(frozen=True)
class LocalContrastiveSettings:
    """What the estimator needs beside data.

    Attributes:
        config: Places, encoders, training, bank.
        normalization: Two-sided normalization.
        device: torch device.
    """

    config: LocalContrastiveConfig
    normalization: NormalizationConfig
    device: torch.device


def local_contrastive_settings(config: EstimationConfig) -> LocalContrastiveSettings:
    """Return the part of an estimation's settings that concerns this estimator.

    Raises:
        UsageError: If the device does not exist here.
    """
    device = chosen_device(config.device)
    return LocalContrastiveSettings(config.local_contrastive, config.normalization, device)


def local_contrastive_estimates(
    patches: LocalPatches,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: LocalContrastiveSettings,
    groups: Groups | None = None,
    reporter: Reporter | None = None,
) -> LocalEstimates:
    """Estimate the local PMI of every case and pair, each case by encoders of other patients.

    On the CPU every training has one thread, so that the number of cores cannot change the result.
    If a GPU does not have enough memory, the CPU is used for all trainings.

    Args:
        patches: Patches at the places of all cases.
        pairs: Pairs of modalities.
        plan: Which cases are held out when; the first repeats are used, see the configuration.
        settings: Training, normalization and device.
        groups: Group of every case by grouping, for what chance reaches within them.
        reporter: Notified of every training.
    """
    reporter = reporter or NullReporter()
    config = settings.config
    partners = {
        name: exchanges(plan, labels, config.n_shuffles)
        for name, labels in labels_to_exchange_within(groups or {}, plan).items()
    }

    def estimates(device: torch.device) -> LocalEstimates:
        trainer = _Trainer(patches, pairs, plan, settings, partners)
        return trainer.run(device, reporter)

    return retried_on_cpu(estimates, settings.device, reporter)


@dataclass(frozen=True, eq=False)
class _Scores:
    """Scores of the held-out cases of one pair in one job; see `PositionSheet`."""

    of_case: CaseScores
    bounds: Float64Array
    null: Mapping[str, Sequence[Float64Array]]


@dataclass(frozen=True, eq=False)
class _Learned:
    encoders: Encoders
    critics: Mapping[ModalityPair, BankCritic]
    scores: Mapping[ModalityPair, _Scores]


class _Trainer:
    """Trains and scores the jobs of a plan."""

    def __init__(
        self,
        patches: LocalPatches,
        pairs: Sequence[ModalityPair],
        plan: CrossFitPlan,
        settings: LocalContrastiveSettings,
        partners: Mapping[str, Sequence[IntArray]],
    ) -> None:
        self._patches, self._pairs, self._plan = patches, pairs, plan
        self._settings, self._partners = settings, partners
        self._views = PatchViews(patches, settings.config)

    def run(self, device: torch.device, reporter: Reporter) -> LocalEstimates:
        config, plan = self._settings.config, self._plan
        n_repeats = min(config.n_repeats, plan.n_repeats)
        is_large = len(np.unique(plan.patients)) >= MIN_PATIENTS_FOR_THIRDS
        n_thirds = min(config.training.n_reliability_splits, n_repeats) if is_large else 0
        sheets = {
            pair: PositionSheet(pair, plan, n_repeats=n_repeats, n_halves=n_thirds)
            for pair in self._pairs
        }
        jobs = fold_jobs(plan, n_repeats=n_repeats, n_thirds=n_thirds)
        folds: dict[int, _Learned] = {}
        reporter.stage("PMI, local contrastive", len(jobs))
        for job, learned in run_jobs(lambda job: self._learned(job, device), jobs, device=device):
            for pair, scores in learned.scores.items():
                self._note(sheets[pair], job, scores)
            if job.fold is not None and job.repeat == 0:
                folds[job.fold] = learned
            reporter.advance()
        order = [folds[fold] for fold in sorted(folds)]
        return LocalEstimates(
            tuple(sheet.estimate(NAME) for sheet in sheets.values() if sheet.is_scored.any()),
            NetworkCritics(
                plan.fold_of_case[0],
                tuple(fold.encoders for fold in order),
                tuple(fold.critics for fold in order),
            ),
        )

    def _note(self, sheet: PositionSheet, job: FoldJob, scores: _Scores) -> None:
        held_out = job.split.held_out
        if job.third is not None:
            which = job.half_of(held_out, self._plan)
            sheet.note_half(held_out, job.repeat, which, scores.of_case)
            return
        sheet.note(held_out, job.repeat, scores.of_case, scores.bounds)
        for name, bounds in scores.null.items():
            sheet.note_null(name, held_out, bounds)

    def _learned(self, job: FoldJob, device: torch.device) -> _Learned:
        config, split = self._settings.config, job.split
        fold = train_fold(self._views, self._pairs, split, config=config.training, device=device)
        encoders = _encoders(fold.model, list(self._views.available))
        scored = ScoredPositions(
            split, self._patches, self._embedded(encoders, split.held_out, device)
        )
        critics, scores = {}, {}
        for pair in self._pairs:
            critic = self._critic(encoders, pair, split, fold.model, device)
            if critic is not None:
                critics[pair] = critic
            scores[pair] = self._scores(scored, pair, critic, job)
        kept = {m: encoder.cpu() for m, encoder in encoders.items()}
        return _Learned(kept, critics, scores)

    def _scores(
        self, scored: ScoredPositions, pair: ModalityPair, critic: BankCritic | None, job: FoldJob
    ) -> _Scores:
        of_case = scored.case_scores(pair, critic)
        if job.third is not None:
            return _Scores(of_case, np.empty(0), {})
        null = {
            name: [scored.case_bounds(pair, critic, partner=p, n_blocks=1) for p in draws]
            for name, draws in job.chance(self._partners).items()
        }
        return _Scores(of_case, scored.case_bounds(pair, critic), null)

    def _critic(
        self,
        encoders: Encoders,
        pair: ModalityPair,
        split: Split,
        model: ContrastiveModel,
        device: torch.device,
    ) -> BankCritic | None:
        """Normalize over positions of the cases that trained; `None` if they have no pair."""
        counts = self._patches.counts(pair)[split.fit]
        if counts.sum() < 2:
            return None
        generator = np.random.default_rng([split.seed, 7])
        case, place = drawn_positions(counts, generator, n=self._settings.config.n_bank)
        embedded = []
        for modality in pair:
            parts = [
                self._patches.at(modality, split.fit[row], place[case == row])
                for row in np.unique(case)
            ]
            embedded.append(_embed(encoders[modality], np.concatenate(parts), device))
        names = list(self._views.available)
        scale = float(model.scale((names.index(pair[0]), names.index(pair[1]))).detach())
        return fit_bank_critic(*embedded, scale=scale, config=self._settings.normalization)

    def _embedded(
        self, encoders: Encoders, cases: IntArray, device: torch.device
    ) -> dict[str, Float64Array]:
        """Embed the places of some cases, NaN where they do not count, `(n, n_places, d)`."""
        found = {}
        for modality, encoder in encoders.items():
            seen = self._patches.seen[modality][cases]
            values = np.full((*seen.shape, encoder.projection.out_features), np.nan)
            for row, case in enumerate(cases.tolist()):
                check_cancelled()
                places = np.flatnonzero(seen[row])
                if len(places):
                    values[row, places] = _embed(
                        encoder, self._patches.at(modality, case, places), device
                    )
            found[modality] = values
        return found


def _encoders(model: ContrastiveModel, modalities: Sequence[str]) -> dict[str, PositionEncoder]:
    found = {}
    for index, modality in enumerate(modalities):
        encoder, projection = model.encoders[index], model.projections[index]
        if isinstance(encoder, PatchEncoder) and isinstance(projection, torch.nn.Linear):
            found[modality] = PositionEncoder(encoder, projection).eval()
    return found


def _embed(encoder: PositionEncoder, patches: Float32Array, device: torch.device) -> Float64Array:
    with torch.no_grad():
        found = encoder(torch.from_numpy(patches).to(device))
    return np.asarray(found.cpu().double().numpy())
