"""Cross-fitted closed-form PMI of all pairs of modalities, and what chance alone would reach.

Scores come out of folds only: no function here scores a case with statistics that it is part of.
The setting (number of components, shrinkage) of a fold is the one with the highest mean held-out
bound in the *other* folds, so neither the scores nor the bound of a fold choose for themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from MDALSelectorLib.estimation.chance import Groups, exchanged, labels_to_exchange_within
from MDALSelectorLib.estimation.config import GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split
from MDALSelectorLib.estimation.gaussian import CanonicalCritic, canonical_critics, whiten
from MDALSelectorLib.estimation.pair_estimate import (
    ModalityPair,
    PairEstimate,
    has_modality,
    joint_cases,
)
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter

# Positions of the scored cases, and their critic per number of components and shrinkage.
_Scored = tuple[IntArray, dict[tuple[int, float], CanonicalCritic]]


def gaussian_estimates(
    features: Mapping[str, Float64Array],
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
    results: dict[ModalityPair, list[tuple[Float64Array, float]]] = {pair: [] for pair in pairs}
    n_splits = min(config.n_reliability_splits, plan.n_repeats)
    reporter.stage("PMI, Gaussian", (plan.n_repeats + n_splits) * len(plan.seeds[0]))
    for repeat in range(plan.n_repeats):
        folds = []
        for split in plan.splits(repeat):
            folds.append(fold_components(features, split, config))
            reporter.advance()
        for pair in pairs:
            results[pair].append(repeat_scores(folds, pair, cases[pair], config))
    halves = _half_pmi(features, cases, plan=plan, config=config, reporter=reporter)
    return tuple(
        PairEstimate(
            pair=pair,
            estimator="gaussian",
            case_index=cases[pair],
            repeat_pmi=np.stack([pmi for pmi, _ in results[pair]]),
            repeat_bounds=np.array([bound for _, bound in results[pair]]),
            half_pmi=halves[pair],
        )
        for pair in pairs
    )


def shuffled_bounds(
    features: Mapping[str, Float64Array],
    pairs: Sequence[ModalityPair],
    *,
    plan: CrossFitPlan,
    config: GaussianConfig,
    groups: Groups | None = None,
    reporter: Reporter | None = None,
) -> Mapping[ModalityPair, Mapping[str, Float64Array]]:
    """Return the held-out bounds of pairs whose second modality is shuffled between cases.

    Shuffles stay within the folds of the first repeat, so every shuffle reuses its components.

    Args:
        features: Per modality `(n_cases, n_features)`; a row of NaN where it is missing.
        pairs: Pairs of modalities.
        plan: Which cases are held out when; its first seed is the source of the shuffles.
        config: Grid and number of shuffles.
        groups: Group of every case by grouping, within which shuffles stay, too.
        reporter: Notified of every shuffle.

    Returns:
        Bound per pair, grouping (`ANYONE` for none) and shuffle, nats, `(n_shuffles,)`.
    """
    reporter = reporter or NullReporter()
    available = has_modality(features)
    labels_by_name = labels_to_exchange_within(groups or {}, plan)
    reporter.stage("PMI by chance", len(pairs) * len(labels_by_name) * config.n_shuffles)
    folds = [fold_components(features, split, config) for split in plan.splits(0)]
    bounds: dict[ModalityPair, dict[str, Float64Array]] = {}
    for pair in pairs:
        cases, found = joint_cases(available, pair), {}
        for name, labels in labels_by_name.items():
            generator = np.random.default_rng([int(plan.seeds[0, 0]), 2])
            shuffled = []
            for _ in range(config.n_shuffles):
                partner = _exchanged_within(plan, cases, labels, generator)
                shuffled.append(repeat_scores(folds, pair, cases, config, partner=partner)[1])
                reporter.advance()
            found[name] = np.array(shuffled)
        bounds[pair] = found
    return bounds


def _exchanged_within(
    plan: CrossFitPlan, cases: IntArray, labels: IntArray, generator: np.random.Generator
) -> IntArray:
    partner = cases.copy()
    for members in _fold_members(plan, cases):
        partner[members] = exchanged(
            cases[members], patients=plan.patients, labels=labels, generator=generator
        )
    return partner


def _fold_members(plan: CrossFitPlan, cases: IntArray) -> list[IntArray]:
    fold = plan.fold_of_case[0][cases]
    return [np.flatnonzero(fold == f) for f in np.unique(fold)]


def _half_pmi(
    features: Mapping[str, Float64Array],
    cases: Mapping[ModalityPair, IntArray],
    *,
    plan: CrossFitPlan,
    config: GaussianConfig,
    reporter: Reporter,
) -> dict[ModalityPair, Float64Array]:
    """Score every case twice, by models of disjoint halves of its split's training cases."""
    n_splits = min(config.n_reliability_splits, plan.n_repeats)
    scores = {pair: np.full((n_splits, 2, len(c)), np.nan) for pair, c in cases.items()}
    for repeat in range(n_splits):
        for split in plan.splits(repeat):
            halves = [fold_components(features, h, config) for h in split.halves()]
            for pair, indices in cases.items():
                held_out = np.isin(indices, split.held_out)
                scores[pair][repeat][:, held_out] = half_scores(halves, pair, indices, config)
            reporter.advance()
    return scores


