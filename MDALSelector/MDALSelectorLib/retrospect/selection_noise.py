"""How much of a difference the choice of cases alone may make, whatever a strategy knows.

Outer folds share most of their pools, so a strategy picks nearly the same cases again and again.
Twenty folds are then not twenty trials but a few, and an interval from the test cases alone is too
narrow: on labels that say nothing about the strategy it misses zero far too often.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MultimodalImagingLib.images.arrays import Float64Array


def mean_overlap(
    choices: Sequence[Sequence[int]], pools: Sequence[Sequence[int]], *, n_cases: int
) -> float:
    """Return how alike the choices are, beyond chance: 1 for one choice made again and again.

    If every case had an effect of its own on the training, two choices of `k` of `n` cases with
    `m` in common would have effects that correlate by `(m - k^2 / n) / (k - k^2 / n)`. The mean of
    that over all pairs of choices, each with itself included, is the variance of the mean effect
    over that of one choice.

    Args:
        choices: Chosen cases, per training.
        pools: Cases that could be chosen, per training.
        n_cases: Number of cases of the cohort.
    """
    chosen, possible = _indicator(choices, n_cases), _indicator(pools, n_cases)
    rates = possible * (chosen.sum(axis=1) / possible.sum(axis=1))[:, None]
    centered = chosen - rates
    lengths = np.linalg.norm(centered, axis=1)
    if not (lengths > 1e-9).all():  # the whole pool: there was no choice
        return 0.0
    unit = centered / lengths[:, None]
    return float(max(np.square(unit.mean(axis=0)).sum(), 0.0))


def _indicator(sets: Sequence[Sequence[int]], n_cases: int) -> Float64Array:
    table = np.zeros((len(sets), n_cases))
    for row, members in enumerate(sets):
        table[row, list(members)] = 1.0
    return table
