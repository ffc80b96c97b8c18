"""ALPS: the case closest to the center of every k-means group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, farthest_first
from MDALSelectorLib.strategies.clusters import groups_of_pool
from MDALSelectorLib.strategies.pool import FloatArray, IntArray, Pick, Pool


@dataclass(frozen=True)
class ALPS(Strategy):
    """The case closest to the center of every group of similar cases [1].

    Groups that hold a labeled case are passed over. The authors cluster surprisal embeddings of
    a language model; here the fused embeddings of all modalities take their place.

    References:
        [1] Yuan, Lin, Boyd-Graber, Cold-start active learning through self-supervised language
            modeling, EMNLP 2020.
    """

    name: ClassVar[str] = "ALPS"
    summary: ClassVar[str] = "the medoid of every cluster of similar cases"

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        n_groups = budget + int(pool.labelled.sum())
        groups = groups_of_pool(pool, pool.embeddings, n_groups, generator=generator)
        free = [rows for rows in groups if not pool.labelled[rows].any()]
        picks = [
            Pick(_medoid(pool.embeddings, rows), f"the center of {_size(rows)}")
            for rows in free[:budget]
        ]
        picked = [pick.index for pick in picks]
        return picks + [
            Pick(row, f"farthest (distance {distance:.2f}) from all that are chosen or labeled")
            for row, distance in farthest_first(pool, picked)
        ]


def _medoid(embeddings: FloatArray, rows: IntArray) -> int:
    distances = np.linalg.norm(embeddings[rows] - embeddings[rows].mean(axis=0), axis=1)
    return int(rows[np.argmin(distances)])


def _size(rows: IntArray) -> str:
    return f"a group of {len(rows)} similar cases" if len(rows) > 1 else "a group of its own"
