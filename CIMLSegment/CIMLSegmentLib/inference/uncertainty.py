"""Predictive entropy: how undecided the network is when its messages are sampled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_TINY = np.float32(1e-7)


def predictive_entropy(probabilities: FloatArray) -> FloatArray:
    """Return the entropy of yes-or-no predictions.

    Args:
        probabilities: Mean over samples of the probability of a region, any shape.

    Returns:
        Nats, 0 where the prediction is certain, ln 2 where it is even; same shape.
    """
    p = np.clip(probabilities, _TINY, 1 - _TINY).astype(np.float32)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    return np.where((probabilities > _TINY) & (probabilities < 1 - _TINY), entropy, np.float32(0))
