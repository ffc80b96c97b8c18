"""One vector per case from the features of all its modalities, to tell similar cases by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from MDALSelectorLib.estimation.cross_fitting import FloatArray
from MDALSelectorLib.estimation.gaussian import whiten
from MDALSelectorLib.estimation.pair_estimate import has_modality


def fused_embedding(features: Mapping[str, FloatArray], *, n_components: int = 8) -> FloatArray:
    """Join the whitened principal components of all modalities, one unit vector each.

    Every modality that a case has counts the same. A modality that it lacks is a block of zeros:
    to every other case it is at the distance 1 there, between that of two like cases (0) and that
    of two unlike ones (the root of 2), so the gap moves the case neither to nor from any group.
    Whitening ignores labels and pairs, so the embedding may see all cases.

    Args:
        features: Per modality `(n_cases, n_features)`; a row of NaN where it is missing.
        n_components: Most components per modality; at most half of the cases that have it.

    Returns:
        Shape `(n_cases, n_embedding)`, unitless.
    """
    has = has_modality(features)
    blocks = [_block(values, has[m], n_components) for m, values in features.items()]
    return np.concatenate(blocks, axis=1)


def _block(values: FloatArray, has: np.ndarray, n_components: int) -> FloatArray:
    n_having = int(has.sum())
    is_constant = n_having < 2 or bool((np.ptp(values[has], axis=0) == 0).all())
    if is_constant:
        return np.zeros((len(values), 1))
    whitening = whiten(values[has], n_components=max(1, min(n_components, n_having // 2)))
    components = whitening(values[has])
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    block = np.zeros((len(values), components.shape[1]))
    block[has] = components / np.where(lengths > 0, lengths, 1)
    return block
