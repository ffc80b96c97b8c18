"""PMI of a cohort by one or several estimators behind one call, `estimate`.

Cases are scored out of fold only: the estimators take a plan of who is held out and return scores.
Which of them ranks is decided in `choice`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from MDALSelectorLib.estimation.choice import (
    MAX_CPU_SECONDS,
    Found,
    best_estimator,
    cpu_seconds,
    judge,
    networks_can_change,
)
from MDALSelectorLib.estimation.config import NETWORK_ESTIMATORS, EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, plan_cross_fit, spearman
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates, shuffled_bounds
from MDALSelectorLib.estimation.local_estimator import local_estimates
from MDALSelectorLib.estimation.pair_estimate import (
    ModalityDifference,
    ModalityPair,
    PairEstimate,
    least_agreement,
)
from MDALSelectorLib.estimation.position_critics import PositionCritics
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter


@dataclass(frozen=True, eq=False)
class Scored:
    """What one estimator gives before it is judged.

    Attributes:
        estimates: One per pair that it could score.
        critics: What it learned of positions; `None` if it looks at whole cases.
    """

    estimates: Sequence[PairEstimate] = ()
    critics: PositionCritics | None = None


class EstimatorMemo(Protocol):
    """Keeps what estimators found."""

    def __call__(self, name: str, make: Callable[[], Scored]) -> Scored:
        """Return what an estimator found earlier, or let it run and keep that."""


def _run_anew(name: str, make: Callable[[], Scored]) -> Scored:  # noqa: ARG001
    return make()


@dataclass(frozen=True, eq=False)
class Estimation:
    """PMI of every case and pair, by every estimator that ran, and the difference that ranks.

    Attributes:
        case_ids: The cases; row i of every array is case i.
        pairs: All pairs of modalities.
        estimator: The one that ranks; the first that ran if no pair could be scored.
        found: What each estimator found, in the order in which they ran.
        critics: What the estimator that ranks learned of positions; `None` for others.
    """

    case_ids: tuple[str, ...]
    pairs: tuple[ModalityPair, ...]
    estimator: str
    found: Mapping[str, Found]
    critics: PositionCritics | None = None

    @property
    def estimates(self) -> dict[str, tuple[PairEstimate, ...]]:
        """Per estimator, one estimate per pair that has enough cases."""
        return {name: found.estimates for name, found in self.found.items()}

    @property
    def unused(self) -> Mapping[ModalityPair, str]:
        """Per pair that does not count, why; a full sentence."""
        return self.found[self.estimator].unused

    @property
    def difference(self) -> ModalityDifference:
        """The modality difference by the estimator that ranks."""
        return self.found[self.estimator].difference

    @property
    def has_signal(self) -> bool:
        """Whether any pair says something that a ranking could rest on."""
        return self.difference.has_signal

    @property
    def bounds_nats(self) -> dict[str, float]:
        """Held-out bound per estimator, mean over the pairs that count (else over all), nats."""
        bounds = {name: found.bound_nats for name, found in self.found.items()}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    @property
    def r12_disjoint(self) -> dict[str, float]:
        """Repeatability per estimator that has a signal."""
        found = {n: of.difference.r12_disjoint for n, of in self.found.items()}
        return {name: r12 for name, r12 in found.items() if np.isfinite(r12)}

    @property
    def null_bound_nats(self) -> float | None:
        """What chance reaches with the estimator that ranks, nats."""
        return self.found[self.estimator].null_bound_nats

    @property
    def null_grouping(self) -> str:
        """What patients were exchanged within to reach that; `ANYONE` for nothing."""
        return self.found[self.estimator].null_grouping

    @property
    def least_agreement(self) -> Float64Array:
        """What the positions of each case share where they share least, nats, `(n_cases,)`.

        By the estimator that ranks; NaN for estimators that look at whole cases.
        """
        return least_agreement(
            self.found[self.estimator].estimates,
            self.difference.used,
            n_cases=len(self.case_ids),
        )

    @property
    def rank_correlation(self) -> float | None:
        """Rank correlation of the modality difference with that of the next best estimator."""
        others = {
            name: found
            for name, found in self.found.items()
            if name != self.estimator and found.difference.has_signal
        }
        if not others or not self.has_signal:
            return None
        one, other = self.difference.values, others[best_estimator(others)].difference.values
        both = np.isfinite(one) & np.isfinite(other)
        return spearman(one[both], other[both])


def estimate(
    data: EstimationData,
    config: EstimationConfig,
    reporter: Reporter | None = None,
    *,
    memo: EstimatorMemo = _run_anew,
) -> Estimation:
    """Estimate the PMI of a cohort's cases and what ranks them.

    Too few cases, too few patients or no signal are outcomes, not errors: `unused` says why a pair
    does not count.

    Args:
        data: The cases and what the estimators look at.
        config: Which estimator, folds, seed and limits.
        reporter: Notified of stages and folds.
        memo: Keeps what an estimator found.

    Raises:
        UsageError: If the data for the chosen estimator are not given.
    """
    run = _Run(data, config, reporter or NullReporter(), memo)
    n_modalities = len({modality for pair in run.too_few for modality in pair})
    found: dict[str, Found] = {}
    for name in _estimators(config, data):
        why_not = _why_left_out(name, found, config, n_modalities=n_modalities)
        if why_not:
            run.reporter.info(why_not)
        else:
            found[name] = run.found(name)
    best = best_estimator(found)
    return Estimation(
        case_ids=tuple(data.case_ids),
        pairs=tuple(run.too_few),
        estimator=best,
        found=found,
        critics=run.critics.get(best),
    )


def _why_left_out(
    name: str, found: Mapping[str, Found], config: EstimationConfig, *, n_modalities: int
) -> str:
    """Say why `auto` does without an estimator; empty if it does not."""
    if config.estimator != "auto" or name not in NETWORK_ESTIMATORS:
        return ""
    if not networks_can_change(found):
        return f"The {name} estimator is left out: another one has a signal and repeats."
    seconds = cpu_seconds(config, n_modalities)
    if name == "local-contrastive" and seconds > MAX_CPU_SECONDS and not _has_gpu(config):
        return (
            f"The {name} estimator is left out: without a GPU it would take one core about"
            f" {seconds / 60:.0f} minutes. Choose it by name to run it all the same."
        )
    return ""


def _has_gpu(config: EstimationConfig) -> bool:
    from MDALSelectorLib.estimation.fold_jobs import chosen_device

    return chosen_device(config.device).type != "cpu"


def _estimators(config: EstimationConfig, data: EstimationData) -> list[str]:
    """Return the estimators that may run, in order; on a tie the first one ranks."""
    given = {
        "local": data.samples,
        "gaussian": data.features,
        "local-contrastive": data.patches,
        "contrastive": data.views,
    }
    if config.estimator == "auto":
        return [name for name, needed in given.items() if needed is not None]
    if given[config.estimator] is None:
        needed = {
            "local": "positions",
            "gaussian": "features",
            "local-contrastive": "patches",
            "contrastive": "views",
        }
        msg = (
            f"The {config.estimator} estimator needs {needed[config.estimator]} of the cases."
            " Choose 'auto'."
        )
        raise UsageError(msg)
    return [config.estimator]


class _Run:
    """Runs estimators on the same folds of the same pairs."""

    def __init__(
        self,
        data: EstimationData,
        config: EstimationConfig,
        reporter: Reporter,
        memo: EstimatorMemo,
    ) -> None:
        self._data, self._config, self.reporter, self._memo = data, config, reporter, memo
        self.too_few = data.why_too_few(config)
        self.critics: dict[str, PositionCritics] = {}

    def found(self, name: str) -> Found:
        scored = [pair for pair, why in self.too_few.items() if why is None]
        outcome = Scored()
        if scored:
            plan = plan_cross_fit(
                self._data.patient_ids, config=self._config.cross_fit, seed=self._config.seed
            )
            run = {
                "local": self._local,
                "gaussian": self._gaussian,
                "local-contrastive": self._local_contrastive,
                "contrastive": self._contrastive,
            }[name]
            outcome = self._memo(name, partial(run, scored, plan))
        if outcome.critics is not None:
            self.critics[name] = outcome.critics
        return judge(
            outcome.estimates,
            too_few={pair: why for pair, why in self.too_few.items() if why is not None},
            pairs=tuple(self.too_few),
            n_cases=len(self._data.case_ids),
            config=self._config,
        )

    def _local(self, pairs: Sequence[ModalityPair], plan: CrossFitPlan) -> Scored:
        if self._data.samples is None:
            return Scored()
        found = local_estimates(
            self._data.samples,
            pairs,
            plan=plan,
            config=self._config.local,
            groups=self._data.groups,
            reporter=self.reporter,
        )
        return Scored(found.estimates, found.critics)

    def _gaussian(self, pairs: Sequence[ModalityPair], plan: CrossFitPlan) -> Scored:
        config, features = self._config.gaussian, self._data.features or {}
        found = gaussian_estimates(
            features, pairs, plan=plan, config=config, reporter=self.reporter
        )
        null = shuffled_bounds(
            features,
            pairs,
            plan=plan,
            config=config,
            groups=self._data.groups,
            reporter=self.reporter,
        )
        return Scored([replace(of, null_bounds=null[of.pair]) for of in found])

    def _local_contrastive(self, pairs: Sequence[ModalityPair], plan: CrossFitPlan) -> Scored:
        if self._data.patches is None:
            return Scored()
        from MDALSelectorLib.estimation.local_contrastive import (
            local_contrastive_estimates,
            local_contrastive_settings,
        )

        found = local_contrastive_estimates(
            self._data.patches(),
            pairs,
            plan=plan,
            settings=local_contrastive_settings(self._config),
            groups=self._data.groups,
            reporter=self.reporter,
        )
        return Scored(found.estimates, found.critics)

    def _contrastive(self, pairs: Sequence[ModalityPair], plan: CrossFitPlan) -> Scored:
        if self._data.views is None:
            return Scored()
        from MDALSelectorLib.estimation.contrastive_estimator import (
            contrastive_estimates,
            contrastive_settings,
        )

        found = contrastive_estimates(
            self._data.views(),
            pairs,
            plan=plan,
            settings=contrastive_settings(self._config),
            groups=self._data.groups,
            reporter=self.reporter,
        )
        return Scored(found)
