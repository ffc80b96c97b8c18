"""CSCS: typical and difficult cases of every group, mixed by the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy
from MDALSelectorLib.strategies.clusters import k_means_groups, typicality
from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    IntArray,
    Pick,
    Pool,
    utility_column,
)
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

N_NEIGHBORS = 20
SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.3, 0.7
# Keeps the least typical or least difficult case of a group from a score of 0.
SMALLEST_SHARE = 0.01


@dataclass(frozen=True)
class CSCS(Strategy):
    """The best mixture of typicality and difficulty in every group of similar cases [1].

    The weight of difficulty is `0.5 + r / 4 * a / (1 + a)`, held in 0.3 to 0.7, where r is the rank
    correlation of difficulty and typicality over the pool (the difficulty-coverage ratio) and a is
    the budget over the root of the number of cases. A case's score is the geometric mixture of its
    two percentile ranks within its group. The authors take the error of a self-supervised
    reconstruction as difficulty; ours is the modality difference, and cases are grouped by the
    standardized fused embedding. Groups with a labeled case are passed over.

    References:
        [1] Dataset-aware cold-start active learning for annotation-efficient 3D medical image
            segmentation, arXiv 2606.20765, 2026 (abstract, and the formulas in the public
            description of the method; written anew).
    """

    name: ClassVar[str] = "CSCS"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy",
        "typicality and modality difference of every group of similar cases, mixed by the budget",
    )
    utility: ClassVar[str | None] = MODALITY_DIFFERENCE

    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        members = np.flatnonzero(pool.candidates | pool.labelled)
        points = standardized(pool.embeddings[members])
        difficulty = self.sign * utility_column(pool, MODALITY_DIFFERENCE)
        typical = np.full(pool.n_cases, -np.inf)
        typical[members] = typicality(points, n_neighbors=N_NEIGHBORS)
        everything = np.flatnonzero(pool.candidates)
        weight = difficulty_weight(difficulty[everything], typical[everything], budget)
        n_groups = min(budget + int(pool.labelled.sum()), len(members))
        groups = [members[g] for g in k_means_groups(points, n_groups, generator=generator)]
        free = [rows for rows in groups if not pool.labelled[rows].any()][:budget]

        def best_first(rows: IntArray) -> IntArray:
            scores = mixture(difficulty[rows], typical[rows], weight)
            return rows[np.argsort(-scores, kind="stable")]

        picks = [
            Pick(int(best_first(rows)[0]), _reason(pool, best_first(rows), weight)) for rows in free
        ]
        left = np.setdiff1d(everything, [pick.index for pick in picks])
        rest = "the next in the whole cohort after all groups"
        return picks + [Pick(int(row), rest) for row in best_first(left)]


@dataclass(frozen=True)
class CSCSMinMD(CSCS):
    """CSCS with small modality differences as difficult: the reversed hypothesis."""

    name: ClassVar[str] = "CSCSMinMD"
    summary: ClassVar[str] = QT_TRANSLATE_NOOP(
        "Strategy", "CSCS with the smallest modality differences (the reversed hypothesis)"
    )
    sign: ClassVar[float] = -1.0


def difficulty_weight(difficulty: Float64Array, typical: Float64Array, budget: int) -> float:
    """Return the weight of difficulty against typicality, between 0.3 and 0.7.

    Args:
        difficulty: Of all cases that can be picked, `(n,)`.
        typical: Their typicality, same shape.
        budget: Number of cases to pick.
    """
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(difficulty), rankdata(typical)])
    is_constant = bool((np.ptp(ranks, axis=1) == 0).any())
    ratio = 0.0 if is_constant else float(np.corrcoef(ranks)[0, 1])
    effective = budget / math.sqrt(len(difficulty))
    weight = 0.5 + ratio / 4.0 * effective / (1.0 + effective)
    return min(max(weight, SMALLEST_WEIGHT), LARGEST_WEIGHT)


def mixture(difficulty: Float64Array, typical: Float64Array, weight: float) -> Float64Array:
    """Return the geometric mixture of two percentile ranks within a group, 0 to 1, `(n,)`."""
    from scipy.stats import rankdata

    last = max(len(difficulty) - 1, 1)
    shares = [
        np.clip((rankdata(values) - 1.0) / last, SMALLEST_SHARE, 1.0)
        for values in (difficulty, typical)
    ]
    return np.asarray(shares[0] ** weight * shares[1] ** (1.0 - weight))


def standardized(points: Float64Array) -> Float64Array:
    """Give every feature the mean 0 and the standard deviation 1; constant ones become 0."""
    spread = points.std(axis=0)
    return np.asarray((points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _reason(pool: Pool, rows: IntArray, weight: float) -> str:
    value = decimals(pool.utilities[MODALITY_DIFFERENCE][rows[0]])
    return (
        f"modality difference {value}, the best mixture (difficulty {weight:.2f}, typicality"
        f" {1.0 - weight:.2f}) of its group of {len(rows)}"
    )
