"""Where the encoders' views come from: the protocol, and cases that are vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.pair_estimate import BoolArray


class ViewSource(Protocol):
    """Gives views of cases: the same places in all modalities, rows in the order of the cases."""

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of every case."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the order of the cohort."""

    @property
    def available(self) -> Mapping[str, BoolArray]:
        """Which cases have each modality, `(n_cases,)`."""

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

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], BoolArray]:
        """Return the views that are scored, the same each time.

        Returns:
            Per modality `(n_having, n_places, ...)`; and which places count, `(n, n_places)`.
        """

    def make_encoder(
        self, modality: str, cases: IntArray, *, generator: torch.Generator
    ) -> tuple[nn.Module, int]:
        """Return a fresh encoder that may look at the given cases, and its number of outputs."""


class ReorderedViews:
    """The views of another source, with its cases in another order."""

    def __init__(self, source: ViewSource, order: IntArray) -> None:
        """Wrap a source.

        Args:
            source: Where the views come from.
            order: Index in `source` of each case.
        """
        self._source, self._order = source, order

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of every case."""
        return tuple(self._source.patient_ids[case] for case in self._order)

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the order of the cohort."""
        return self._source.modalities

    @property
    def available(self) -> Mapping[str, BoolArray]:
        """Which cases have each modality."""
        return {m: has[self._order] for m, has in self._source.available.items()}

    @property
    def n_places(self) -> int:
        """Views per case that scores are taken from."""
        return self._source.n_places

    def sample(
        self, cases: IntArray, *, n_views: int, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Draw augmented views."""
        return self._source.sample(self._order[cases], n_views=n_views, generator=generator)

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], BoolArray]:
        """Return the views that are scored."""
        return self._source.evaluation_views(self._order[cases])

    def make_encoder(
        self, modality: str, cases: IntArray, *, generator: torch.Generator
    ) -> tuple[nn.Module, int]:
        """Return a fresh encoder."""
        return self._source.make_encoder(modality, self._order[cases], generator=generator)
