"""One split of the local estimator: critics of the cases to fit with, scores of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.cross_fitting import IntArray, Split
from MDALSelectorLib.estimation.local_gaussian import (
    LocalCritic,
    NormalMap,
    fit_local_critic,
    fit_normal_map,
)
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MDALSelectorLib.estimation.position_critics import CaseScores, Places, PositionCritic
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray

# More positions than this say nothing new about quantiles and correlations of seven features.
MAX_FIT_ROWS = 20_000
# A case that shows a pair at fewer places is not scored.
MIN_PLACES = 20
CLIP_PERCENTILES = (2.0, 98.0)
# What a case shares where it shares least; nothing is ranked by it.
LOW_PERCENTILE = 5.0
# Positions that are told apart at a time: the bound cannot exceed the logarithm of their number.
N_CANDIDATES = 384
# A held-out case is judged by at least so many positions.
MIN_BOUND_PLACES = 60


@dataclass(frozen=True, eq=False)
class ScoredPositions:
    """Described positions of the held-out cases of a split.

    Attributes:
        split: Which cases fit and which are scored.
        places: Which places of all cases count.
        held_out: What critics look at, per modality, `(n_held_out, n_places, n_features)`.
    """

    split: Split
    places: Places
    held_out: Mapping[str, Float64Array]

    def case_scores(self, pair: ModalityPair, critic: PositionCritic | None) -> CaseScores:
        """Return the scores of the held-out cases, nats, `(n_held_out,)` each.

        NaN where a case shows the pair at fewer than `MIN_PLACES` places.
        """
        pmi, low = np.full((2, len(self.split.held_out)), np.nan)
        counts = self.places.counts(pair)[self.split.held_out]
        first, second = (self.held_out[modality] for modality in pair)
        for row, is_counted in enumerate(counts):
            if critic is not None and is_counted.sum() >= MIN_PLACES:
                values = critic.matched(first[row, is_counted], second[row, is_counted])
                pmi[row], low[row] = clipped_mean(values), np.percentile(values, LOW_PERCENTILE)
        return CaseScores(pmi, low)

    def case_bounds(
        self,
        pair: ModalityPair,
        critic: PositionCritic | None,
        *,
        partner: IntArray | None = None,
        n_blocks: int | None = None,
    ) -> Float64Array:
        """Return the held-out bound of each held-out case, nats; NaN where it has no place.

        A position's second modality is told apart from those of positions of other patients.

        Args:
            pair: Two modalities.
            critic: Of this split.
            partner: Case whose second modality stands in for that of each case, of the same side.
            n_blocks: Times that positions are drawn; by default enough for every case.
        """
        cases = self.split.held_out
        rows, mates = _rows(cases, partner)
        counts = self.places.counts(pair, partner)[cases]
        if critic is None or not counts.any():
            return np.full(len(cases), np.nan)
        n_blocks = n_blocks or max(2, -(-MIN_BOUND_PLACES * len(cases) // N_CANDIDATES))
        total, number = np.zeros(len(cases)), np.zeros(len(cases))
        generator = np.random.default_rng([self.split.seed, 3])
        for _ in range(n_blocks):
            case, place = drawn_positions(counts, generator)
            first = self.held_out[pair[0]][rows[case], place]
            second = self.held_out[pair[1]][mates[case], place]
            odds = log_odds(critic.matrix(first, second), self.split.patients[cases[case]])
            total += np.bincount(case, odds, minlength=len(cases))
            number += np.bincount(case, np.isfinite(odds), minlength=len(cases))
        with np.errstate(invalid="ignore"):
            return np.asarray(total / number)


@dataclass(frozen=True, eq=False)
class LocalFold(ScoredPositions):
    """Normal scores of a split's cases, by maps of the cases to fit with.

    Attributes:
        maps: Map of each modality's features.
        fit_places: Places that the critics are fitted at.
        fit: Scores of the cases to fit with, `(n_fit, n_fit_places, n_features)`.
    """

    maps: Mapping[str, NormalMap]
    fit_places: slice
    fit: Mapping[str, Float64Array]

    def critic(
        self, pair: ModalityPair, *, ridge: float, partner: IntArray | None = None
    ) -> LocalCritic | None:
        """Fit a critic to the positions of the cases to fit with; `None` if there are none.

        Args:
            pair: Two modalities.
            ridge: Added to the variances, unitless.
            partner: Case whose second modality stands in for that of each case, of the same side.
        """
        rows, mates = _rows(self.split.fit, partner)
        counts = self.places.counts(pair, partner)[self.split.fit, self.fit_places]
        if not counts.any():
            return None
        first, second = (self.fit[modality] for modality in pair)
        return fit_local_critic(first[rows][counts], second[mates][counts], ridge=ridge)


def local_fold(samples: LocalSamples, modalities: Sequence[str], split: Split) -> LocalFold:
    """Fit maps with the cases of a split that may be seen, and apply them to all its cases."""
    n_places = next(iter(samples.values.values())).shape[1]
    step = max(1, len(split.fit) * n_places // (2 * MAX_FIT_ROWS))
    places = slice(None, None, step)
    maps, fit, held_out = {}, {}, {}
    for modality in modalities:
        seen = samples.values[modality][split.fit, places]
        rows = seen[~np.isnan(seen[..., 0])]
        maps[modality] = fit_normal_map(rows if len(rows) else np.zeros_like(seen[0, :1]))
        fit[modality] = maps[modality](seen)
        held_out[modality] = maps[modality](samples.values[modality][split.held_out])
    return LocalFold(split, samples, held_out, maps, places, fit)


def clipped_mean(pmi: Float64Array) -> float:
    """Return the mean of a case's PMI, clipped at percentiles of its own, nats."""
    low, high = np.percentile(pmi, CLIP_PERCENTILES)
    return float(np.clip(pmi, low, high).mean())


