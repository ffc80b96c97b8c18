"""Views of cases: their source, what the encoders make of them, and the critic of a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.encoders import ContrastiveModel, Encoded, symmetric_info_nce
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, joint_cases
from MultimodalImagingLib.images.arrays import MaskArray


class ViewSource(Protocol):
    """Gives views of cases: the same places in all modalities, rows in the order of the cases."""

    @property
    def available(self) -> Mapping[str, MaskArray]:
        """Which cases have each modality, in the order of the cohort, `(n_cases,)`."""

    @property
    def n_places(self) -> int:
        """Views per case that scores are taken from."""

    def sample(
        self, cases: IntArray, *, n_views: int, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Draw augmented views of those of the cases that have a modality.

        Returns:
            Per modality `(n_having, n_views, ...)`.
        """

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], MaskArray]:
        """Return the views that are scored, the same each time.

        Returns:
            Per modality `(n_having, n_places, ...)`; and which places count, `(n, n_places)`.
        """

    def make_encoder(
        self, modality: str, cases: IntArray, *, generator: torch.Generator
    ) -> tuple[nn.Module, int]:
        """Return a fresh encoder that may look at the given cases, and its number of outputs."""


# Cases whose views are encoded at once.
CASES_PER_CHUNK = 32


@dataclass(frozen=True, eq=False)
class PairEmbeddings:
    """Factors of a pair's critic at every view of the cases that have both modalities.

    Attributes:
        cases: Indices of the cases in the cohort, `(n,)`.
        patients: Their patients, `(n,)`.
        rows: Factors of the first modality, `(n, n_views, n_features)`.
        columns: Factors of the second, same shape; the critic is their product, nats.
        counts: Which views count, `(n, n_views)`.
    """

    cases: IntArray
    patients: Tensor
    rows: Tensor
    columns: Tensor
    counts: Tensor

    def counted(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows, columns `(n_counted, n_features)` and patients of the views that count."""
        patients = self.patients[:, None].expand(self.counts.shape)
        return self.rows[self.counts], self.columns[self.counts], patients[self.counts]

    def loss(self, *, own_negatives: bool = False) -> Tensor:
        """Return the symmetric InfoNCE loss, nats.

        Args:
            own_negatives: Whether other views of the same patient are negatives, too.
        """
        rows, columns, patients = self.counted()
        return symmetric_info_nce(rows @ columns.T, None if own_negatives else patients)


@dataclass(frozen=True, eq=False)
class CaseEmbeddings:
    """Encoded views of some cases.

    Attributes:
        cases: Indices of the cases in the cohort, `(n,)`.
        counts: Which views count, `(n, n_views)`.
        encoded: Per modality, the views of those of the cases that have it.
    """

    model: ContrastiveModel
    source: ViewSource
    cases: IntArray
    counts: MaskArray
    encoded: Mapping[str, Encoded]

    def pair(self, pair: ModalityPair, patients: IntArray) -> PairEmbeddings:
        """Return the factors of a pair's critic.

        Args:
            pair: Two modalities of the source.
            patients: Patient number of every case of the cohort.
        """
        has = {m: self.source.available[m][self.cases] for m in pair}
        joint = joint_cases(has, pair)
        n_views = self.counts.shape[1]
        chosen = [self.encoded[m][_view_rows(np.cumsum(has[m])[joint] - 1, n_views)] for m in pair]
        order = [list(self.source.available).index(m) for m in pair]
        rows, columns = self.model.factors((order[0], order[1]), *chosen)
        device = rows.device
        return PairEmbeddings(
            cases=self.cases[joint],
            patients=torch.from_numpy(patients[self.cases[joint]]).to(device),
            rows=rows.reshape(len(joint), n_views, rows.shape[1]),
            columns=columns.reshape(len(joint), n_views, rows.shape[1]),
            counts=torch.from_numpy(self.counts[joint]).to(device),
        )


def embed_views(
    model: ContrastiveModel,
    source: ViewSource,
    cases: IntArray,
    views: Mapping[str, Tensor],
    counts: MaskArray,
) -> CaseEmbeddings:
    """Encode given views of some cases on the device of the model.

    Args:
        model: The encoders.
        source: Whose views they are.
        cases: The cases.
        views: Per modality `(n_having, n_views, ...)`.
        counts: Which views count, `(n, n_views)`.
    """
    device = model.log_scale.device
    encoded = {
        m: model.encode(i, views[m].flatten(0, 1).to(device))
        for i, m in enumerate(source.available)
    }
    return CaseEmbeddings(model, source, cases, counts, encoded)


def embed_cases(model: ContrastiveModel, source: ViewSource, cases: IntArray) -> CaseEmbeddings:
    """Encode the evaluation views of some cases, without gradients and without noise."""
    chunks = [cases[i : i + CASES_PER_CHUNK] for i in range(0, len(cases), CASES_PER_CHUNK)]
    model.eval()
    with torch.no_grad():
        parts = [embed_views(model, source, c, *source.evaluation_views(c)) for c in chunks]
    return CaseEmbeddings(
        model,
        source,
        cases,
        np.concatenate([part.counts for part in parts]),
        {m: _joined([part.encoded[m] for part in parts]) for m in source.available},
    )


def _joined(parts: Sequence[Encoded]) -> Encoded:
    return Encoded(
        torch.cat([part.embeddings for part in parts]), torch.cat([part.unary for part in parts])
    )


def _view_rows(rows: IntArray, n_views: int) -> Tensor:
    return torch.from_numpy((rows[:, None] * n_views + np.arange(n_views)).reshape(-1))
