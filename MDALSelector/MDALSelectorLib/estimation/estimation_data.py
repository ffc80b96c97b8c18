"""The data of an estimation, checked and sorted by case, and the way back to the input's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import FloatArray, IntArray
from MDALSelectorLib.estimation.pair_estimate import (
    BoolArray,
    ModalityPair,
    PairEstimate,
    has_modality,
    joint_cases,
)
from MultimodalImagingLib.errors import CohortError

if TYPE_CHECKING:
    from MDALSelectorLib.estimation.views import ViewSource


@dataclass(frozen=True, eq=False)
class EstimationData:
    """Cases sorted by identifier, so that the order of the input cannot matter.

    Attributes:
        order: Input row of each case, `(n_cases,)`.
        case_ids: Sorted.
        patient_ids: In the same order.
        features: Per modality `(n_cases, n_features)`, or `None`.
        source: Views in the same order, or `None`.
        available: Which cases have each modality.
    """

    order: IntArray
    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    features: Mapping[str, FloatArray] | None
    source: ViewSource | None
    available: Mapping[str, BoolArray]

    @property
    def pairs(self) -> tuple[ModalityPair, ...]:
        """All pairs of modalities, in the order of the cohort."""
        return tuple(combinations(self.available, 2))

    def in_input_order(self, estimate: PairEstimate) -> PairEstimate:
        """Return an estimate whose cases are rows of the input."""
        rows = self.order[estimate.case_index]
        back = np.argsort(rows)
        return replace(
            estimate,
            case_index=rows[back],
            repeat_pmi=estimate.repeat_pmi[:, back],
            half_pmi=estimate.half_pmi[:, :, back],
        )


def estimation_data(
    features: Mapping[str, FloatArray] | None,
    source: ViewSource | None,
    *,
    case_ids: Sequence[str],
    patient_ids: Sequence[str],
) -> EstimationData:
    """Check and sort what an estimation starts from.

    Raises:
        CohortError: If features are neither finite nor a row of NaN; the message names the cases.
        ValueError: If lengths differ or identifiers repeat.
    """
    n_cases = len(case_ids)
    if len(set(case_ids)) != n_cases or len(patient_ids) != n_cases:
        msg = "Expected different case identifiers and one patient for each of them."
        raise ValueError(msg)
    order = np.argsort(np.asarray(case_ids, dtype=str), kind="stable").astype(np.int64)
    given: list[Mapping[str, BoolArray]] = []
    if features is not None:
        _check_features(features, case_ids)
        features = {m: np.asarray(v, dtype=np.float64)[order] for m, v in features.items()}
        given.append(has_modality(features))
    if source is not None:
        from MDALSelectorLib.estimation.views import ReorderedViews

        source = ReorderedViews(source, order)
        given.append(source.available)
    _check_same_availability(given)
    return EstimationData(
        order=order,
        case_ids=tuple(case_ids[i] for i in order),
        patient_ids=tuple(patient_ids[i] for i in order),
        features=features,
        source=source,
        available=given[0],
    )


def why_too_few(data: EstimationData, pair: ModalityPair, config: EstimationConfig) -> str | None:
    """Return why a pair has too few cases to be scored, `None` if it has enough."""
    cases = joint_cases(data.available, pair)
    if len(cases) < config.min_cases:
        return (
            f"{len(cases)} cases have both {pair[0]} and {pair[1]}; at least {config.min_cases} are"
            " needed."
        )
    n_patients = len({data.patient_ids[case] for case in cases})
    if n_patients < 2 * config.cross_fit.n_folds:
        return (
            f"{n_patients} patients have both {pair[0]} and {pair[1]}; at least"
            f" {2 * config.cross_fit.n_folds} are needed, two in each fold."
        )
    return None


def _check_same_availability(given: Sequence[Mapping[str, BoolArray]]) -> None:
    if not given:
        msg = "Expected features, views or both."
        raise ValueError(msg)
    for found in given[1:]:
        if list(found) != list(given[0]) or any((found[m] != given[0][m]).any() for m in found):
            msg = "Expected features and views of the same modalities of the same cases."
            raise ValueError(msg)


def _check_features(features: Mapping[str, FloatArray], case_ids: Sequence[str]) -> None:
    for modality, values in features.items():
        if values.ndim != 2 or len(values) != len(case_ids):
            msg = (
                f"Expected features of {modality} of shape ({len(case_ids)}, n_features), got"
                f" {values.shape}."
            )
            raise ValueError(msg)
        is_missing = np.isnan(values).all(axis=1)
        is_bad = ~np.isfinite(values).all(axis=1) & ~is_missing
        if is_bad.any():
            names = ", ".join(case_ids[i] for i in np.flatnonzero(is_bad)[:5])
            msg = (
                f"Expected finite features of {modality}, got NaN or infinity in {is_bad.sum()}"
                f" cases ({names}). Check the images of these cases, or leave the modality out of"
                " them."
            )
            raise CohortError(msg)
