"""TypiClust: the most typical case of every group, largest and least covered groups first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, farthest_first
from MDALSelectorLib.strategies.clusters import groups_of_pool, typicality
from MDALSelectorLib.strategies.pool import IntArray, Pick, Pool

N_NEIGHBORS = 20
MAX_GROUPS = 500


@dataclass(frozen=True)
class TypiClust(Strategy):
    """The most typical case of every group of similar cases [1]; uses no modality difference.

    The next pick comes from the group with the fewest labeled or picked cases, of these from the
    largest. The authors' code drops groups of fewer than five; ours takes them last, because the
    groups of a small cohort are all small.

    References:
        [1] Hacohen, Dekel, Weinshall, Active learning on a budget, ICML 2022.
    """

    name: ClassVar[str] = "TypiClust"
    summary: ClassVar[str] = "the most typical case of every group of similar cases"

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        n_groups = min(budget + int(pool.labelled.sum()), MAX_GROUPS)
        groups = groups_of_pool(pool, pool.embeddings, n_groups, generator=generator)
        covered = [int(pool.labelled[rows].sum()) for rows in groups]
        open_rows = [rows[~pool.labelled[rows]] for rows in groups]
        picks: list[Pick] = []
        while len(picks) < budget:
            number = min(
                (n for n, rows in enumerate(open_rows) if rows.size), key=lambda n: (covered[n], n)
            )
            row = _most_typical(pool, open_rows[number])
            picks.append(Pick(row, f"the most typical of {_size(open_rows[number])}"))
            covered[number] += 1
            open_rows[number] = open_rows[number][open_rows[number] != row]
        rest = farthest_first(pool, [pick.index for pick in picks])
        return picks + [Pick(row, "the farthest from those before it") for row, _ in rest]


def _most_typical(pool: Pool, rows: IntArray) -> int:
    n_neighbors = min(N_NEIGHBORS, max(len(rows) // 2, 1))
    return int(rows[np.argmax(typicality(pool.embeddings[rows], n_neighbors=n_neighbors))])


def _size(rows: IntArray) -> str:
    return f"a group of {len(rows)} similar cases" if len(rows) > 1 else "a group of its own"
