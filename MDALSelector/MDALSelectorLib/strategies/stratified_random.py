"""Stratified random sampling: of groups of similar cases, and of sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from MDALSelectorLib.strategies.base import Strategy
from MDALSelectorLib.strategies.clusters import groups_of_pool
from MDALSelectorLib.strategies.pool import IntArray, Pick, Pool
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


def draw_from_sites(
    sites: Sequence[str],
    n_cases: int,
    *,
    generator: np.random.Generator,
    within: Sequence[str] | None = None,
) -> IntArray:
    """Draw cases at random so that every site has its share, rounded up or down.

    Cases are put in random order within sites and sites in random order; every (n / n_cases)-th
    case is taken from a random start. Every case is as likely to be drawn as any other [1].

    Args:
        sites: Site of every case.
        n_cases: Number of cases to draw, at most as many as there are.
        generator: Source of all randomness.
        within: Second grouping of the cases; every group of a site has its share of it, too.

    Returns:
        Distinct rows, ascending.

    References:
        [1] Madow, Madow, On the theory of systematic sampling, Annals of Mathematical Statistics
            1944.
    """
    names, of = np.unique(np.asarray(sites, dtype=str), return_inverse=True)
    place = generator.permutation(len(names))[of]
    if within is not None:
        groups, group_of = np.unique(np.asarray(within, dtype=str), return_inverse=True)
        place = place * len(groups) + generator.permutation(len(groups))[group_of]
    shuffled = generator.permutation(len(of))
    order = shuffled[np.argsort(place[shuffled], kind="stable")]
    step = len(of) / n_cases
    taken = np.floor((generator.random() + np.arange(n_cases)) * step).astype(np.intp)
    return np.asarray(np.sort(order[taken]), dtype=np.intp)
