"""Strategies that group similar cases and pick from every group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from MDALSelectorLib.strategies.base import Strategy, descending, farthest_first
from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    FloatArray,
    IntArray,
    Pick,
    Pool,
    two_decimals,
    utility_column,
)

N_INIT = 20
MAX_GROUPS = 500
N_NEIGHBORS = 20
MIN_TYPICAL = 3
# Guards against division by zero for cases with identical embeddings (Hacohen et al., 2022).
TYPICALITY_EPSILON = 1e-5


def k_means_groups(
    points: FloatArray, n_groups: int, *, generator: np.random.Generator
) -> list[IntArray]:
    """Split points into groups by k-means (best of 20 starts).

    Args:
        points: Finite points, shape `(n_points, n_features)`.
        n_groups: Number of groups; fewer come back if there are fewer distinct points.
        generator: Source of the starts.

    Returns:
        Rows of each group, ascending; the largest group first, then the one with the first row.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n_distinct = len(np.unique(points, axis=0))
    random_state = int(generator.integers(2**31 - 1))
    k_means = KMeans(min(n_groups, n_distinct), n_init=N_INIT, random_state=random_state)
    with threadpool_limits(1):  # sums of several threads depend on who comes first
        labels = k_means.fit_predict(np.ascontiguousarray(points, dtype=np.float64))
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def groups_of_pool(
    pool: Pool, points: FloatArray, n_groups: int, *, generator: np.random.Generator
) -> list[IntArray]:
    """Split candidates and labeled cases of a pool into groups; the others are left out.

    Args:
        pool: The pool.
        points: One point per case of the pool, shape `(n_cases, n_features)`.
        n_groups: Number of groups.
        generator: Source of the starts.

    Returns:
        Rows of the pool per group, as `k_means_groups` orders them.
    """
    members = np.flatnonzero(pool.candidates | pool.labelled)
    groups = k_means_groups(points[members], min(n_groups, len(members)), generator=generator)
    return [members[rows] for rows in groups]


def typicality(points: FloatArray, *, n_neighbors: int) -> FloatArray:
    """Tell how close each point lies to its nearest others: `1 / (mean distance + 1e-5)`.

    Args:
        points: Points of one group, shape `(n_points, n_features)`.
        n_neighbors: Number of nearest others; as many as there are, if that is less.

    Returns:
        Typicality, shape `(n_points,)`; higher is more typical.

    References:
        [1] Hacohen, Dekel, Weinshall, Active learning on a budget, ICML 2022 (TypiClust).
    """
    from scipy.spatial.distance import cdist

    n_nearest = min(n_neighbors, len(points) - 1)
    if n_nearest < 1:
        return np.full(len(points), 1.0 / TYPICALITY_EPSILON)
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(distances, axis=1)[:, :n_nearest]
    return np.asarray(1.0 / (nearest.mean(axis=1) + TYPICALITY_EPSILON))


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
    summary: ClassVar[str] = (
        "the largest modality difference among the typical cases of every group of similar cases"
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE
    gate: float = 0.5
    space: Literal["embedding", "pairs"] = "embedding"

    def __post_init__(self) -> None:
        """Reject an invalid share."""
        if not 0.0 < self.gate <= 1.0:
            msg = f"Expected a gate above 0 and at most 1, got {self.gate}."
            raise ValueError(msg)

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        points = self._points(pool)
        difference = utility_column(pool, MODALITY_DIFFERENCE)
        n_groups = budget + int(pool.labelled.sum())
        groups = groups_of_pool(pool, points, n_groups, generator=generator)
        free = [rows for rows in groups if not pool.labelled[rows].any()]
        picks = [self._pick(points, difference, rows) for rows in free[:budget]]
        left = pool.candidates.copy()
        left[[pick.index for pick in picks]] = False
        return picks + [
            Pick(
                int(row),
                f"modality difference {two_decimals(difference[row])}, the next after all groups",
            )
            for row in descending(difference, left)
        ]

    def _pick(self, points: FloatArray, difference: FloatArray, rows: IntArray) -> Pick:
        typical = descending(
            typicality(points[rows], n_neighbors=N_NEIGHBORS), np.arange(len(rows))
        )
        n_competing = min(max(MIN_TYPICAL, math.ceil(self.gate * len(rows))), len(rows))
        competing = np.sort(rows[typical[:n_competing]])
        row = int(descending(difference, competing)[0])
        place = _place(len(rows), n_competing)
        return Pick(row, f"modality difference {two_decimals(difference[row])}, {place}")

    def _points(self, pool: Pool) -> FloatArray:
        if self.space == "embedding":
            return pool.embeddings
        if pool.pair_z is None:
            msg = "Expected the standardized PMI per pair of modalities to group by, got none."
            raise ValueError(msg)
        return np.where(np.isfinite(pool.pair_z), pool.pair_z, 0.0)


def _place(n_members: int, n_competing: int) -> str:
    if n_members == 1:
        return "alone in its group: no case is similar"
    if n_competing == n_members:
        return f"the largest of its group of {n_members} similar cases"
    return f"the largest among the {n_competing} typical ones of its group of {n_members}"


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
