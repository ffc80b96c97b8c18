"""Strategies that take the cases with the largest utility, patient by patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, capped_order, descending
from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    SCORE,
    VOXEL_NMI,
    Pick,
    Pool,
    utility_column,
)
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class _ByUtility(Strategy):
    """The candidates with the largest utility; one case per patient before a second one.

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many.
    """

    sign: ClassVar[float] = 1.0
    word: ClassVar[str] = "largest"
    max_per_patient: int = 1

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        values = self._sign() * utility_column(pool, self.utility or MODALITY_DIFFERENCE)
        order = descending(values, pool.candidates)
        place = {int(row): number for number, row in enumerate(order, start=1)}
        walk = capped_order(pool, order, cap=self.max_per_patient)
        return [Pick(row, self._reason(pool, row, place[row])) for row in walk]

    def _sign(self) -> float:
        """Return -1 where the smallest value comes first."""
        return self.sign

    def _reason(self, pool: Pool, row: int, place: int) -> str:
        value = pool.utilities[MODALITY_DIFFERENCE][row]
        return f"modality difference {decimals(value)}, {ordinal(place, pool, self.word)}"


@dataclass(frozen=True)
class MaxMD(_ByUtility):
    """The cases whose modalities share the least information (MaxMD of MDAL; our reading)."""

    name: ClassVar[str] = "MaxMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the largest modality differences, one case per patient first"
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE


@dataclass(frozen=True)
class MinMD(_ByUtility):
    """The cases whose modalities share the most information: the reversed hypothesis."""

    name: ClassVar[str] = "MinMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the smallest modality differences (the reversed hypothesis)"
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE
    sign: ClassVar[float] = -1.0
    word: ClassVar[str] = "smallest"


@dataclass(frozen=True)
class VoxelNMI(_ByUtility):
    """The cases whose modalities share the least information voxel by voxel; nothing is learned."""

    name: ClassVar[str] = "VoxelNMI"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the lowest normalized mutual information of voxels; no learning"
    )
    utility: ClassVar[str | None] = VOXEL_NMI
    sign: ClassVar[float] = -1.0

    def _reason(self, pool: Pool, row: int, place: int) -> str:
        values = pool.utilities[VOXEL_NMI]
        median = float(np.median(values[pool.candidates]))
        score, middle = decimals(values[row]), decimals(median)
        place_text = ordinal(place, pool, "lowest")
        return f"voxel NMI score {score} (cohort's median {middle}), {place_text}"


@dataclass(frozen=True)
class Score(_ByUtility):
    """The user's own score, for example an entropy that another program computed.

    Attributes:
        score_direction: Which end of the scale comes first.
    """

    name: ClassVar[str] = "Score"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the score in a column of the user's table"
    )
    utility: ClassVar[str | None] = SCORE
    score_direction: Literal["high", "low"] = "high"

    def _sign(self) -> float:
        return 1.0 if self.score_direction == "high" else -1.0

    def _reason(self, pool: Pool, row: int, place: int) -> str:
        word = "highest" if self.score_direction == "high" else "lowest"
        return f"score {pool.utilities[SCORE][row]:.4g}, {ordinal(place, pool, word)}"


def ordinal(place: int, pool: Pool, word: str) -> str:
    """Say a place, for example `the 3rd largest of 48`."""
    n_candidates = int(pool.candidates.sum())
    if place == 1:
        return f"the {word} of {n_candidates}"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    ending = "th" if place % 100 in (11, 12, 13) else ending
    return f"the {place}{ending} {word} of {n_candidates}"
