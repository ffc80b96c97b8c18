"""Where the encoders' views come from: the protocol, and cases that are vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.cross_fitting import FloatArray, IntArray
from MDALSelectorLib.estimation.encoders import VectorEncoder
from MDALSelectorLib.estimation.gaussian import whiten
from MDALSelectorLib.estimation.pair_estimate import BoolArray, has_modality


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


@dataclass(frozen=True, eq=False)
class VectorViews:
    """Cases whose modalities are one vector each.

    Attributes:
        patient_ids: Patient of every case.
        features: Per modality `(n_cases, n_features)`, a row of NaN where it is missing.
        n_components: Most principal components that an encoder looks at.
        max_component_share: Components stay below this share of the training cases.
        jitter: Standard deviation of the noise on the components in training; their own mean
            square is 1.
    """

    patient_ids: tuple[str, ...]
    features: Mapping[str, FloatArray]
    n_components: int = 16
    max_component_share: float = 0.4
    jitter: float = 0.5

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the order of the features."""
        return tuple(self.features)

    @cached_property
    def available(self) -> Mapping[str, BoolArray]:
        """Which cases have each modality."""
        return has_modality(self.features)

    @property
    def n_places(self) -> int:
        """One vector is one place."""
        return 1

    @cached_property
    def _tensors(self) -> Mapping[str, Tensor]:
        return {m: torch.from_numpy(v.astype(np.float32)) for m, v in self.features.items()}

    def sample(
        self,
        cases: IntArray,
        *,
        n_views: int,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """Return copies of the vectors; the encoder adds the noise."""
        views, _ = self.evaluation_views(cases)
        return {modality: view.expand(-1, n_views, -1) for modality, view in views.items()}

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], BoolArray]:
        """Return the vectors."""
        having = {m: cases[self.available[m][cases]] for m in self.modalities}
        views = {m: self._tensors[m][indices][:, None] for m, indices in having.items()}
        return views, np.ones((len(cases), 1), dtype=bool)

    def make_encoder(
        self, modality: str, cases: IntArray, *, generator: torch.Generator
    ) -> tuple[nn.Module, int]:
        """Return principal components of the cases, in proportion to their natural spread."""
        limit = max(1, min(self.n_components, int(self.max_component_share * len(cases))))
        whitening = whiten(self.features[modality][cases], n_components=limit)
        spreads = whitening.spreads / np.sqrt((whitening.spreads**2).mean())
        encoder = VectorEncoder(
            whitening.mean, whitening.axes * spreads, jitter=self.jitter, generator=generator
        )
        return encoder, len(spreads)


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
