"""Maps of local PMI: at which positions of a case the modalities fit each other, and where not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from MDALSelectorLib.estimation.local_samples import Blurs, seen_body
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MDALSelectorLib.estimation.position_critics import PositionCritic, PositionCritics
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase


def local_pmi_maps(
    case: PreparedCase,
    *,
    row: int,
    critics: PositionCritics,
    kinds: Mapping[str, str],
    blurs: Blurs,
) -> dict[ModalityPair, Float32Array]:
    """Return the PMI at every position of a case's body, by critics that never saw the case.

    Args:
        case: The prepared case.
        row: Its row in the cohort that the critics were learned from.
        critics: What the first repeat learned.
        kinds: Kind of every modality.
        blurs: Blur of every modality that matches the resolutions, mm.

    Returns:
        Per pair that the case has and that was learned, nats, `(K, J, I)`; NaN where a position
        does not count. Low where the modalities do not fit each other.
    """
    fold = int(critics.fold_of_case[row])
    critic_of = critics.critics[fold]
    needed = {modality for pair in critic_of for modality in pair}
    described = {
        modality: critics.describe(case, modality, fold=fold, kind=kinds[modality], blurs=blurs)
        for modality in case.modalities
        if modality in needed and seen_body(case, modality).any()
    }
    return {
        pair: _at(_counts(case, pair), described, pair, critic)
        for pair, critic in critic_of.items()
        if set(pair) <= set(described)
    }


def _counts(case: PreparedCase, pair: ModalityPair) -> MaskArray:
    first, second = (seen_body(case, modality) for modality in pair)
    return np.asarray(first & second)


def _at(
    counts: MaskArray,
    described: Mapping[str, Float64Array],
    pair: ModalityPair,
    critic: PositionCritic,
) -> Float32Array:
    first, second = (described[modality][counts] for modality in pair)
    found = np.full(counts.shape, np.nan, dtype=np.float32)
    found[counts] = critic.matched(first, second)
    return found
