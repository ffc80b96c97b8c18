"""Groups of similar cases, and how typical a case is of its group."""

from __future__ import annotations

import numpy as np

from MDALSelectorLib.strategies.pool import IntArray, Pool
from MultimodalImagingLib.images.arrays import Float64Array

N_INIT = 20
# Guards against division by zero for cases with identical embeddings (Hacohen et al., 2022).
TYPICALITY_EPSILON = 1e-5


def k_means_groups(
    points: Float64Array, n_groups: int, *, generator: np.random.Generator
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
    pool: Pool, points: Float64Array, n_groups: int, *, generator: np.random.Generator
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


def typicality(points: Float64Array, *, n_neighbors: int) -> Float64Array:
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
