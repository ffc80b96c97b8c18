"""Cases whose modalities are one vector each, as views for the contrastive estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.config import ContrastiveConfig
from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.gaussian import whiten
from MDALSelectorLib.estimation.pair_estimate import has_modality
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray

# Vectors are one view each; the networks of volumes see more of every case and step.
TRAINING = ContrastiveConfig(
    max_steps=300,
    evaluate_every=5,
    patience=8,
    batch_cases=1024,
    views_per_case=1,
    learning_rate=1e-2,
)


class VectorEncoder(nn.Module):
    """A fixed linear map of vectors, with noise on its outputs in training."""

    mean: Tensor
    axes: Tensor

    def __init__(
        self, mean: Float64Array, axes: Float64Array, *, jitter: float, generator: torch.Generator
    ) -> None:
        """Keep the map.

        Args:
            mean: Subtracted from the features, `(n_features,)`.
            axes: Maps the rest to components, `(n_features, k)`.
            jitter: Standard deviation of the noise.
            generator: Source of the noise; on the CPU.
        """
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("axes", torch.from_numpy(axes.astype(np.float32)))
        self._jitter = jitter
        self._generator = generator

    def forward(self, views: Tensor) -> Tensor:
        """Map `(n_views, n_features)` to `(n_views, k)`."""
        components: Tensor = (views - self.mean) @ self.axes
        if not self.training:
            return components
        noise = torch.randn(components.shape, generator=self._generator)
        return components + self._jitter * noise.to(components.device)


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
    features: Mapping[str, Float64Array]
    n_components: int = 16
    max_component_share: float = 0.4
    jitter: float = 0.5

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the order of the features."""
        return tuple(self.features)

    @cached_property
    def available(self) -> Mapping[str, MaskArray]:
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
        generator: torch.Generator,
    ) -> Mapping[str, Tensor]:
        """Return copies of the vectors; the encoder adds the noise."""
        views, _ = self.evaluation_views(cases)
        return {modality: view.expand(-1, n_views, -1) for modality, view in views.items()}

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], MaskArray]:
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
