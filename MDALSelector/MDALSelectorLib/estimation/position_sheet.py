"""Out-of-fold scores of estimators that learn from positions, as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate
from MDALSelectorLib.estimation.position_critics import CaseScores, PositionCritics
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray


@dataclass(frozen=True, eq=False)
class LocalEstimates:
    """What an estimator that learns from positions finds.

    Attributes:
        estimates: One per pair that cases show at enough places.
        critics: What the first repeat learned.
    """

    estimates: tuple[PairEstimate, ...]
    critics: PositionCritics


class PositionSheet:
    """Collects the scores of one pair over folds and repeats, NaN where a case has none."""

    def __init__(
        self, pair: ModalityPair, plan: CrossFitPlan, *, n_repeats: int, n_halves: int
    ) -> None:
        """Start an empty sheet.

        Args:
            pair: Two modalities.
            plan: Which cases are held out when.
            n_repeats: Repeats that are scored.
            n_halves: Repeats that are also scored by two critics of disjoint cases.
        """
        n_cases = len(plan.patients)
        self._pair = pair
        self._pmi = np.full((n_repeats, n_cases), np.nan)
        self._low = np.full((n_repeats, n_cases), np.nan)
        self._bounds = np.full((n_repeats, n_cases), np.nan)
        self._half = np.full((n_halves, 2, n_cases), np.nan)
        self._null: dict[str, Float64Array] = {}

    @property
    def is_scored(self) -> MaskArray:
        """Which cases every critic could score."""
        scores = [*self._pmi, *self._half.reshape(-1, self._pmi.shape[1])]
        return np.asarray(np.isfinite(scores).all(axis=0))

    def note(self, cases: IntArray, repeat: int, scores: CaseScores, bounds: Float64Array) -> None:
        """Keep the scores and bounds of the held-out cases of a fold."""
        self._pmi[repeat, cases] = scores.pmi
        self._low[repeat, cases] = scores.low
        self._bounds[repeat, cases] = bounds

    def note_half(
        self, cases: IntArray, repeat: int, half: int | IntArray, scores: CaseScores
    ) -> None:
        """Keep scores by one of two critics of disjoint cases; `half` says which, per case."""
        self._half[repeat, half, cases] = scores.pmi

    def note_null(self, name: str, cases: IntArray, bounds: Sequence[Float64Array]) -> None:
        """Keep the bounds of a fold's cases with exchanged patients, one array per exchange."""
        empty = np.full((len(bounds), self._pmi.shape[1]), np.nan)
        rows = self._null.setdefault(name, empty)
        for row, found in zip(rows, bounds, strict=True):
            row[cases] = found

    def estimate(self, estimator: str) -> PairEstimate:
        """Return the scores; the bound is the median over cases, which no odd case breaks."""
        cases = np.flatnonzero(self.is_scored)
        return PairEstimate(
            pair=self._pair,
            estimator=estimator,
            case_index=cases,
            repeat_pmi=self._pmi[:, cases],
            repeat_bounds=np.nanmedian(self._bounds[:, cases], axis=1),
            half_pmi=self._half[:, :, cases],
            null_bounds={name: _medians(bounds) for name, bounds in self._null.items()},
            low_pmi=self._low[:, cases].mean(axis=0),
        )


def _medians(bounds: Float64Array) -> Float64Array:
    """Return the median over cases of every exchange that any case has a place in."""
    known = np.isfinite(bounds).any(axis=1)
    return np.asarray(np.nanmedian(bounds[known], axis=1))
