"""Stratified random sampling: a random case of every group of similar cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy
from MDALSelectorLib.strategies.clusters import groups_of_pool
from MDALSelectorLib.strategies.pool import Pick, Pool
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class StratifiedRandom(Strategy):
    """A random case of every group of similar cases, the largest group first.

    As many groups as there are cases to pick and labeled ones; groups with a labeled case are
    passed over. It shows what grouping alone is worth: DiverseMD with a modality difference that
    says nothing.
    """

    name: ClassVar[str] = "StratifiedRandom"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "a random case of every group of similar cases"
    )

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        n_groups = budget + int(pool.labelled.sum())
        groups = groups_of_pool(pool, pool.embeddings, n_groups, generator=generator)
        free = [rows for rows in groups if not pool.labelled[rows].any()][:budget]
        picks = [
            Pick(int(generator.choice(rows)), f"drawn at random from a group of {len(rows)}")
            for rows in free
        ]
        left = np.setdiff1d(np.flatnonzero(pool.candidates), [pick.index for pick in picks])
        rest = generator.permutation(left)
        return picks + [Pick(int(row), "drawn at random after all groups") for row in rest]
