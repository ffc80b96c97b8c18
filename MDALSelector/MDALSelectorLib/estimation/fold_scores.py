"""Scores of the held-out cases of one fold: train, encode the cohort, normalize, forget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MDALSelectorLib.estimation.case_embeddings import PairEmbeddings, embed_cases
from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    EstimationConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.contrastive import TrainedFold, train_fold
from MDALSelectorLib.estimation.cross_fitting import FloatArray, IntArray, Split, bound_blocks
from MDALSelectorLib.estimation.info_nce import symmetric_info_nce
from MDALSelectorLib.estimation.normalization import two_sided_scores
from MDALSelectorLib.estimation.pair_estimate import BoolArray, ModalityPair
from MDALSelectorLib.estimation.views import ViewSource
from MultimodalImagingLib.errors import UsageError

# Factors by which the mean over places may be multiplied to serve as a critic of whole cases.
CASE_SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0)


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
        pair: The pair.
        is_held_out: Which of the cases that have the pair are held out, `(n,)`.
        pmi: PMI of these, mean over places, nats.
        bound: Held-out InfoNCE bound, nats.
        facts: How training and normalization went.
    """

    pair: ModalityPair
    is_held_out: BoolArray
    pmi: FloatArray
    bound: float
    facts: Mapping[str, float]


def score_fold(
    source: ViewSource, pairs: Sequence[ModalityPair], split: Split, settings: ContrastiveSettings
) -> tuple[FoldScores, ...]:
    """Train on the cases of a split that may be seen and score the others."""
    fold = train_fold(source, pairs, split, config=settings.training, device=settings.device)
    embedded = embed_cases(fold.model, source, np.arange(len(split.patients)))
    with torch.no_grad():
        return tuple(
            _pair_scores(pair, embedded.pair(pair, split.patients), fold, split, settings)
            for pair in pairs
        )


def _pair_scores(
    pair: ModalityPair,
    embeddings: PairEmbeddings,
    fold: TrainedFold,
    split: Split,
    settings: ContrastiveSettings,
) -> FoldScores:
    critic, error, n_passes = _normalized(embeddings, settings.normalization)
    is_held_out = np.isin(embeddings.cases, split.held_out)
    stops = np.flatnonzero(np.isin(embeddings.cases, fold.inner.held_out))
    scales = CASE_SCALES if embeddings.counts.shape[1] > 1 else (1.0,)
    scale = max(scales, key=lambda s: critic.bound(stops, s))
    places = critic.place_pmi()[torch.from_numpy(is_held_out)]
    return FoldScores(
        pair=pair,
        is_held_out=is_held_out,
        pmi=places.nanmean(dim=1).cpu().double().numpy(),
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