def drawn_positions(
    counts: MaskArray, generator: np.random.Generator, *, n: int = N_CANDIDATES
) -> tuple[IntArray, IntArray]:
    """Draw about `n` positions, equally many of each case that has any.

    Args:
        counts: Which places count, `(n_cases, n_places)`.
        generator: Source of the draw.
        n: Positions to draw; fewer if the cases do not have as many.

    Returns:
        Case and place of each position.
    """
    having = np.flatnonzero(counts.any(axis=1))
    shares = np.full(len(having), n // len(having))
    shares[generator.permutation(len(having))[: n % len(having)]] += 1
    case, place = [], []
    for row, share in zip(having, shares, strict=True):
        drawn = generator.permutation(np.flatnonzero(counts[row]))[:share]
        case.append(np.full(len(drawn), row))
        place.append(drawn)
    return np.concatenate(case), np.concatenate(place)


def log_odds(critic: Float64Array, patients: IntArray) -> Float64Array:
    """Return how much better than chance each position's partner is found, nats, `(n,)`.

    The terms of the symmetric InfoNCE bound: both directions, positions of other patients as
    candidates. Each lies within plus or minus the logarithm of the number of candidates, so that
    no position can break a mean; 0 without candidates.

    Args:
        critic: Critic of every first with every second modality, `(n, n)`.
        patients: Patient of every position, `(n,)`.
    """
    is_own = patients[:, None] == patients[None, :]
    np.fill_diagonal(is_own, val=False)
    candidates = np.where(is_own, -np.inf, critic)
    ceiling = np.log(len(critic) - is_own.sum(axis=1))
    sums = [_log_sum_exp(candidates), _log_sum_exp(candidates.T)]
    found = critic.diagonal() - 0.5 * (sums[0] + sums[1]) + ceiling
    return np.asarray(np.clip(found, -ceiling, ceiling))


def _rows(cases: IntArray, partner: IntArray | None) -> tuple[IntArray, IntArray]:
    """Return where the cases and their partners are among the (ascending) cases."""
    rows = np.arange(len(cases))
    return rows, rows if partner is None else np.searchsorted(cases, partner[cases])


def _log_sum_exp(values: Float64Array) -> Float64Array:
    largest = values.max(axis=1)
    return np.asarray(largest + np.log(np.exp(values - largest[:, None]).sum(axis=1)))
