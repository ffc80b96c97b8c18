"""Cross-fitted closed-form PMI of all pairs of modalities, and what chance alone would reach.

Scores come out of folds only: no function here scores a case with statistics that it is part of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from MDALSelectorLib.estimation.config import GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, FloatArray, IntArray
from MDALSelectorLib.estimation.gaussian_folds import (
    RepeatScores,
    fold_components,
    half_scores,
    repeat_scores,
)
from MDALSelectorLib.estimation.pair_estimate import (
    ModalityPair,
    PairEstimate,
    has_modality,
    joint_cases,
)
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter


def gaussian_estimates(
    features: Mapping[str, FloatArray],
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: GaussianConfig,
    reporter: Reporter | None = None,
) -> tuple[PairEstimate, ...]:
    """Estimate the PMI of every case and pair, each case by a model of other patients.

    Args:
        features: Per modality `(n_cases, n_features)`; a row of NaN where the modality is missing.
        pairs: Pairs of modalities, each with at least two cases per fold.
        plan: Which cases are held out when.
        config: Grid of settings.
        reporter: Notified of every fold.

    References:
        Closed form of the Gaussian PMI in canonical variates: Czyz et al., TMLR 2025.
    """
    reporter = reporter or NullReporter()
    available = has_modality(features)
    cases = {pair: joint_cases(available, pair) for pair in pairs}
    results: dict[ModalityPair, list[RepeatScores]] = {pair: [] for pair in pairs}
    reporter.stage("PMI, Gaussian", plan.n_repeats * len(plan.seeds[0]))
    for repeat in range(plan.n_repeats):
        folds = []
        for split in plan.splits(repeat):
            folds.append(fold_components(features, split, config))
            reporter.advance()
        for pair in pairs:
            results[pair].append(repeat_scores(folds, pair, cases[pair], config))
    halves = _half_pmi(features, cases, plan=plan, config=config)
    return tuple(
        PairEstimate(
            pair=pair,
            estimator="gaussian",
            case_index=cases[pair],
            repeat_pmi=np.stack([r.pmi for r in results[pair]]),
            repeat_bounds=np.array([r.bound for r in results[pair]]),
            half_pmi=halves[pair],
            settings={"components_and_shrinkage": [r.settings for r in results[pair]]},
        )
        for pair in pairs
    )


def shuffled_bounds(
    features: Mapping[str, FloatArray],
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: GaussianConfig,
    seed: int,
) -> Mapping[ModalityPair, FloatArray]:
    """Return the held-out bounds of pairs whose second modality is shuffled between cases.

    Shuffles stay within the folds of the first repeat, so every shuffle reuses its components.

    Args:
        features: Per modality `(n_cases, n_features)`; a row of NaN where it is missing.
        pairs: Pairs of modalities.
        plan: Which cases are held out when.
        config: Grid and number of shuffles.
        seed: Source of the shuffles.

    Returns:
        Bound per pair and shuffle, nats, `(n_shuffles,)`.
    """
    available = has_modality(features)
    folds = [fold_components(features, split, config) for split in plan.splits(0)]
    bounds = {}
    for pair in pairs:
        cases = joint_cases(available, pair)
        generator = np.random.default_rng([seed, 2])
        partners = [
            _shuffled_within(plan.fold_of_case[0], cases, generator)
            for _ in range(config.n_shuffles)
        ]
        shuffled = [repeat_scores(folds, pair, cases, config, partner=p).bound for p in partners]
        bounds[pair] = np.array(shuffled)
    return bounds


def _shuffled_within(
    fold_of_case: IntArray, cases: IntArray, generator: np.random.Generator
) -> IntArray:
    partner = cases.copy()
    for fold in np.unique(fold_of_case[cases]):
        members = np.flatnonzero(fold_of_case[cases] == fold)
        partner[members] = cases[generator.permutation(members)]
    return partner


def _half_pmi(
    features: Mapping[str, FloatArray],
    cases: Mapping[ModalityPair, IntArray],
    *,
    plan: CrossFitPlan,
    config: GaussianConfig,
) -> dict[ModalityPair, FloatArray]:
    """Score every case twice, by models of disjoint halves of its split's training cases."""
    n_splits = min(config.n_reliability_splits, plan.n_repeats)
    scores = {pair: np.full((n_splits, 2, len(c)), np.nan) for pair, c in cases.items()}
    for repeat in range(n_splits):
        for split in plan.splits(repeat):
            halves = [fold_components(features, h, config) for h in split.halves()]
            for pair, indices in cases.items():
                held_out = np.isin(indices, split.held_out)
                scores[pair][repeat][:, held_out] = half_scores(halves, pair, indices, config)
    return scores
