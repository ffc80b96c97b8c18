"""Patches as views of cases: what the contrastive training sees of positions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from MDALSelectorLib.estimation.config import LocalContrastiveConfig
from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.local_patches import PATCH_SHAPE, LocalPatches
from MDALSelectorLib.estimation.patch_encoder import PatchEncoder
from MultimodalImagingLib.images.arrays import MaskArray

# A case trains only if all its modalities see so many places together.
MIN_JOINT_PLACES = 20


class PatchViews:
    """Patches of positions that all modalities of a case see."""

    def __init__(self, patches: LocalPatches, config: LocalContrastiveConfig) -> None:
        """Look up which cases and places can be trained with.

        Args:
            patches: Patches of all cases.
            config: Shape of the encoder, places that stop the training.
        """
        self._patches, self._config = patches, config
        has = patches.available
        joint = np.logical_and.reduce([patches.seen[m] | ~has[m][:, None] for m in has])
        joint &= np.logical_or.reduce([has[m] for m in has])[:, None]
        self._places = [np.flatnonzero(row) for row in joint]
        trains = np.array([len(places) >= MIN_JOINT_PLACES for places in self._places])
        self._available = {m: has[m] & trains for m in has}

    @property
    def available(self) -> Mapping[str, MaskArray]:
        """Which cases have each modality and enough joint places, `(n_cases,)`."""
        return self._available

    @property
    def n_places(self) -> int:
        """Places per case that stop a training."""
        return self._config.stop_places

    def sample(
        self, cases: IntArray, *, n_views: int, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Draw positions inside the body; the patches of a draw are turned and flipped alike."""
        drawn = [
            self._places[case][
                torch.randint(len(self._places[case]), (n_views,), generator=generator).numpy()
            ]
            if len(self._places[case])
            else None
            for case in cases.tolist()
        ]
        turn = int(torch.randint(48, (1,), generator=generator))
        return {m: _turned(views, turn) for m, views in self._gathered(cases, drawn, n_views)}

    def evaluation_views(self, cases: IntArray) -> tuple[Mapping[str, Tensor], MaskArray]:
        """Return the first joint positions of every case; fewer if it has no more."""
        n = self.n_places
        counts = np.array([np.arange(n) < len(self._places[case]) for case in cases.tolist()])
        drawn = [
            np.resize(self._places[case][:n], n) if len(self._places[case]) else None
            for case in cases.tolist()
        ]
        return dict(self._gathered(cases, drawn, n)), counts.reshape(len(cases), n)

    def make_encoder(
        self,
        modality: str,
        cases: IntArray,
        *,
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[nn.Module, int]:
        """Return an encoder whose inputs are standardized as some of the cases' patches are."""
        encoder = PatchEncoder(self._config.channels, self._config.n_outputs)
        known = cases[self._available[modality][cases]]
        views, _ = self.evaluation_views(known[: self._config.training.batch_cases])
        values = views[modality].flatten(0, 1).transpose(0, 1).flatten(1)
        encoder.standardize(values.mean(dim=1), values.std(dim=1))
        return encoder, self._config.n_outputs

    def _gathered(
        self, cases: IntArray, drawn: list[IntArray | None], n_views: int
    ) -> list[tuple[str, Tensor]]:
        """Return the patches of the cases that have each modality, `(n_having, n_views, ...)`."""
        found = []
        for modality, available in self._available.items():
            parts = [
                self._patches.at(modality, case, places)
                for case, places in zip(cases.tolist(), drawn, strict=True)
                if available[case] and places is not None
            ]
            stacked = np.stack(parts) if parts else np.empty((0, n_views, *PATCH_SHAPE), np.float32)
            found.append((modality, torch.from_numpy(stacked)))
        return found


def _turned(views: Tensor, turn: int) -> Tensor:
    """Return patches `(..., K, J, I)` after one of the 48 symmetries of a cube."""
    order = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))[turn // 8]
    first = views.ndim - 3
    flips = [first + axis for axis in range(3) if turn >> axis & 1]
    return views.permute(*range(first), *(first + axis for axis in order)).flip(flips)
