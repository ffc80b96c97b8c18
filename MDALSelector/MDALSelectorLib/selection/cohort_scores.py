"""What a selection is made from: the scores of a cohort, and what the user asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.selection.diagnostics import Diagnostics
from MDALSelectorLib.strategies import DEFAULT_STRATEGY
from MDALSelectorLib.strategies.base import StrategyOptions

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CohortScores:
    """What the estimators found out about a cohort; row i of every array is case i.

    Attributes:
        cohort: Name of the cohort.
        modalities: In the order of the cohort.
        case_ids: Distinct names, any order.
        patient_ids: Patient of every case.
        pmi_nats: PMI per case and pair of `diagnostics.pairs`, shape `(n_cases, n_pairs)`, NaN
            where it could not be scored.
        z: The same against median and spread of the cohort, same shape.
        modality_difference: Minus the mean of `z` over the used pairs, shape `(n_cases,)`, NaN
            where no pair could be scored.
        embeddings: Fused embedding, shape `(n_cases, n_features)`.
        diagnostics: What speaks for and against the scores.
        flags: Flags per case name.
        labelled: Names of the cases that have a label.
        accepted: Names of the cases whose pairing the user has confirmed.
        voxel_nmi: Mean normalized mutual information of voxels, shape `(n_cases,)`.
        score: The user's own score, shape `(n_cases,)`.
    """

    cohort: str
    modalities: tuple[str, ...]
    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    pmi_nats: FloatArray
    z: FloatArray
    modality_difference: FloatArray
    embeddings: FloatArray
    diagnostics: Diagnostics
    flags: Mapping[str, tuple[Flag, ...]] = field(default_factory=dict)
    labelled: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    voxel_nmi: FloatArray | None = None
    score: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse names of cases that do not exist and arrays of another shape."""
        shape = (len(self.case_ids), len(self.diagnostics.pairs))
        if self.pmi_nats.shape != shape or self.z.shape != shape:
            msg = f"Expected PMI and z of shape {shape}, got {self.pmi_nats.shape}, {self.z.shape}."
            raise ValueError(msg)
        unknown = ({*self.flags} | self.labelled | self.accepted) - {*self.case_ids}
        if unknown:
            msg = f"Expected names of cases of the cohort, got {', '.join(sorted(unknown))}."
            raise ValueError(msg)


@dataclass(frozen=True)
class SelectionRequest:
    """What the user asked for.

    Attributes:
        budget: How many cases to suggest.
        strategy: Name of the strategy.
        seed: Seed of everything random.
        options: Options of the strategies.
    """

    budget: Budget
    strategy: str = DEFAULT_STRATEGY
    seed: int = 0
    options: StrategyOptions = field(default_factory=StrategyOptions)
