"""A critic of embedded positions that is PMI: normalized on both sides over a bank of positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MDALSelectorLib.estimation.config import NormalizationConfig
from MDALSelectorLib.estimation.normalization import two_sided_scores
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array

# Positions that are held against the bank at a time.
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class BankCritic:
    """PMI of embedded positions, `scale * cosine - a(x) - b(y)`.

    The constants of the bank are those of the two-sided normalization over its pairs of different
    positions; those of any other position follow from them, so that the mean of `exp(PMI)` over
    the bank is 1 for every position of either modality.

    Attributes:
        scale: Learned scale of the cosine.
        first: Embeddings of the first modality at the positions of the bank, `(n, n_features)`.
        second: Of the second modality, same shape.
        first_constants: `a` of the bank, nats, `(n,)`.
        second_constants: `b` of the bank, nats, `(n,)`.
    """

    scale: float
    first: Float32Array
    second: Float32Array
    first_constants: Float32Array
    second_constants: Float32Array

    def matched(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with the same row of the other, nats, `(n,)`."""
        cosine = self.scale * np.einsum("nf,nf->n", first, second)
        return np.asarray(cosine - self._of_first(first) - self._of_second(second))

    def matrix(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with every row of the other, nats, `(n, m)`."""
        cosine = self.scale * first @ second.T
        return np.asarray(cosine - self._of_first(first)[:, None] - self._of_second(second)[None])

    def _of_first(self, rows: Float64Array) -> Float64Array:
        return _constants(rows, self.scale * self.second, self.second_constants)

    def _of_second(self, rows: Float64Array) -> Float64Array:
        return _constants(rows, self.scale * self.first, self.first_constants)


def fit_bank_critic(
    first: Float64Array, second: Float64Array, *, scale: float, config: NormalizationConfig
) -> BankCritic:
    """Normalize a critic over a bank of matched positions.

    Args:
        first: Embeddings of the first modality, of length 1, `(n, n_features)`.
        second: Of the second modality at the same positions.
        scale: Learned scale of the cosine.
        config: Tolerance of the normalization.
    """
    scale = float(np.float32(scale))  # as it is kept on disk
    rows, columns = (torch.from_numpy(np.ascontiguousarray(v)).double() for v in (first, second))
    found = two_sided_scores(scale * rows, columns, config=config)
    return BankCritic(
        scale=scale,
        first=_single(rows),
        second=_single(columns),
        first_constants=_single(found.row_constants),
        second_constants=_single(found.column_constants),
    )


def _constants(rows: Float64Array, bank: Float32Array, constants: Float32Array) -> Float64Array:
    """Return the log of the mean over the bank of `exp(critic - constant)`, nats, `(n,)`."""
    others, own = torch.from_numpy(bank), torch.from_numpy(constants)
    found = [
        torch.logsumexp(torch.from_numpy(part.astype(np.float32)) @ others.T - own, dim=1)
        for part in np.array_split(rows, max(1, -(-len(rows) // CHUNK)))
    ]
    return np.asarray(torch.cat(found).double().numpy() - np.log(len(bank)))


def _single(values: Tensor) -> Float32Array:
    return np.asarray(values.float().numpy())
