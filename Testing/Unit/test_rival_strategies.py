"""Strategies from other publications, and the reversed ones, against naive references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import rankdata, spearmanr

from MDALSelectorLib.strategies import make_strategy
from MDALSelectorLib.strategies.cscs import difficulty_weight, mixture
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, Pool
from MDALSelectorLib.strategies.prob_cover import covering_radius


def pool_of(points: np.ndarray, difference: np.ndarray, *, labelled: tuple[int, ...] = ()) -> Pool:
    n_cases = len(points)
    is_labelled = np.zeros(n_cases, dtype=bool)
    is_labelled[list(labelled)] = True
    names = tuple(f"c{index:03d}" for index in range(n_cases))
    return Pool(
        case_ids=names,
        patient_ids=names,
        embeddings=np.asarray(points, dtype=np.float64),
        eligible=np.ones(n_cases, dtype=bool),
        labelled=is_labelled,
        utilities={MODALITY_DIFFERENCE: np.asarray(difference, dtype=np.float64)},
    )


def four_groups(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centers = np.array([[0, 0], [40, 0], [0, 40], [40, 40]])
    group = np.repeat([0, 1, 2, 3], [12, 10, 8, 6])
    return centers[group] + generator.normal(size=(36, 2)), group


def rows(name: str, pool: Pool, budget: int, seed: int = 0) -> list[int]:
    picks = make_strategy(name).select(pool, budget, generator=np.random.default_rng(seed))
    return [pick.index for pick in picks]


def test_the_radius_is_the_largest_at_which_95_percent_of_the_balls_are_pure() -> None:
    generator = np.random.default_rng(1)
    points, group = generator.normal(size=(60, 3)), generator.integers(4, size=60)
    distances = cdist(points, points)
    radius = covering_radius(distances, group)

    def purity(delta: float) -> float:
        pure = [len(set(group[row < delta])) <= 1 for row in distances]
        return float(np.mean(pure))

    assert purity(radius) >= 0.95
    assert purity(np.nextafter(radius, np.inf)) < 0.95


def test_prob_cover_picks_greedily_what_most_uncovered_cases_lie_around() -> None:
    points, group = four_groups()
    picked = rows("ProbCover", pool_of(points, np.zeros(36)), 4)
    assert [int(group[row]) for row in picked] == [0, 1, 2, 3]


def test_prob_cover_leaves_what_a_labelled_case_covers_alone() -> None:
    points, group = four_groups()
    picked = rows("ProbCover", pool_of(points, np.zeros(36), labelled=(0,)), 3)
    assert sorted(int(group[row]) for row in picked) == [1, 2, 3]


@pytest.mark.parametrize(("name", "end"), [("DiverseMD", 1), ("DiverseMinMD", -1)])
def test_the_reversed_strategy_takes_the_other_end_of_every_group(name: str, end: int) -> None:
    points = np.repeat([[0.0], [100.0]], 3, axis=0) + np.arange(6)[:, None] * 1e-3
    difference = np.array([1.0, 2.0, 3.0, 9.0, 7.0, 8.0])
    picked = rows(name, pool_of(points, difference), 2)
    assert sorted(picked) == ([2, 3] if end == 1 else [0, 4])


def test_the_weight_of_difficulty_follows_the_published_formula() -> None:
    generator = np.random.default_rng(2)
    difficulty, typical = generator.normal(size=50), generator.normal(size=50)
    typical += difficulty
    ratio = spearmanr(difficulty, typical).statistic
    effective = 10 / np.sqrt(50)
    expected = 0.5 + ratio / 4 * effective / (1 + effective)
    assert difficulty_weight(difficulty, typical, 10) == pytest.approx(expected)
    assert difficulty_weight(difficulty, difficulty, 10**6) == 0.7
    assert difficulty_weight(difficulty, -difficulty, 10**6) == 0.3
    assert difficulty_weight(np.ones(50), typical, 10) == 0.5


def test_the_mixture_is_the_geometric_one_of_percentile_ranks() -> None:
    difficulty, typical = np.array([3.0, 1.0, 2.0]), np.array([10.0, 30.0, 20.0])
    np.testing.assert_allclose(
        mixture(difficulty, typical, 0.4),
        [1.0**0.4 * 0.01**0.6, 0.01**0.4 * 1.0**0.6, 0.5**0.4 * 0.5**0.6],
    )


@pytest.mark.parametrize("name", ["CSCS", "CSCSMinMD", "TypicalMD", "TypicalMinMD"])
def test_mixtures_take_one_case_of_every_group(name: str) -> None:
    points, group = four_groups()
    difference = np.random.default_rng(3).normal(size=36)
    picked = rows(name, pool_of(points, difference), 4)
    assert sorted(int(group[row]) for row in picked) == [0, 1, 2, 3]


@pytest.mark.parametrize(("name", "sign"), [("TypicalMD", 1.0), ("TypicalMinMD", -1.0)])
def test_a_mixture_takes_the_best_mean_rank(name: str, sign: float) -> None:
    points = np.random.default_rng(4).normal(size=(15, 2))
    difference = np.random.default_rng(5).normal(size=15)
    distances = cdist(points, points)
    typical = 1.0 / (distances.sum(axis=1) / 14)
    expected = int((rankdata(typical) + rankdata(sign * difference)).argmax())
    assert rows(name, pool_of(points, difference), 1) == [expected]


def test_stratified_draws_take_one_case_of_every_group_and_differ() -> None:
    points, group = four_groups()
    pool = pool_of(points, np.zeros(36))
    draws = [rows("StratifiedRandom", pool, 4, seed) for seed in range(8)]
    assert all(sorted(int(group[row]) for row in draw) == [0, 1, 2, 3] for draw in draws)
    assert len({tuple(draw) for draw in draws}) > 4
