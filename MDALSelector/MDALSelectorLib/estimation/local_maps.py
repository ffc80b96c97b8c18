"""Maps of local PMI: at which positions of a case the modalities fit each other, and where not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from MDALSelectorLib.estimation.local_estimator import LocalCritics
from MDALSelectorLib.estimation.local_gaussian import LocalCritic
from MDALSelectorLib.estimation.local_samples import Blurs, case_features, seen_body
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase


def local_pmi_maps(
    case: PreparedCase,
    *,
    row: int,
    critics: LocalCritics,
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
    maps, critic_of = critics.maps[fold], critics.critics[fold]
    scores: dict[str, Float64Array] = {}
    for modality in case.modalities:
        if modality in maps and seen_body(case, modality).any():
            found = case_features(case, modality, kind=kinds[modality], blurs=blurs)
            scores[modality] = maps[modality](np.moveaxis(found, 0, -1))
    return {
        pair: _at(_counts(case, pair), scores, pair, critic)
        for pair, critic in critic_of.items()
        if set(pair) <= set(scores)
    }


def _counts(case: PreparedCase, pair: ModalityPair) -> MaskArray:
    first, second = (seen_body(case, modality) for modality in pair)
    return np.asarray(first & second)


def _at(
    counts: MaskArray,
    scores: Mapping[str, Float64Array],
    pair: ModalityPair,
    critic: LocalCritic,
) -> Float32Array:
    first, second = (scores[modality][counts] for modality in pair)
    found = np.full(counts.shape, np.nan, dtype=np.float32)
    found[counts] = critic.matched(first, second)
    return found
