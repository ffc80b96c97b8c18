"""Baselines that look at no PMI: random sampling, and the greedy k-center of CoreSet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, capped_order, farthest_first
from MDALSelectorLib.strategies.pool import Pick, Pool


@dataclass(frozen=True)
class RandomSampling(Strategy):
    """Cases drawn without looking at any image: the bar that every other strategy must clear.

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many.
    """

    name: ClassVar[str] = "Random"
    summary: ClassVar[str] = "drawn at random, one case per patient first"
    max_per_patient: int = 1

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        drawn = generator.permutation(np.flatnonzero(pool.candidates))
        reason = f"drawn at random from {len(drawn)} cases"
        return [Pick(row, reason) for row in capped_order(pool, drawn, cap=self.max_per_patient)]


@dataclass(frozen=True)
class KCenter(Strategy):
    """Every pick as far as possible from all cases before it: the greedy k-center of CoreSet [1].

    The authors start from random cases; without a labeled case ours starts at the most central
    one. The extreme of diversity: it likes outliers.

    References:
        [1] Sener, Savarese, Active learning for convolutional neural networks: a core-set
            approach, ICLR 2018.
    """

    name: ClassVar[str] = "KCenter"
    summary: ClassVar[str] = "every case as far as possible from all that are chosen or labeled"

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        return [Pick(row, _reason(d)) for row, d in farthest_first(pool, [])]


def _reason(distance: float) -> str:
    if math.isinf(distance):
        return "the most central case of the cohort"
    return f"farthest (distance {distance:.2f}) from all that are chosen or labeled"
