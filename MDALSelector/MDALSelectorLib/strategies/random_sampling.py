"""Random sampling: the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, capped_order
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
