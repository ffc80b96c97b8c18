"""What estimators that learn from positions have in common: critics, and how positions are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.local_samples import Blurs
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase


@dataclass(frozen=True, eq=False)
class CaseScores:
    """What the positions of some cases share, NaN where a case shows a pair at too few places.

    Attributes:
        pmi: Clipped mean over the positions of each case, nats, `(n,)`.
        low: Their 5th percentile: what the positions share where they share least, nats, `(n,)`.
    """

    pmi: Float64Array
    low: Float64Array


class PositionCritic(Protocol):
    """PMI of described positions of two modalities."""

    def matched(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with the same row of the other, nats, `(n,)`."""

    def matrix(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with every row of the other, nats, `(n, m)`."""


class Places(Protocol):
    """Which places of the cases of a cohort count."""

    def counts(self, pair: ModalityPair, partner: IntArray | None = None) -> MaskArray:
        """Tell where both modalities of a pair see the body, `(n_cases, n_places)`."""


class PositionCritics(Protocol):
    """What the first repeat learned; enough to say what each case's positions share."""

    @property
    def fold_of_case(self) -> IntArray:
        """Fold of every case, `(n_cases,)`; its critics never saw the case."""

    @property
    def critics(self) -> Sequence[Mapping[ModalityPair, PositionCritic]]:
        """Per fold, the critic of every pair that could be learned."""

    def describe(
        self, case: PreparedCase, modality: str, *, fold: int, kind: str, blurs: Blurs
    ) -> Float64Array:
        """Return what the critics of a fold look at, at every voxel, `(K, J, I, n_features)`."""
