"""ProbCover: the cases whose balls cover most of the cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, farthest_first
from MDALSelectorLib.strategies.clusters import groups_of_pool
from MDALSelectorLib.strategies.pool import IntArray, Pick, Pool
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

PURITY = 0.95


@dataclass(frozen=True)
class ProbCover(Strategy):
    """Every pick covers as many similar cases as possible that none before it covers [1].

    A case covers all cases closer than a radius. The radius is the largest at which at least 95 %
    of the balls hold cases of one group only. The authors make as many groups as there are
    classes; a segmentation task has none, so ours makes one group per pick or labeled case. When
    everything is covered, the walk goes on with the case farthest from all before it, where the
    authors' code takes any.

    References:
        [1] Yehuda, Dekel, Hacohen, Weinshall, Active learning through a covering lens,
            NeurIPS 2022.
    """

    name: ClassVar[str] = "ProbCover"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "the cases that have most similar cases around them, each counted once"
    )

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        groups = groups_of_pool(
            pool, pool.embeddings, budget + int(pool.labelled.sum()), generator=generator
        )
        members = np.sort(np.concatenate(groups))
        distances = _distances(pool.embeddings[members])
        radius = covering_radius(distances, _group_numbers(groups, members))
        picks = _covering_picks(pool, members, distances, radius)[:budget]
        rest = farthest_first(pool, [pick.index for pick in picks])
        return picks + [Pick(row, "the farthest from those before it") for row, _ in rest]


def covering_radius(distances: Float64Array, group: IntArray) -> float:
    """Return the largest radius at which `PURITY` of all balls hold one group only.

    Args:
        distances: Between all cases, shape `(n, n)`.
        group: Group of every case, shape `(n,)`.

    Returns:
        The radius; balls are open. Infinite for a single group.
    """
    others = np.where(group[:, None] != group[None, :], distances, np.inf).min(axis=1)
    return float(np.sort(others)[int((1.0 - PURITY) * len(others) + 1e-9)])


def _covering_picks(
    pool: Pool, members: IntArray, distances: Float64Array, radius: float
) -> list[Pick]:
    """Return picks until all members are covered; of equal ones the most central first."""
    covers = distances < radius
    np.fill_diagonal(covers, val=True)
    is_open = pool.candidates[members].copy()
    is_covered: MaskArray = np.asarray(covers[pool.labelled[members]].any(axis=0))
    remoteness = distances.mean(axis=1)
    picks: list[Pick] = []
    while is_open.any() and not is_covered.all():
        counts = (covers & ~is_covered).sum(axis=1)
        best = int(np.lexsort((remoteness, -counts, ~is_open))[0])
        if counts[best] == 0:
            break
        picks.append(Pick(int(members[best]), _reason(int(counts[best]), radius)))
        is_open[best] = False
        is_covered = is_covered | covers[best]
    return picks


def _reason(n_covered: int, radius: float) -> str:
    noun = "case" if n_covered == 1 else "cases"
    within = "" if np.isinf(radius) else f" within the distance {radius:.2f}"
    return f"covers {n_covered} {noun} (itself counted){within} that no case before it covers"


def _group_numbers(groups: list[IntArray], members: IntArray) -> IntArray:
    number = np.empty(len(members), dtype=np.intp)
    for index, rows in enumerate(groups):
        number[np.searchsorted(members, rows)] = index
    return number


def _distances(points: Float64Array) -> Float64Array:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(points, points))
