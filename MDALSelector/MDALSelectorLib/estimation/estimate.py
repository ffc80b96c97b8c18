"""PMI of a cohort by one or both estimators behind one call, `estimate`.

Cases are scored out of fold only: the estimators take a plan of who is held out and return scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import (
    CrossFitPlan,
    FloatArray,
    plan_cross_fit,
    spearman,
)
from MDALSelectorLib.estimation.estimation_data import EstimationData, estimation_data, why_too_few
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates, shuffled_bounds
from MDALSelectorLib.estimation.modality_difference import ModalityDifference, modality_difference
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter

if TYPE_CHECKING:
    from MDALSelectorLib.estimation.views import ViewSource

NULL_QUANTILE = 0.95


@dataclass(frozen=True, eq=False)
class Estimation:
    """PMI of every case and pair, by every estimator that ran, and the difference that ranks.

    Attributes:
        case_ids: The cases, in the order of the input; row i of every array is case i.
        pairs: All pairs of modalities.
        estimator: The one that ranks; the first that ran if no pair could be scored.
        estimates: Per estimator, one estimate per pair that has enough cases.
        null_bounds: Per pair, held-out bounds of shuffled pairs, nats.
        unused: Per pair that does not count, why; a full sentence.
        difference: The modality difference by `estimator`.
    """

    case_ids: tuple[str, ...]
    pairs: tuple[ModalityPair, ...]
    estimator: str
    estimates: Mapping[str, tuple[PairEstimate, ...]]
    null_bounds: Mapping[ModalityPair, FloatArray]
    unused: Mapping[ModalityPair, str]
    difference: ModalityDifference

    @property
    def has_signal(self) -> bool:
        """Whether any pair says something that a ranking could rest on."""
        return self.difference.has_signal

    @property
    def bounds_nats(self) -> dict[str, float]:
        """Held-out bound per estimator, mean over the pairs that count (else over all), nats."""
        return {name: self._mean_bound(found) for name, found in self.estimates.items() if found}

    @property
    def null_bound_nats(self) -> float | None:
        """95th percentile of the bounds of shuffled pairs, mean over the same pairs, nats."""
        counted = self.difference.used or tuple(self.null_bounds)
        found = [
            _null_bound(self.null_bounds[pair]) for pair in counted if pair in self.null_bounds
        ]
        return float(np.mean(found)) if found else None

    @property
    def rank_correlation(self) -> float | None:
        """Rank correlation of the two estimators' PMI, mean over the pairs that count."""
        if len(self.estimates) < 2:
            return None
        one, other = self.estimates.values()
        found = [
            spearman(a.pmi, b.pmi)
            for a, b in zip(one, other, strict=True)
            if a.pair in self.difference.used or not self.has_signal
        ]
        return float(np.mean(found)) if found else None

    def _mean_bound(self, found: Sequence[PairEstimate]) -> float:
        used = self.difference.used or tuple(estimate.pair for estimate in found)
        return float(np.mean([e.bound_nats for e in found if e.pair in used]))


def estimate(
    features: Mapping[str, FloatArray] | None,
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
        case_ids: Identifier per case, all different, in any order.
        patient_ids: Patient per case.
        config: Which estimator, folds, seed and limits.
        source: Views of the cases in the same order, for the contrastive estimator.
        reporter: Notified of stages and folds.

    Raises:
        CohortError: If features are not finite; the message names the cases.
        UsageError: If the data for the chosen estimator are not given.
    """
    reporter = reporter or NullReporter()
    data = estimation_data(features, source, case_ids=case_ids, patient_ids=patient_ids)
    names = _estimators(config, data)
    unused = {p: why for p in data.pairs if (why := why_too_few(data, p, config)) is not None}
    scored = [pair for pair in data.pairs if pair not in unused]
    estimates: dict[str, tuple[PairEstimate, ...]] = dict.fromkeys(names, ())
    null: Mapping[ModalityPair, FloatArray] = {}
    if scored:
        plan = plan_cross_fit(data.patient_ids, config=config.cross_fit, seed=config.seed)
        for name in names:
            found = _run(name, data, scored, plan=plan, config=config, reporter=reporter)
            estimates[name] = tuple(data.in_input_order(estimate) for estimate in found)
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
        difference=modality_difference(estimates[best], n_cases=len(case_ids), unused=unused),
    )


def _estimators(config: EstimationConfig, data: EstimationData) -> list[str]:
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
    data: EstimationData,
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
    from MDALSelectorLib.estimation.contrastive_estimator import contrastive_estimates
    from MDALSelectorLib.estimation.fold_scores import contrastive_settings

    return contrastive_estimates(
        data.source,
        pairs,
        plan=plan,
        settings=contrastive_settings(config),
        reporter=reporter,
    )


def _shuffled(
    data: EstimationData,
    pairs: Sequence[ModalityPair],
    plan: CrossFitPlan,
    config: EstimationConfig,
) -> Mapping[ModalityPair, FloatArray]:
    if data.features is None or not config.gaussian.n_shuffles:
        return {}
    return shuffled_bounds(
        data.features, pairs, plan=plan, config=config.gaussian, seed=config.seed
    )


def _without_signal(
    estimates: Sequence[PairEstimate],
    null: Mapping[ModalityPair, FloatArray],
    config: EstimationConfig,
) -> dict[ModalityPair, str]:
    """Return the pairs whose bound chance could reach, and say so."""
    unused = {}
    for estimate in estimates:
        limit = max(config.min_bound_nats, _null_bound(null.get(estimate.pair, np.empty(0))))
        if not estimate.bound_nats > limit:
            unused[estimate.pair] = (
                f"{' and '.join(estimate.pair)} share {estimate.bound_nats:.2f} nats in cases that"
                f" were held out, no more than the {limit:.2f} nats that chance alone could give."
            )
    return unused


def _null_bound(bounds: FloatArray) -> float:
    return float(np.quantile(bounds, NULL_QUANTILE)) if len(bounds) else -np.inf
