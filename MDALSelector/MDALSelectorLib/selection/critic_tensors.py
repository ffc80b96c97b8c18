"""The critics of the local estimator as tensors, so that maps need no second estimation."""

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
        return {}
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


def critics_of(
    tensors: Mapping[str, VoxelArray], modalities: Sequence[str], pairs: Sequence[Pair]
) -> LocalCritics | None:
    """Return the critics that were kept; `None` if there are none.

    Raises:
        KeyError: If a tensor is missing.
    """
    if f"{PREFIX}fold_of_case" not in tensors:
        return None
    fold_of_case = np.asarray(tensors[f"{PREFIX}fold_of_case"], dtype=np.int64)
    folds = range(int(fold_of_case.max()) + 1)

    def of(name: str) -> VoxelArray:
        return tensors[f"{PREFIX}{name}"]

    known = [n for n in range(len(modalities)) if f"{PREFIX}map/{n}/knots" in tensors]
    learned = [n for n in range(len(pairs)) if f"{PREFIX}pair/{n}/mean" in tensors]
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
