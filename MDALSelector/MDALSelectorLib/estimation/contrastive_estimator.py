"""Cross-fitted contrastive PMI of all pairs of modalities.

Folds are trained, scored and forgotten: encoders are never returned, and every case is
scored by encoders whose training and stopping saw no case of its patient. The scores of different
folds are merged as they are: the two-sided normalization makes them nats of the same zero, and
standardizing each fold on top lowered the rank correlation with known PMI (by 0.01 at N = 125).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from MDALSelectorLib.estimation.case_embeddings import PairEmbeddings, ViewSource, embed_cases
from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    EstimationConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.contrastive_training import TrainedFold, run_jobs, train_fold
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split, bound_blocks
from MDALSelectorLib.estimation.encoders import symmetric_info_nce
from MDALSelectorLib.estimation.normalization import two_sided_scores
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate, joint_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter

# Factors by which the mean over places may be multiplied to serve as a critic of whole cases.
CASE_SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0)


def contrastive_estimates(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: ContrastiveSettings,
    reporter: Reporter | None = None,
) -> tuple[PairEstimate, ...]:
    """Estimate the PMI of every case and pair, each case by encoders of other patients.

    On the CPU every fold is trained by one thread, several folds at a time, so that the bytes of
    the result do not depend on the number of cores. If a GPU does not have enough memory, all
    folds are trained on the CPU.

    Args:
        source: Views of the cases.
        pairs: Pairs of modalities, each with at least two cases per fold.
        plan: Which cases are held out when.
        settings: Training, normalization and device.
        reporter: Notified of every trained fold.
    """
    reporter = reporter or NullReporter()
    try:
        return _estimates(source, pairs, plan=plan, settings=settings, reporter=reporter)
    except torch.cuda.OutOfMemoryError:
        reporter.warning("The GPU does not have enough memory; the CPU is used instead.")
    settings = replace(settings, device=torch.device("cpu"))
    return _estimates(source, pairs, plan=plan, settings=settings, reporter=reporter)


def _estimates(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: ContrastiveSettings,
    reporter: Reporter,
) -> tuple[PairEstimate, ...]:
    n_halves = min(settings.training.n_reliability_splits, plan.n_repeats)
    jobs = list(_jobs(plan, n_halves))
    found = [_blank(pair, joint_cases(source.available, pair), plan, n_halves) for pair in pairs]
    bounds = np.full((len(pairs), *plan.seeds.shape), np.nan)
    reporter.stage("PMI, contrastive", len(jobs))
    for job, scores in run_jobs(
        lambda job: score_fold(source, pairs, job.split, settings), jobs, device=settings.device
    ):
        for number, (of_pair, estimate) in enumerate(zip(scores, found, strict=True)):
            if job.half is not None:
                estimate.half_pmi[job.repeat, job.half, of_pair.is_held_out] = of_pair.pmi
                continue
            estimate.repeat_pmi[job.repeat, of_pair.is_held_out] = of_pair.pmi
            bounds[number, job.repeat, job.fold] = of_pair.bound
        reporter.advance()
    means = np.nanmean(bounds, axis=2)
    return tuple(replace(e, repeat_bounds=means[number]) for number, e in enumerate(found))


def _blank(pair: ModalityPair, cases: IntArray, plan: CrossFitPlan, n_halves: int) -> PairEstimate:
    return PairEstimate(
        pair=pair,
        estimator="contrastive",
        case_index=cases,
        repeat_pmi=np.full((plan.n_repeats, len(cases)), np.nan),
        repeat_bounds=np.full(plan.n_repeats, np.nan),
        half_pmi=np.full((n_halves, 2, len(cases)), np.nan),
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """One training: a fold of a repeat, or a half of its training cases."""

    split: Split
    repeat: int
    fold: int
    half: int | None = None


def _jobs(plan: CrossFitPlan, n_halves: int) -> Iterator[_Job]:
    for repeat in range(plan.n_repeats):
        for fold, split in enumerate(plan.splits(repeat)):
            yield _Job(split, repeat, fold)
            if repeat < n_halves:
                for half, part in enumerate(split.halves()):
                    yield _Job(part, repeat, fold, half)


@dataclass(frozen=True)
class ContrastiveSettings:
    """What the contrastive estimator needs beside data.

    Attributes:
        training: Encoders and training.
        normalization: Two-sided normalization.
        device: torch device.
    """

    training: ContrastiveConfig
    normalization: NormalizationConfig
    device: torch.device


def contrastive_settings(config: EstimationConfig) -> ContrastiveSettings:
    """Return the part of an estimation's settings that concerns the contrastive estimator.

    Raises:
        UsageError: If the device does not exist here.
    """
    name = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        msg = f"The device '{name}' cannot be used here. Choose 'cpu', or leave the device open."
        raise UsageError(msg) from error
    return ContrastiveSettings(config.contrastive, config.normalization, device)


@dataclass(frozen=True, eq=False)
class FoldScores:
    """What one fold's encoders say about the held-out cases of one pair.

    Attributes:
        is_held_out: Which of the cases that have the pair are held out, `(n,)`.
        pmi: PMI of these, mean over places, nats.
        bound: Held-out InfoNCE bound, nats.
    """

    is_held_out: MaskArray
    pmi: Float64Array
    bound: float


def score_fold(
    source: ViewSource, pairs: Sequence[ModalityPair], split: Split, settings: ContrastiveSettings
) -> tuple[FoldScores, ...]:
    """Train on the cases of a split that may be seen and score the others."""
    fold = train_fold(source, pairs, split, config=settings.training, device=settings.device)
    embedded = embed_cases(fold.model, source, np.arange(len(split.patients)))
    with torch.no_grad():
        return tuple(
            _pair_scores(embedded.pair(pair, split.patients), fold, split, settings)
            for pair in pairs
        )


def _pair_scores(
    embeddings: PairEmbeddings,
    fold: TrainedFold,
    split: Split,
    settings: ContrastiveSettings,
) -> FoldScores:
    critic = _normalized(embeddings, settings.normalization)
    is_held_out = np.isin(embeddings.cases, split.held_out)
    stops = np.flatnonzero(np.isin(embeddings.cases, fold.inner.held_out))
    scales = CASE_SCALES if embeddings.counts.shape[1] > 1 else (1.0,)
    scale = max(scales, key=lambda s: critic.bound(stops, s))
    places = critic.place_pmi()[torch.from_numpy(is_held_out)]
    return FoldScores(
        is_held_out=is_held_out,
        pmi=places.nanmean(dim=1).cpu().double().numpy(),
        bound=critic.bound(np.flatnonzero(is_held_out), scale),
    )


@dataclass(frozen=True, eq=False)
class _NormalizedCritic:
    """Critic of one pair with the constants of the two-sided normalization, per place."""

    embeddings: PairEmbeddings
    row_constants: Tensor
    column_constants: Tensor

    def place_pmi(self) -> Tensor:
        """Return the PMI at each place of each case, nats, NaN where it does not count."""
        matched = (self.embeddings.rows * self.embeddings.columns).sum(dim=2)
        pmi = matched - self.row_constants - self.column_constants
        return pmi.masked_fill(~self.embeddings.counts, torch.nan)

    def bound(self, cases: IntArray, scale: float) -> float:
        """Return the InfoNCE bound of `scale` times the mean over places, on some cases, nats."""
        found = []
        for block in bound_blocks(len(cases)):
            chosen = torch.from_numpy(cases[block])
            loss = symmetric_info_nce(
                scale * self._case_critic(chosen), self.embeddings.patients[chosen]
            )
            found.append(-float(loss))
        return float(np.mean(found)) if found else float("nan")

    def _case_critic(self, cases: Tensor) -> Tensor:
        """Compare the cases place by place and average over the places that count in both."""
        rows, columns = self.embeddings.rows[cases], self.embeddings.columns[cases]
        counts = self.embeddings.counts[cases].to(rows.dtype)
        critic = torch.einsum("ipf,jpf,ip,jp->ij", rows, columns, counts, counts)
        a = torch.where(self.embeddings.counts, self.row_constants, 0)[cases]
        b = torch.where(self.embeddings.counts, self.column_constants, 0)[cases]
        return (critic - a @ counts.T - counts @ b.T) / (counts @ counts.T).clamp(min=1)


def _normalized(embeddings: PairEmbeddings, config: NormalizationConfig) -> _NormalizedCritic:
    rows, columns, patients = embeddings.counted()
    found = two_sided_scores(
        rows, columns, groups=patients, start=columns[:, -1].contiguous(), config=config
    )
    constants = []
    for values in (found.row_constants, found.column_constants):
        full = torch.zeros(embeddings.counts.shape, dtype=rows.dtype, device=rows.device)
        full[embeddings.counts] = values.to(rows.dtype)
        constants.append(full)
    return _NormalizedCritic(embeddings, constants[0], constants[1])
