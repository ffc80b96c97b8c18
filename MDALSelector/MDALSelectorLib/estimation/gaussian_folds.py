"""Closed-form models of the folds of a cohort: components, critics, and the setting to score by.

The setting (number of components, shrinkage) of a fold is the one with the highest mean held-out
bound in the *other* folds, so neither the scores nor the bound of a fold choose for themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from MDALSelectorLib.estimation.config import GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import FloatArray, IntArray, Split
from MDALSelectorLib.estimation.gaussian import CanonicalCritic, canonical_critics, whiten
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, has_modality

Setting = tuple[int, float]
_Scored = tuple[IntArray, dict[Setting, CanonicalCritic]]


@dataclass(frozen=True, eq=False)
class FoldComponents:
    """Whitened components of one split.

    Attributes:
        split: Whose training cases the components were fitted with.
        of_modality: Components of all cases, `(n_cases, k)`; NaN rows where it is missing.
    """

    split: Split
    of_modality: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class RepeatScores:
    """Out-of-fold scores of one pair in one repeat.

    Attributes:
        pmi: PMI of the cases that have the pair, nats, `(n,)`.
        bound: Held-out bound, mean over folds, nats.
        settings: Number of components and shrinkage per fold.
    """

    pmi: FloatArray
    bound: float
    settings: list[Setting]


def fold_components(
    features: Mapping[str, FloatArray],
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
) -> RepeatScores:
    """Score every case by the model of its fold.

    Args:
        folds: Components of the splits of one repeat.
        pair: The pair of modalities.
        cases: Cases that have both, ascending.
        config: Grid of settings.
        partner: Case whose second modality stands in for that of each case; itself by default.
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
    return RepeatScores(pmi, float(bound), [settings[setting] for setting in chosen])


def half_scores(
    halves: Sequence[FoldComponents], pair: ModalityPair, cases: IntArray, config: GaussianConfig
) -> FloatArray:
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


def _best_elsewhere(bounds: FloatArray, fold: int) -> int:
    """Return the setting with the highest mean bound over the other folds."""
    return int(np.nanmean(np.delete(bounds, fold, axis=0), axis=0).argmax())
