"""PMI of a cohort by one or both estimators behind one call, `estimate`.

Cases are scored out of fold only: the estimators take a plan of who is held out and return scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, plan_cross_fit
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates, shuffled_bounds
from MDALSelectorLib.estimation.pair_estimate import (
    Estimation,
    ModalityPair,
    PairEstimate,
    has_modality,
    joint_cases,
    modality_difference,
    null_bound,
)
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter

if TYPE_CHECKING:
    from MDALSelectorLib.estimation.case_embeddings import ViewSource


def estimate(
    features: Mapping[str, Float64Array] | None,
    *,
    case_ids: Sequence[str],
    patient_ids: Sequence[str],
    config: EstimationConfig,
    source: ViewSource | None = None,
    reporter: Reporter | None = None,
) -> Estimation:
    """Estimate the PMI of a cohort's cases and what ranks them.

    `auto` runs both estimators on the same folds and ranks by the one whose held-out bounds on the
    same pairs add up to more. Too few cases, too few patients or no signal are outcomes, not
    errors: `unused` says why a pair does not count.

    Args:
        features: Per modality `(n_cases, n_features)`, a row of NaN where it is missing; for the
            Gaussian estimator and the bounds of shuffled pairs.
        case_ids: Identifier per case, ascending, as a cohort sorts them.
        patient_ids: Patient per case.
        config: Which estimator, folds, seed and limits.
        source: Views of the cases in the same order, for the contrastive estimator.
        reporter: Notified of stages and folds.

    Raises:
        CohortError: If features are not finite; the message names the cases.
        UsageError: If the data for the chosen estimator are not given.
        ValueError: If cases are not in order, or lengths and modalities differ.
    """
    reporter = reporter or NullReporter()
    data = _Data.checked(features, source, case_ids, patient_ids)
    names = _estimators(config, data)
    unused = {p: why for p in data.pairs if (why := _why_too_few(data, p, config)) is not None}
    scored = [pair for pair in data.pairs if pair not in unused]
    estimates: dict[str, tuple[PairEstimate, ...]] = dict.fromkeys(names, ())
    null: Mapping[ModalityPair, Float64Array] = {}
    if scored:
        plan = plan_cross_fit(patient_ids, config=config.cross_fit, seed=config.seed)
        for name in names:
            estimates[name] = _run(name, data, scored, plan=plan, config=config, reporter=reporter)
        null = _shuffled(data, scored, plan, config)
    best = max(names, key=lambda name: sum(max(e.bound_nats, 0.0) for e in estimates[name]))
    unused |= _without_signal(estimates[best], null, config)
    return Estimation(
        case_ids=tuple(case_ids),
        pairs=data.pairs,
        estimator=best,
        estimates=estimates,
        null_bounds=null,
        unused=unused,
        difference=modality_difference(
            estimates[best], n_cases=len(case_ids), unused=unused, pairs=data.pairs
        ),
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """What an estimation starts from, checked.

    Attributes:
        patient_ids: Patient of every case.
        features: Per modality `(n_cases, n_features)`, or `None`.
        source: Views of the cases, or `None`.
        available: Which cases have each modality.
    """

    patient_ids: Sequence[str]
    features: Mapping[str, Float64Array] | None
    source: ViewSource | None
    available: Mapping[str, MaskArray]

    @classmethod
    def checked(
        cls,
        features: Mapping[str, Float64Array] | None,
        source: ViewSource | None,
        case_ids: Sequence[str],
        patient_ids: Sequence[str],
    ) -> _Data:
        if sorted(set(case_ids)) != list(case_ids) or len(patient_ids) != len(case_ids):
            msg = "Expected different case identifiers in order and one patient for each of them."
            raise ValueError(msg)
        _check_features(features or {}, case_ids)
        given = [] if features is None else [has_modality(features)]
        given += [] if source is None else [dict(source.available)]
        if not given:
            msg = "Expected features, views or both."
            raise ValueError(msg)
        first, last = given[0], given[-1]
        if list(first) != list(last) or any((first[m] != last[m]).any() for m in first):
            msg = "Expected features and views of the same modalities of the same cases."
            raise ValueError(msg)
        return cls(patient_ids, features, source, first)

    @property
    def pairs(self) -> tuple[ModalityPair, ...]:
        """All pairs of modalities, in the order of the cohort."""
        return tuple(combinations(self.available, 2))


def _estimators(config: EstimationConfig, data: _Data) -> list[str]:
    """Return the estimators to run; on a tie the first one ranks."""
    has_data = {"gaussian": data.features is not None, "contrastive": data.source is not None}
    if config.estimator == "auto":
        return [name for name, has in has_data.items() if has]
    if not has_data[config.estimator]:
        needed = "features" if config.estimator == "gaussian" else "views"
        msg = f"The {config.estimator} estimator needs {needed} of the cases. Choose 'auto'."
        raise UsageError(msg)
    return [config.estimator]


def _run(
    name: str,
    data: _Data,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: EstimationConfig,
    reporter: Reporter,
) -> tuple[PairEstimate, ...]:
    if name == "gaussian" or data.source is None:
        return gaussian_estimates(
            data.features or {}, pairs, plan=plan, config=config.gaussian, reporter=reporter
        )
    from MDALSelectorLib.estimation.contrastive_estimator import (
        contrastive_estimates,
        contrastive_settings,
    )

    return contrastive_estimates(
        data.source,
        pairs,
        plan=plan,
        settings=contrastive_settings(config),
        reporter=reporter,
    )


def _shuffled(
    data: _Data,
    pairs: Sequence[ModalityPair],
    plan: CrossFitPlan,
    config: EstimationConfig,
) -> Mapping[ModalityPair, Float64Array]:
    if data.features is None or not config.gaussian.n_shuffles:
        return {}
    return shuffled_bounds(
        data.features, pairs, plan=plan, config=config.gaussian, seed=config.seed
    )


def _without_signal(
    estimates: Sequence[PairEstimate],
    null: Mapping[ModalityPair, Float64Array],
    config: EstimationConfig,
) -> dict[ModalityPair, str]:
    """Return the pairs whose bound chance could reach, and say so."""
    unused = {}
    for estimate in estimates:
        limit = max(config.min_bound_nats, null_bound(null.get(estimate.pair, np.empty(0))))
        if not estimate.bound_nats > limit:
            unused[estimate.pair] = (
                f"{' and '.join(estimate.pair)} share {estimate.bound_nats:.2f} nats in cases that"
                f" were held out, no more than the {limit:.2f} nats that chance alone could give."
            )
    return unused


def _why_too_few(data: _Data, pair: ModalityPair, config: EstimationConfig) -> str | None:
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


def _check_features(features: Mapping[str, Float64Array], case_ids: Sequence[str]) -> None:
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
