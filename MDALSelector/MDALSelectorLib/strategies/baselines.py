"""Baselines of others that look at no PMI: Random, TypiClust, ALPS, KCenter (CoreSet)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, capped_order, farthest_first
from MDALSelectorLib.strategies.clusters import groups_of_pool, typicality
from MDALSelectorLib.strategies.pool import IntArray, Pick, Pool
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

N_NEIGHBORS = 20
MAX_GROUPS = 500


@dataclass(frozen=True)
class RandomSampling(Strategy):
    """Cases drawn without looking at any image: the bar that every other strategy must clear.

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many.
    """

    name: ClassVar[str] = "Random"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "drawn at random, one case per patient first"
    )
    max_per_patient: int = 1

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        drawn = generator.permutation(np.flatnonzero(pool.candidates))
        reason = f"drawn at random from {counted(len(drawn), 'case')}"
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
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "every case as far as possible from all that are chosen or labeled"
    )

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:  # noqa: ARG002
        return [Pick(row, _distance_text(distance)) for row, distance in farthest_first(pool, [])]


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
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the most typical case of every group of similar cases"
    )

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
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the medoid of every cluster of similar cases"
    )

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
            Pick(row, _distance_text(distance)) for row, distance in farthest_first(pool, picked)
        ]


def _medoid(embeddings: Float64Array, rows: IntArray) -> int:
    distances = np.linalg.norm(embeddings[rows] - embeddings[rows].mean(axis=0), axis=1)
    return int(rows[np.argmin(distances)])


def _size(rows: IntArray) -> str:
    return f"a group of {len(rows)} similar cases" if len(rows) > 1 else "a group of its own"


def _distance_text(distance: float) -> str:
    if math.isinf(distance):
        return "the most central case of the cohort"
    return f"farthest (distance {distance:.2f}) from all that are chosen or labeled"
