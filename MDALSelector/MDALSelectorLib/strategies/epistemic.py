"""What the model is least sure about, alone or mixed with the modality difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, capped_order, descending
from MDALSelectorLib.strategies.by_utility import ordinal
from MDALSelectorLib.strategies.pool import (
    EPISTEMIC,
    MODALITY_DIFFERENCE,
    IntArray,
    Pick,
    Pool,
    utility_column,
)
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class Epistemic(Strategy):
    """The cases whose draft the model is least sure about; one case per patient first.

    It ranks by the predictive entropy of the class of the draft [2], or the mean of it around the
    border of a segmentation, which size does not change. Sums over voxels, as in MONAI Label's
    strategy of that name, favor large images [1].

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many.

    References:
        [1] Project-MONAI/MONAILabel, pull request 486.
        [2] Lewis, Gale, A sequential algorithm for training text classifiers, SIGIR 1994.
    """

    name: ClassVar[str] = "Epistemic"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the drafts that the model is least sure about"
    )
    utility: ClassVar[str | None] = EPISTEMIC
    max_per_patient: int = 1

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        order = descending(self._values(pool), pool.candidates)
        walk = capped_order(pool, order, cap=self.max_per_patient)
        places = {name: _places(pool, name) for name in (EPISTEMIC, *self.also)}
        return [Pick(row, self._reason(pool, row, places)) for row in walk]

    def _values(self, pool: Pool) -> Float64Array:
        return utility_column(pool, EPISTEMIC)

    def _reason(self, pool: Pool, row: int, places: dict[str, IntArray]) -> str:
        values = pool.utilities[EPISTEMIC]
        median = float(np.median(values[pool.candidates]))
        place = ordinal(int(places[EPISTEMIC][row]), pool, "highest")
        return (
            f"the model's uncertainty about its draft is {values[row]:.3f} nats (cohort's median"
            f" {median:.3f}), {place}"
        )


@dataclass(frozen=True)
class EpistemicMD(Epistemic):
    """Uncertainty of the model and modality difference, mixed by rank.

    Both are ranked among the candidates, so that neither their units nor outliers matter; what
    counts is the weighted mean of the two ranks.

    Attributes:
        uncertainty_weight: Weight of the uncertainty, 0 to 1; the rest is that of the modality
            difference.
    """

    name: ClassVar[str] = "EpistemicMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy",
        "the model's uncertainty and the modality difference, mixed by rank",
    )
    also: ClassVar[tuple[str, ...]] = (MODALITY_DIFFERENCE,)
    uncertainty_weight: float = 0.5

    def _values(self, pool: Pool) -> Float64Array:
        weight = self.uncertainty_weight
        mixed = np.full(pool.n_cases, -np.inf)
        columns = [utility_column(pool, name) for name in (EPISTEMIC, MODALITY_DIFFERENCE)]
        from scipy.stats import rankdata  # not needed where a panel lists the strategies

        ranks = [rankdata(values[pool.candidates]) for values in columns]
        mixed[pool.candidates] = weight * ranks[0] + (1 - weight) * ranks[1]
        return mixed

    def _reason(self, pool: Pool, row: int, places: dict[str, IntArray]) -> str:
        value = decimals(pool.utilities[MODALITY_DIFFERENCE][row])
        place = ordinal(int(places[MODALITY_DIFFERENCE][row]), pool, "largest")
        share = round(100 * self.uncertainty_weight)
        return (
            f"{super()._reason(pool, row, places)}; modality difference {value}, {place}; mixed by"
            f" rank, {share} to {100 - share}"
        )


def _places(pool: Pool, name: str) -> IntArray:
    """Return the place of every candidate in a column, 1 for the largest; ties share the best."""
    values = utility_column(pool, name)
    places = np.zeros(pool.n_cases, dtype=np.intp)
    from scipy.stats import rankdata

    places[pool.candidates] = rankdata(-values[pool.candidates], method="min").astype(np.intp)
    return places
