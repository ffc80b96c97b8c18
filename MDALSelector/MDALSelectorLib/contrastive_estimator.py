"""Cross-fitted contrastive PMI of all pairs of modalities.

The one public function trains, scores and forgets: encoders are never returned, and every case is
scored by encoders whose training and stopping saw no case of its patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MDALSelectorLib.case_embeddings import PairEmbeddings, embed_cases
from MDALSelectorLib.config import ContrastiveConfig, EstimationConfig, NormalizationConfig
from MDALSelectorLib.contrastive import TrainedFold, train_fold
from MDALSelectorLib.cross_fitting import CrossFitPlan, FloatArray, IntArray, Split, bound_blocks
from MDALSelectorLib.info_nce import symmetric_info_nce
from MDALSelectorLib.normalization import two_sided_scores
from MDALSelectorLib.pair_estimate import BoolArray, ModalityPair, PairEstimate, joint_cases
from MDALSelectorLib.views import ViewSource
from MultimodalImagingLib.progress import NullReporter, Reporter

# Factors by which the mean over places may be multiplied to serve as a critic of whole cases.
CASE_SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)


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
    """Return the part of an estimation's settings that concerns the contrastive estimator."""
    name = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return ContrastiveSettings(config.contrastive, config.normalization, torch.device(name))


def contrastive_estimates(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: ContrastiveSettings,
    reporter: Reporter | None = None,
) -> tuple[PairEstimate, ...]:
    """Estimate the PMI of every case and pair, each case by encoders of other patients.

    Args:
        source: Views of the cases.
        pairs: Pairs of modalities, each with at least two cases per fold.
        plan: Who is held out when.
        settings: Training, normalization and device.
        reporter: Told about every trained fold.
    """
    reporter = reporter or NullReporter()
    n_halves = min(settings.training.n_reliability_splits, plan.n_repeats)
    reporter.stage("PMI, contrastive", plan.seeds.size + 2 * n_halves * plan.seeds.shape[1])
    cases = {pair: joint_cases(source.available, pair) for pair in pairs}
    sheets = {pair: _Sheet(pair, cases[pair], plan.seeds.shape, n_halves) for pair in pairs}
    with _deterministic(settings.device):
        for repeat in range(plan.n_repeats):
            for fold, split in enumerate(plan.splits(repeat)):
                for scores in _fold_scores(source, pairs, split, settings):
                    sheets[scores.pair].note(scores, repeat=repeat, fold=fold)
                reporter.advance()
                for half, part in enumerate(split.halves() if repeat < n_halves else ()):
                    for scores in _fold_scores(source, pairs, part, settings):
                        sheets[scores.pair].note_half(scores, repeat=repeat, half=half)
                    reporter.advance()
    return tuple(sheets[pair].estimate() for pair in pairs)


@dataclass(frozen=True, eq=False)
class _FoldScores:
    """What one fold's encoders say about the held-out cases of one pair."""

    pair: ModalityPair
    is_held_out: BoolArray
    pmi: FloatArray
    low: FloatArray
    bound: float
    facts: Mapping[str, float]


class _Sheet:
    """Collects the out-of-fold scores of one pair over folds and repeats."""

    def __init__(
        self, pair: ModalityPair, cases: IntArray, shape: tuple[int, ...], n_halves: int
    ) -> None:
        self._pair, self._cases = pair, cases
        self._pmi = np.full((shape[0], len(cases)), np.nan)
        self._low = np.full((shape[0], len(cases)), np.nan)
        self._half = np.full((n_halves, 2, len(cases)), np.nan)
        self._bounds = np.full(shape, np.nan)
        self._facts: list[Mapping[str, float]] = []

    def note(self, scores: _FoldScores, *, repeat: int, fold: int) -> None:
        self._pmi[repeat, scores.is_held_out] = scores.pmi
        self._low[repeat, scores.is_held_out] = scores.low
        self._bounds[repeat, fold] = scores.bound
        self._facts.append(scores.facts)

    def note_half(self, scores: _FoldScores, *, repeat: int, half: int) -> None:
        self._half[repeat, half, scores.is_held_out] = scores.pmi

    def estimate(self) -> PairEstimate:
        return PairEstimate(
            pair=self._pair,
            estimator="contrastive",
            case_index=self._cases,
            repeat_pmi=self._pmi,
            repeat_bounds=np.nanmean(self._bounds, axis=1),
            half_pmi=self._half,
            low_quantile=self._low.mean(axis=0),
            settings={"folds": self._facts},
        )


def _fold_scores(
    source: ViewSource, pairs: Sequence[ModalityPair], split: Split, settings: ContrastiveSettings
) -> Iterator[_FoldScores]:
    """Train on the cases of a split that may be seen and score the others."""
    fold = train_fold(source, pairs, split, config=settings.training, device=settings.device)
    embedded = embed_cases(fold.model, source, np.arange(len(split.patients)))
    for pair in pairs:
        with torch.no_grad():
            embeddings = embedded.pair(pair, split.patients)
            yield _pair_scores(pair, embeddings, fold, split, settings)


def _pair_scores(
    pair: ModalityPair,
    embeddings: PairEmbeddings,
    fold: TrainedFold,
    split: Split,
    settings: ContrastiveSettings,
) -> _FoldScores:
    critic, error, n_passes = _normalized(embeddings, settings.normalization)
    is_held_out = np.isin(embeddings.cases, split.held_out)
    stops = np.flatnonzero(np.isin(embeddings.cases, fold.inner.held_out))
    scales = CASE_SCALES if embeddings.counts.shape[1] > 1 else (1.0,)
    scale = max(scales, key=lambda s: critic.bound(stops, s))
    places = critic.place_pmi()[torch.from_numpy(is_held_out)]
    quantile = settings.training.low_quantile
    return _FoldScores(
        pair=pair,
        is_held_out=is_held_out,
        pmi=places.nanmean(dim=1).cpu().double().numpy(),
        low=places.nanquantile(quantile, dim=1).cpu().double().numpy(),
        bound=critic.bound(np.flatnonzero(is_held_out), scale),
        facts={
            "n_steps": fold.n_steps,
            "stop_bound_nats": fold.stop_bound_nats,
            "case_scale": scale,
            "normalization_passes": n_passes,
            "normalization_error_nats": error,
        },
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


def _normalized(
    embeddings: PairEmbeddings, config: NormalizationConfig
) -> tuple[_NormalizedCritic, float, int]:
    rows, columns, patients = embeddings.counted()
    found = two_sided_scores(
        rows, columns, groups=patients, start=columns[:, -1].contiguous(), config=config
    )
    constants = []
    for values in (found.row_constants, found.column_constants):
        full = torch.zeros(embeddings.counts.shape, dtype=rows.dtype, device=rows.device)
        full[embeddings.counts] = values.to(rows.dtype)
        constants.append(full)
    critic = _NormalizedCritic(embeddings, constants[0], constants[1])
    return critic, found.error_nats, found.n_passes


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Ask torch for algorithms that give the same bytes each time; put its setting back after."""
    was_on = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on)
