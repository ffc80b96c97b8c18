"""DiverseMD: the largest modality difference among the typical cases of every group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, descending
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

MIN_TYPICAL = 3
N_NEIGHBORS = 20


@dataclass(frozen=True)
class DiverseMD(Strategy):
    """The case with the largest modality difference among the typical ones of every group.

    The rules of DiverseMD are not public [1]; this is our reading. Candidates and labeled cases
    are split into as many groups as there are cases to pick and labeled ones. Groups without a
    labeled case give one pick each, the largest group first. Only the more typical members of a
    group compete, so that outliers and mismatched cases do not win by their modality difference
    (the idea of URDS: typical first). If groups run out, the largest modality differences follow.

    Attributes:
        gate: Share of a group's members, the most typical ones, that compete; at least three do.
        space: What cases are grouped by: their fused `"embedding"`, or the `"pairs"` of their
            standardized PMI (a pair that a case lacks counts as the cohort's median).

    References:
        [1] Wang et al., MDAL, Computerized Medical Imaging and Graphics, 2025.
    """

    name: ClassVar[str] = "DiverseMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy",
        "the largest modality difference among the typical cases of every group of similar cases",
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE
    word: ClassVar[str] = "largest"
    gate: float = 0.5
    space: Literal["embedding", "pairs"] = "embedding"

    def __post_init__(self) -> None:
        """Reject an invalid share."""
        if not 0.0 < self.gate <= 1.0:
            msg = f"Expected a gate above 0 and at most 1, got {self.gate}."
            raise ValueError(msg)

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        points = self._points(pool)
        difference = self.sign * utility_column(pool, MODALITY_DIFFERENCE)
        n_groups = budget + int(pool.labelled.sum())
        groups = groups_of_pool(pool, points, n_groups, generator=generator)
        free = [rows for rows in groups if not pool.labelled[rows].any()]
        picks = [self._pick(points, difference, rows) for rows in free[:budget]]
        left = pool.candidates.copy()
        left[[pick.index for pick in picks]] = False
        return picks + [
            Pick(
                int(row),
                f"{self._value(difference[row])}, the next after all groups",
            )
            for row in descending(difference, left)
        ]

    def _pick(self, points: Float64Array, difference: Float64Array, rows: IntArray) -> Pick:
        typical = descending(
            typicality(points[rows], n_neighbors=N_NEIGHBORS), np.arange(len(rows))
        )
        n_competing = min(max(MIN_TYPICAL, math.ceil(self.gate * len(rows))), len(rows))
        competing = np.sort(rows[typical[:n_competing]])
        row = int(descending(difference, competing)[0])
        place = _place(len(rows), n_competing, self.word)
        return Pick(row, f"{self._value(difference[row])}, {place}")

    def _value(self, difference: float) -> str:
        return f"modality difference {decimals(self.sign * difference)}"

    def _points(self, pool: Pool) -> Float64Array:
        if self.space == "embedding":
            return pool.embeddings
        if pool.pair_z is None:
            msg = "Expected the standardized PMI per pair of modalities to group by, got none."
            raise ValueError(msg)
        return np.where(np.isfinite(pool.pair_z), pool.pair_z, 0.0)


@dataclass(frozen=True)
class DiverseMinMD(DiverseMD):
    """The smallest modality difference of every group: the reversed hypothesis of DiverseMD."""

    name: ClassVar[str] = "DiverseMinMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy",
        "the smallest modality difference among the typical cases of every group (the reversed"
        " hypothesis)",
    )
    sign: ClassVar[float] = -1.0
    word: ClassVar[str] = "smallest"


def _place(n_members: int, n_competing: int, word: str) -> str:
    if n_members == 1:
        return "alone in its group: no case is similar"
    if n_competing == n_members:
        return f"the {word} of its group of {n_members} similar cases"
    return f"the {word} among the {n_competing} typical ones of its group of {n_members}"
