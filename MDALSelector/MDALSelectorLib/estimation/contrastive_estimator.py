"""Cross-fitted contrastive PMI of all pairs of modalities.

The one public function trains, scores and forgets: encoders are never returned, and every case is
scored by encoders whose training and stopping saw no case of its patient. The scores of different
folds are merged as they are: the two-sided normalization makes them nats of the same zero, and
standardizing each fold on top lowered the rank correlation with known PMI (by 0.01 at N = 125).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split
from MDALSelectorLib.estimation.fold_scores import ContrastiveSettings, FoldScores, score_fold
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate, joint_cases
from MDALSelectorLib.estimation.torch_jobs import run_jobs
from MDALSelectorLib.estimation.views import ViewSource
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter


def contrastive_estimates(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: ContrastiveSettings,
    reporter: Reporter | None = None,
) -> tuple[PairEstimate, ...]:
    """Estimate the PMI of every case and pair, each case by encoders of other patients.

    On the CPU every fold is trained by one thread, several folds at a time, so that the bytes of
    the result do not depend on the number of cores. If a GPU does not have enough memory, all
    folds are trained on the CPU.

    Args:
        source: Views of the cases.
        pairs: Pairs of modalities, each with at least two cases per fold.
        plan: Which cases are held out when.
        settings: Training, normalization and device.
        reporter: Notified of every trained fold.
    """
    reporter = reporter or NullReporter()
    try:
        return _estimates(source, pairs, plan=plan, settings=settings, reporter=reporter)
    except torch.cuda.OutOfMemoryError:
        reporter.warning("The GPU does not have enough memory; the CPU is used instead.")
    settings = replace(settings, device=torch.device("cpu"))
    return _estimates(source, pairs, plan=plan, settings=settings, reporter=reporter)


def _estimates(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    settings: ContrastiveSettings,
    reporter: Reporter,
) -> tuple[PairEstimate, ...]:
    n_halves = min(settings.training.n_reliability_splits, plan.n_repeats)
    jobs = list(_jobs(plan, n_halves))
    cases = {pair: joint_cases(source.available, pair) for pair in pairs}
    sheets = {pair: _Sheet(pair, cases[pair], plan.seeds.shape, n_halves) for pair in pairs}
    reporter.stage("PMI, contrastive", len(jobs))
    for job, scores in run_jobs(
        lambda job: score_fold(source, pairs, job.split, settings), jobs, device=settings.device
    ):
        for of_pair in scores:
            sheets[of_pair.pair].note(of_pair, job)
        reporter.advance()
    return tuple(sheets[pair].estimate() for pair in pairs)


@dataclass(frozen=True, eq=False)
class _Job:
    """One training: a fold of a repeat, or a half of its training cases."""

    split: Split
    repeat: int
    fold: int
    half: int | None = None


def _jobs(plan: CrossFitPlan, n_halves: int) -> Iterator[_Job]:
    for repeat in range(plan.n_repeats):
        for fold, split in enumerate(plan.splits(repeat)):
            yield _Job(split, repeat, fold)
            if repeat < n_halves:
                for half, part in enumerate(split.halves()):
                    yield _Job(part, repeat, fold, half)


class _Sheet:
    """Collects the out-of-fold scores of one pair over folds and repeats."""

    def __init__(
        self, pair: ModalityPair, cases: IntArray, shape: tuple[int, ...], n_halves: int
    ) -> None:
        self._pair, self._cases = pair, cases
        self._pmi = np.full((shape[0], len(cases)), np.nan)
        self._half = np.full((n_halves, 2, len(cases)), np.nan)
        self._bounds = np.full(shape, np.nan)
        self._facts: dict[tuple[int, int], Mapping[str, float]] = {}

    def note(self, scores: FoldScores, job: _Job) -> None:
        if job.half is not None:
            self._half[job.repeat, job.half, scores.is_held_out] = scores.pmi
            return
        self._pmi[job.repeat, scores.is_held_out] = scores.pmi
        self._bounds[job.repeat, job.fold] = scores.bound
        self._facts[job.repeat, job.fold] = scores.facts

    def estimate(self) -> PairEstimate:
        return PairEstimate(
            pair=self._pair,
            estimator="contrastive",
            case_index=self._cases,
            repeat_pmi=self._pmi,
            repeat_bounds=np.nanmean(self._bounds, axis=1),
            half_pmi=self._half,
            settings={"folds": [dict(self._facts[key]) for key in sorted(self._facts)]},
        )
