"""What an estimator finds for one pair of modalities; the same for all estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.cross_fitting import (
    FloatArray,
    IntArray,
    mean_pairwise_spearman,
    spearman,
)

ModalityPair = tuple[str, str]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PairEstimate:
    """Out-of-fold PMI of one pair of modalities.

    Attributes:
        pair: The two modalities, in the order of the cohort.
        estimator: `"gaussian"` or `"contrastive"`.
        case_index: Cases that have both modalities, ascending indices `(n,)`.
        repeat_pmi: PMI of these cases per repeat, nats, `(n_repeats, n)`.
        repeat_bounds: Held-out symmetric InfoNCE bound per repeat, nats, `(n_repeats,)`.
        half_pmi: PMI by two models of disjoint halves of the other folds' patients, nats,
            `(n_splits, 2, n)`; no splits if it was not computed.
        settings: What was chosen or reached in training; JSON-able.
    """

    pair: ModalityPair
    estimator: str
    case_index: IntArray
    repeat_pmi: FloatArray
    repeat_bounds: FloatArray
    half_pmi: FloatArray
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def pmi(self) -> FloatArray:
        """PMI of the cases of `case_index`, mean over repeats, nats, `(n,)`."""
        return np.asarray(self.repeat_pmi.mean(axis=0))

    @property
    def bound_nats(self) -> float:
        """Held-out InfoNCE bound on the mutual information, mean over repeats, nats."""
        return float(self.repeat_bounds.mean())

    @property
    def r12_repeats(self) -> float:
        """Mean rank correlation of the repeats, NaN for one; they share most of their data."""
        return mean_pairwise_spearman(self.repeat_pmi)

    @property
    def r12_disjoint(self) -> float:
        """Mean rank correlation of models that share no case; about 0 for shuffled pairs."""
        found = [spearman(one, other) for one, other in self.half_pmi]
        return float(np.mean(found)) if found else float("nan")


def has_modality(features: Mapping[str, FloatArray]) -> dict[str, BoolArray]:
    """Return which cases have each modality; the others are rows of NaN."""
    return {m: np.asarray(~np.isnan(v).any(axis=1), dtype=bool) for m, v in features.items()}


def joint_cases(available: Mapping[str, BoolArray], pair: ModalityPair) -> IntArray:
    """Return the indices of the cases that have both modalities, ascending."""
    return np.flatnonzero(available[pair[0]] & available[pair[1]]).astype(np.int64)
