"""The critics of the contrastive form of the local estimator as tensors: weights and banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import torch

from MDALSelectorLib.estimation.bank_critic import BankCritic
from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.local_contrastive import NetworkCritics
from MDALSelectorLib.estimation.patch_encoder import PositionEncoder, position_encoder_of
from MDALSelectorLib.selection.diagnostics import Pair
from MultimodalImagingLib.images.arrays import VoxelArray

NETWORK, BANK = "network", "bank"
_BANK_FIELDS = tuple(field.name for field in fields(BankCritic))


def network_tensors(
    critics: NetworkCritics, modalities: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, VoxelArray]:
    """Return weights and banks by `network/FOLD/MODALITY/NAME` and `bank/FOLD/PAIR/NAME`.

    Args:
        critics: What the estimator learned.
        modalities: In the order of the cohort, by which they are numbered.
        pairs: In the order of the cohort.
    """
    tensors: dict[str, VoxelArray] = {}
    for fold, encoders in enumerate(critics.encoders):
        for modality, encoder in encoders.items():
            start = f"{NETWORK}/{fold}/{list(modalities).index(modality)}"
            for name, value in encoder.state_dict().items():
                tensors[f"{start}/{name}"] = value.detach().cpu().numpy()
    for fold, of_pair in enumerate(critics.critics):
        for pair, critic in of_pair.items():
            start = f"{BANK}/{fold}/{list(pairs).index(pair)}"
            for name in _BANK_FIELDS:
                tensors[f"{start}/{name}"] = np.asarray(getattr(critic, name), dtype=np.float32)
    return tensors


def network_critics_of(
    tensors: Mapping[str, VoxelArray],
    fold_of_case: IntArray,
    modalities: Sequence[str],
    pairs: Sequence[Pair],
) -> NetworkCritics:
    """Return the critics that were kept.

    Args:
        tensors: By the names that `network_tensors` gave.
        fold_of_case: Fold of every case.
        modalities: In the order of the cohort.
        pairs: In the order of the cohort.

    Raises:
        KeyError, ValueError: If a tensor is missing or does not fit the others.
    """
    folds = range(int(fold_of_case.max()) + 1)
    encoders, critics = [], []
    for fold in folds:
        weights = {modalities[n]: found for n, found in _numbered(tensors, f"{NETWORK}/{fold}")}
        encoders.append({modality: _encoder(of) for modality, of in weights.items()})
        banks = {pairs[n]: found for n, found in _numbered(tensors, f"{BANK}/{fold}")}
        critics.append({pair: _critic(of) for pair, of in banks.items()})
    return NetworkCritics(fold_of_case, tuple(encoders), tuple(critics))


def _numbered(
    tensors: Mapping[str, VoxelArray], start: str
) -> list[tuple[int, dict[str, VoxelArray]]]:
    """Return the tensors below a name by number and rest of the name."""
    found: dict[int, dict[str, VoxelArray]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{start}/"):
            number, rest = name.removeprefix(f"{start}/").split("/", 1)
            found.setdefault(int(number), {})[rest] = value
    return sorted(found.items())


def _encoder(weights: Mapping[str, VoxelArray]) -> PositionEncoder:
    try:
        return position_encoder_of({n: torch.from_numpy(v.copy()) for n, v in weights.items()})
    except RuntimeError as error:
        msg = f"Expected weights that fit each other, got others: {error}"
        raise ValueError(msg) from error


def _critic(of: Mapping[str, VoxelArray]) -> BankCritic:
    values = {name: np.asarray(of[name], dtype=np.float32) for name in _BANK_FIELDS[1:]}
    return BankCritic(scale=float(of[_BANK_FIELDS[0]]), **values)