@dataclass(frozen=True, eq=False)
class FoldComponents:
    """Whitened components of one split.

    Attributes:
        split: Whose training cases the components were fitted with.
        of_modality: Components of all cases, `(n_cases, k)`; NaN rows where it is missing.
    """

    split: Split
    of_modality: Mapping[str, Float64Array]


def fold_components(
    features: Mapping[str, Float64Array],
    split: Split,
    config: GaussianConfig,
) -> FoldComponents:
    """Fit components with the training cases of a split and apply them to all cases."""
    available = has_modality(features)
    components = {}
    for modality, values in features.items():
        seen = split.fit[available[modality][split.fit]]
        rows = available[modality]
        whitening = whiten(values[seen], n_components=max(config.n_components))
        projected = np.full((len(values), whitening.axes.shape[1]), np.nan)
        projected[rows] = whitening(values[rows])
        components[modality] = projected
    return FoldComponents(split, components)


def repeat_scores(
    folds: Sequence[FoldComponents],
    pair: ModalityPair,
    cases: IntArray,
    config: GaussianConfig,
    *,
    partner: IntArray | None = None,
) -> tuple[Float64Array, float]:
    """Score every case by the model of its fold.

    Args:
        folds: Components of the splits of one repeat.
        pair: The pair of modalities.
        cases: Cases that have both, ascending.
        config: Grid of settings.
        partner: Case whose second modality stands in for that of each case; itself by default.

    Returns:
        PMI of the cases, nats, `(n,)`, and the held-out bound, mean over folds, nats.
    """
    n_fit = min(int(np.isin(cases, fold.split.fit).sum()) for fold in folds)
    limit = _component_limit(n_fit, folds, pair, config)
    fitted = [_critics(f, pair, cases, config, limit=limit, partner=partner) for f in folds]
    settings = list(fitted[0][1])
    patients = folds[0].split.patients[cases]
    bounds = np.array(
        [[_bound(critics[s], patients[held_out]) for s in settings] for held_out, critics in fitted]
    )
    chosen = [_best_elsewhere(bounds, fold) for fold in range(len(folds))]
    pmi = np.empty(len(cases))
    for (held_out, critics), setting in zip(fitted, chosen, strict=True):
        pmi[held_out] = critics[settings[setting]].matched()
    bound = np.nanmean([bounds[fold, setting] for fold, setting in enumerate(chosen)])
    return pmi, float(bound)


def half_scores(
    halves: Sequence[FoldComponents], pair: ModalityPair, cases: IntArray, config: GaussianConfig
) -> Float64Array:
    """Score the held-out cases with both halves; each half's cases choose the other's setting."""
    n_fit = min(int(np.isin(cases, half.split.fit).sum()) for half in halves)
    limit = _component_limit(n_fit, halves, pair, config)
    scores = []
    for half, other in (halves, halves[::-1]):
        unseen = np.sort(np.concatenate([half.split.held_out, other.split.fit]))
        wide = replace(half, split=replace(half.split, held_out=unseen))
        positions, critics = _critics(wide, pair, cases, config, limit=limit)
        is_scored = np.isin(cases[positions], half.split.held_out)
        chooses = np.flatnonzero(~is_scored)
        patients = half.split.patients[cases[positions[chooses]]]
        bounds = [critic.bound(chooses, patients) for critic in critics.values()]
        best = list(critics.values())[int(np.argmax(bounds))]
        scores.append(best.matched()[is_scored])
    return np.stack(scores)


def _critics(
    components: FoldComponents,
    pair: ModalityPair,
    cases: IntArray,
    config: GaussianConfig,
    *,
    limit: int,
    partner: IntArray | None = None,
) -> _Scored:
    """Return the positions in `cases` that are held out, and their critic per setting."""
    partner = cases if partner is None else partner
    is_held_out = np.isin(cases, components.split.held_out)
    first, second = (components.of_modality[modality] for modality in pair)
    k = min(first.shape[1], second.shape[1])
    first, second = first[cases, :k], second[partner, :k]
    critics = canonical_critics(
        (first[~is_held_out], second[~is_held_out]),
        (first[is_held_out], second[is_held_out]),
        config,
        n_components=min(limit, k),
    )
    return np.flatnonzero(is_held_out), dict(critics)


def _component_limit(
    n_fit: int, folds: Iterable[FoldComponents], pair: ModalityPair, config: GaussianConfig
) -> int:
    """Return the number of components that every fold can have."""
    ranks = [int(fold.of_modality[modality].shape[1]) for fold in folds for modality in pair]
    below_share = int(np.ceil(config.max_component_share * n_fit)) - 1
    return max(1, min(below_share, *ranks))


def _bound(critic: CanonicalCritic, patients: IntArray) -> float:
    return critic.bound(np.arange(len(patients)), patients)


def _best_elsewhere(bounds: Float64Array, fold: int) -> int:
    """Return the setting with the highest mean bound over the other folds."""
    return int(np.nanmean(np.delete(bounds, fold, axis=0), axis=0).argmax())
