"""Critics of positions as tensors, so that maps need no second estimation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from MDALSelectorLib.estimation.local_estimator import LocalCritics
from MDALSelectorLib.estimation.local_gaussian import LocalCritic, NormalMap
from MDALSelectorLib.estimation.position_critics import PositionCritics
from MDALSelectorLib.selection.diagnostics import Pair
from MultimodalImagingLib.images.arrays import VoxelArray

# Names of these tensors start so; what follows is numbered as in the cohort.
PREFIX = "local/"


def critic_tensors(
    critics: PositionCritics, modalities: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, VoxelArray]:
    """Return the critics as tensors; pairs that some fold could not learn are left out.

    Args:
        critics: What the estimator learned.
        modalities: In the order of the cohort.
        pairs: In the order of the cohort.
    """
    if not isinstance(critics, LocalCritics):
        return _network_tensors(critics, modalities, pairs)
    tensors: dict[str, VoxelArray] = {f"{PREFIX}fold_of_case": critics.fold_of_case}
    for number, modality in enumerate(modalities):
        maps = [fold[modality] for fold in critics.maps if modality in fold]
        if len(maps) == len(critics.maps):
            tensors[f"{PREFIX}map/{number}/knots"] = np.stack([m.knots for m in maps])
            tensors[f"{PREFIX}map/{number}/scores"] = np.stack([m.scores for m in maps])
    for number, pair in enumerate(pairs):
        found = [fold[pair] for fold in critics.critics if pair in fold]
        if len(found) == len(critics.critics):
            start = f"{PREFIX}pair/{number}/"
            tensors[f"{start}mean"] = np.stack([c.mean for c in found])
            tensors[f"{start}quadratic"] = np.stack([c.quadratic for c in found])
            tensors[f"{start}constant"] = np.array([c.constant for c in found])
    return tensors


def _network_tensors(
    critics: PositionCritics, modalities: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, VoxelArray]:
    from MDALSelectorLib.estimation.local_contrastive import NetworkCritics
    from MDALSelectorLib.selection.network_tensors import (
        network_tensors,  # torch: only where it is needed
    )

    if not isinstance(critics, NetworkCritics):
        msg = f"Expected critics of a known kind, got {type(critics).__name__}."
        raise TypeError(msg)
    tensors = network_tensors(critics, modalities, pairs)
    named = {f"{PREFIX}{name}": value for name, value in tensors.items()}
    return {f"{PREFIX}fold_of_case": critics.fold_of_case, **named}


def critics_of(
    tensors: Mapping[str, VoxelArray], modalities: Sequence[str], pairs: Sequence[Pair]
) -> PositionCritics | None:
    """Return the critics that were kept; `None` if there are none.

    Raises:
        KeyError, ValueError: If a tensor is missing or does not fit the others.
    """
    if f"{PREFIX}fold_of_case" not in tensors:
        return None
    fold_of_case = np.asarray(tensors[f"{PREFIX}fold_of_case"], dtype=np.int64)
    own = {n.removeprefix(PREFIX): v for n, v in tensors.items() if n.startswith(PREFIX)}
    if any(name.startswith("network/") for name in own):
        from MDALSelectorLib.selection.network_tensors import network_critics_of

        return network_critics_of(own, fold_of_case, modalities, pairs)
    folds = range(int(fold_of_case.max()) + 1)

    def of(name: str) -> VoxelArray:
        return own[name]

    known = [n for n in range(len(modalities)) if f"map/{n}/knots" in own]
    learned = [n for n in range(len(pairs)) if f"pair/{n}/mean" in own]
    maps = tuple(
        {modalities[n]: NormalMap(of(f"map/{n}/knots")[f], of(f"map/{n}/scores")[f]) for n in known}
        for f in folds
    )
    critics = tuple(
        {
            pairs[n]: LocalCritic(
                of(f"pair/{n}/mean")[f],
                of(f"pair/{n}/quadratic")[f],
                float(of(f"pair/{n}/constant")[f]),
            )
            for n in learned
        }
        for f in folds
    )
    return LocalCritics(fold_of_case, maps, critics)
