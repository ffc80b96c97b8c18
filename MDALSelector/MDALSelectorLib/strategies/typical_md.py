"""Mixtures of typicality and modality difference in every group of similar cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, farthest_first
from MDALSelectorLib.strategies.clusters import groups_of_pool, typicality
from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    IntArray,
    Pick,
    Pool,
    utility_column,
)
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

N_NEIGHBORS = 20


@dataclass(frozen=True)
class TypicalMD(Strategy):
    """The case of every group with the best mean of two ranks: typical, and different.

    Between TypiClust (typicality alone) and DiverseMD (modality difference alone among the
    typical): within a group, the ranks of typicality [1] and of modality difference count the
    same. Groups with a labeled case are passed over, the largest comes first.

    References:
        [1] Hacohen, Dekel, Weinshall, Active learning on a budget, ICML 2022.
    """

    name: ClassVar[str] = "TypicalMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "typical cases with a large modality difference, one of every group"
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        difference = self.sign * utility_column(pool, MODALITY_DIFFERENCE)
        n_groups = budget + int(pool.labelled.sum())
        groups = groups_of_pool(pool, pool.embeddings, n_groups, generator=generator)
        free = [rows for rows in groups if not pool.labelled[rows].any()][:budget]
        picks = [self._pick(pool, difference, rows) for rows in free]
        rest = farthest_first(pool, [pick.index for pick in picks])
        return picks + [Pick(row, "the farthest from those before it") for row, _ in rest]

    def _pick(self, pool: Pool, difference: Float64Array, rows: IntArray) -> Pick:
        from scipy.stats import rankdata

        typical = typicality(pool.embeddings[rows], n_neighbors=N_NEIGHBORS)
        row = int(rows[int((rankdata(typical) + rankdata(difference[rows])).argmax())])
        value = decimals(pool.utilities[MODALITY_DIFFERENCE][row])
        place = f"the best mean rank in its group of {len(rows)}"
        return Pick(row, f"modality difference {value} and typical: {place}")


@dataclass(frozen=True)
class TypicalMinMD(TypicalMD):
    """The same with small modality differences: the reversed hypothesis."""

    name: ClassVar[str] = "TypicalMinMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy",
        "typical cases with a small modality difference (the reversed hypothesis)",
    )
    sign: ClassVar[float] = -1.0
