"""What an estimator that has finished found, kept until the scores of the cohort are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from MDALSelectorLib.estimation.estimate import Scored
from MDALSelectorLib.estimation.pair_estimate import PairEstimate
from MDALSelectorLib.selection.critic_tensors import PREFIX, critic_tensors, critics_of
from MDALSelectorLib.selection.diagnostics import Pair
from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.record.kept_results import KeptResults, Tensors

_NULL = "null/"


class EstimatesMemo:
    """An `EstimatorMemo` in a cohort's record: one file per estimator."""

    def __init__(self, cache: Path, key: str, modalities: Sequence[str]) -> None:
        """Keep results below the cache of a record.

        Args:
            cache: The cache.
            key: What the results depend on.
            modalities: In the order of the cohort.
        """
        self._kept = KeptResults(cache / "estimates")
        self._key, self._modalities = key, tuple(modalities)

    def __call__(self, name: str, make: Callable[[], Scored]) -> Scored:
        """Return what an estimator found earlier, or let it run and keep that.

        Critics of a kind that has no tensors are not kept, and nothing else of their estimator.

        Raises:
            CrossModalError: If it cannot be kept.
        """
        kept = self._kept.load(name, self._key)
        if kept is not None:
            return _scored(*kept, self._modalities)
        made = make()
        pairs = [estimate.pair for estimate in made.estimates]
        critics: dict[str, VoxelArray] = {}
        if made.critics is not None:
            critics = critic_tensors(made.critics, self._modalities, pairs)
            if not critics:
                return made
        groupings = [list(estimate.null_bounds) for estimate in made.estimates]
        content = {"estimator": name, "pairs": pairs, "groupings": groupings}
        tensors = critics | _tensors(made.estimates)
        self._kept.save(name, self._key, tensors, content)
        return _scored(content, tensors, self._modalities)


def _tensors(estimates: Sequence[PairEstimate]) -> dict[str, VoxelArray]:
    """Return all arrays of estimates, each after the number of its pair."""
    tensors: dict[str, VoxelArray] = {}
    for number, estimate in enumerate(estimates):
        values = {field.name: getattr(estimate, field.name) for field in fields(estimate)}
        arrays = {name: v for name, v in values.items() if isinstance(v, np.ndarray)}
        arrays |= {f"{_NULL}{name}": bounds for name, bounds in estimate.null_bounds.items()}
        tensors |= {f"{number}/{name}": array for name, array in arrays.items()}
    return tensors


def _scored(content: Mapping[str, Any], tensors: Tensors, modalities: Sequence[str]) -> Scored:
    pairs: list[Pair] = [(first, second) for first, second in content["pairs"]]
    estimates = []
    for number, (pair, groupings) in enumerate(zip(pairs, content["groupings"], strict=True)):
        start = f"{number}/"
        own = {n.removeprefix(start): v for n, v in tensors.items() if n.startswith(start)}
        null_bounds = {name: own.pop(f"{_NULL}{name}") for name in groupings}
        arrays: dict[str, Any] = dict(own)
        estimates.append(
            PairEstimate(pair, content["estimator"], null_bounds=null_bounds, **arrays)
        )
    critics = {name: values for name, values in tensors.items() if name.startswith(PREFIX)}
    return Scored(estimates, critics_of(critics, modalities, pairs))
