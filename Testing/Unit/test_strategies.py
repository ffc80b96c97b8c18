"""Each strategy against a naive reference or a pool whose right answer is plain to see."""

from __future__ import annotations

import math

import numpy as np
import pytest

from MDALSelectorLib.strategies import make_strategy
from MDALSelectorLib.strategies.base import StrategyOptions, capped_order
from MDALSelectorLib.strategies.clusters import k_means_groups, typicality
from MDALSelectorLib.strategies.diverse_md import DiverseMD
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, SCORE, VOXEL_NMI, Pool
from MultimodalImagingLib.errors import UsageError


def pool_of(
    points: object,
    difference: object = None,
    *,
    labelled: tuple[int, ...] = (),
    patients: str | None = None,
    **utilities: object,
) -> Pool:
    embeddings = np.asarray(points, dtype=np.float64)
    n_cases = len(embeddings)
    names = tuple(f"c{index:03d}" for index in range(n_cases))
    is_labelled = np.zeros(n_cases, dtype=bool)
    is_labelled[list(labelled)] = True
    columns = {MODALITY_DIFFERENCE: np.zeros(n_cases) if difference is None else difference}
    return Pool(
        case_ids=names,
        patient_ids=tuple(patients) if patients else names,
        embeddings=embeddings,
        eligible=np.ones(n_cases, dtype=bool),
        labelled=is_labelled,
        utilities={k: np.asarray(v, dtype=np.float64) for k, v in (columns | utilities).items()},
    )


def rows(name: str, pool: Pool, budget: int, options: StrategyOptions | None = None) -> list[int]:
    strategy = make_strategy(name, options)
    picks = strategy.select(pool, budget, generator=np.random.default_rng(0))
    return [pick.index for pick in picks]


def four_groups(*, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four well-separated groups of 12, 10, 8 and 6 cases in the plane, and their numbers."""
    generator = np.random.default_rng(seed)
    centers = np.array([[0, 0], [40, 0], [0, 40], [40, 40]])
    group = np.repeat([0, 1, 2, 3], [12, 10, 8, 6])
    return centers[group] + generator.normal(size=(36, 2)), group


LINE = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]


def test_max_md_takes_the_largest_differences_in_order() -> None:
    assert rows("MaxMD", pool_of(LINE, [0.1, 0.9, -2.0, 0.5, 3.0, 0.2]), 3) == [4, 1, 3]


def test_min_md_takes_the_smallest_differences_in_order() -> None:
    assert rows("MinMD", pool_of(LINE, [0.1, 0.9, -2.0, 0.5, 3.0, 0.2]), 3) == [2, 0, 5]


def test_voxel_nmi_takes_the_lowest_shared_information_first() -> None:
    nmi = {VOXEL_NMI: [0.3, 0.1, 0.5, 0.2, 0.4, 0.6]}
    pool = pool_of(LINE, **nmi)
    assert rows("VoxelNMI", pool, 3) == [1, 3, 0]
    first = make_strategy("VoxelNMI").select(pool, 1, generator=np.random.default_rng(0))[0]
    assert first.reason == "voxel NMI score 0.10 (cohort's median 0.35), the lowest of 6"


@pytest.mark.parametrize(("direction", "expected"), [("high", [2, 0]), ("low", [1, 3])])
def test_score_follows_the_users_column_in_the_users_direction(
    direction: str, expected: list[int]
) -> None:
    pool = pool_of(LINE, **{SCORE: [7.0, -3.0, 9.0, 0.0, 1.0, 2.0]})
    options = StrategyOptions(score_direction=direction)  # type: ignore[arg-type]
    assert rows("Score", pool, 2, options) == expected


def test_a_patient_gets_a_second_case_only_when_everybody_had_one() -> None:
    pool = pool_of(LINE, [6, 5, 4, 3, 2, 1], patients="AAABBC")
    assert rows("MaxMD", pool, 6) == [0, 3, 5, 1, 4, 2]


def test_a_labelled_case_uses_up_its_patients_turn() -> None:
    pool = pool_of(LINE, [6, 5, 4, 3, 2, 1], patients="AAABBC", labelled=(2,))
    assert rows("MaxMD", pool, 3) == [3, 5, 0]


def test_the_cap_per_patient_can_be_raised() -> None:
    pool = pool_of(LINE, [6, 5, 4, 3, 2, 1], patients="AAABBC")
    assert rows("MaxMD", pool, 6, StrategyOptions(max_per_patient=2)) == [0, 1, 3, 4, 5, 2]


def test_capping_drops_no_case() -> None:
    pool = pool_of(np.zeros((50, 1)), patients="ABCDE" * 10)
    order = np.random.default_rng(0).permutation(50)
    capped = capped_order(pool, order, cap=1)
    assert sorted(capped) == list(range(50))
    for turn in range(10):
        patients = {pool.patient_ids[row] for row in capped[5 * turn : 5 * turn + 5]}
        assert patients == set("ABCDE")


def test_reasons_name_the_place_as_a_person_would() -> None:
    pool = pool_of(np.zeros((25, 1)), np.arange(25.0)[::-1])
    picks = make_strategy("MaxMD").select(pool, 23, generator=np.random.default_rng(0))
    assert picks[0].reason == "modality difference 24.00, the largest of 25"
    endings = [picks[n].reason.split("the ")[1] for n in (1, 2, 3, 10, 11, 12, 20, 21, 22)]
    words = ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd"]
    assert endings == [f"{word} largest of 25" for word in words]


def test_random_draws_every_case_equally_often() -> None:
    pool = pool_of(LINE)
    counts = np.zeros(6)
    for seed in range(600):
        picks = make_strategy("Random").select(pool, 2, generator=np.random.default_rng(seed))
        counts[[pick.index for pick in picks]] += 1
    assert abs(counts - 200).max() < 4 * math.sqrt(600 * (1 / 3) * (2 / 3))


def test_k_center_equals_the_naive_greedy_rule() -> None:
    points = np.random.default_rng(1).normal(size=(30, 4))
    start = int(np.argmin([np.linalg.norm(p - points.mean(axis=0)) for p in points]))
    expected = [start]
    while len(expected) < 8:
        gaps = [min(math.dist(p, points[taken]) for taken in expected) for p in points]
        expected.append(int(np.argmax(gaps)))
    assert rows("KCenter", pool_of(points), 8) == expected


def test_k_center_starts_from_the_labelled_cases() -> None:
    assert rows("KCenter", pool_of(LINE, labelled=(5,)), 2) == [0, 2]


def test_k_center_covers_within_twice_the_best_radius() -> None:
    points, group = four_groups()
    assert {int(group[row]) for row in rows("KCenter", pool_of(points), 4)} == {0, 1, 2, 3}


def test_alps_takes_the_medoid_of_every_group() -> None:
    points, group = four_groups()
    expected = []
    for number in range(4):
        members = np.flatnonzero(group == number)
        center = points[members].mean(axis=0)
        expected.append(int(members[np.argmin([math.dist(points[m], center) for m in members])]))
    assert rows("ALPS", pool_of(points), 4) == expected  # groups are listed by falling size


def naive_typicality(points: np.ndarray, n_neighbors: int) -> list[float]:
    values = []
    for index, point in enumerate(points):
        distances = sorted(math.dist(point, q) for k, q in enumerate(points) if k != index)
        nearest = distances[: min(n_neighbors, len(distances))]
        values.append(1 / (sum(nearest) / max(len(nearest), 1) + 1e-5))
    return values


def test_typicality_is_the_inverse_mean_distance_to_the_nearest_others() -> None:
    assert typicality(np.array([[0.0], [1.0], [3.0]]), n_neighbors=2) == pytest.approx(
        [1 / 2.00001, 1 / 1.50001, 1 / 2.50001], rel=1e-9
    )
    points = np.random.default_rng(2).normal(size=(25, 3))
    assert typicality(points, n_neighbors=6) == pytest.approx(naive_typicality(points, 6))


def test_typi_clust_takes_the_most_typical_case_of_every_group() -> None:
    points, group = four_groups()
    expected = []
    for number in range(4):
        members = np.flatnonzero(group == number)
        n_neighbors = min(20, len(members) // 2)
        expected.append(int(members[np.argmax(naive_typicality(points[members], n_neighbors))]))
    assert rows("TypiClust", pool_of(points), 4) == expected


@pytest.mark.parametrize("name", ["DiverseMD", "ALPS", "TypiClust", "KCenter"])
def test_groups_with_a_labelled_case_are_passed_over(name: str) -> None:
    points, group = four_groups()
    pool = pool_of(points, np.random.default_rng(3).normal(size=36), labelled=(3, 25))
    picked = {int(group[row]) for row in rows(name, pool, 2)}
    assert picked == {1, 3}


def test_typi_clust_visits_all_groups_once_before_it_comes_back() -> None:
    points = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2], [50.0]])
    pool = pool_of(np.repeat(points, [3, 3, 3, 1, 1, 1, 1], axis=0))  # seven distinct positions
    picks = rows("TypiClust", pool, 7)
    assert len(np.unique(pool.embeddings[picks])) == 7
    assert len(rows("TypiClust", pool, 12)) == 12


def test_diverse_md_takes_the_largest_difference_of_every_group() -> None:
    points, group = four_groups()
    difference = np.random.default_rng(4).normal(size=36)
    expected = [
        int(np.flatnonzero(group == n)[np.argmax(difference[group == n])]) for n in range(4)
    ]
    assert rows("DiverseMD", pool_of(points, difference), 4, StrategyOptions(gate=1.0)) == expected


def test_diverse_md_equals_its_written_rule_on_random_pools() -> None:
    for seed in range(5):
        generator = np.random.default_rng(seed)
        points, difference = generator.normal(size=(45, 3)), generator.normal(size=45)
        groups = k_means_groups(points, 7, generator=np.random.default_rng(0))
        expected = []
        for members in groups:
            typical = np.argsort([-t for t in naive_typicality(points[members], 20)])
            n_competing = max(3, math.ceil(0.5 * len(members)))
            competing = members[typical[:n_competing]]
            expected.append(int(max(competing, key=lambda row: difference[row])))
        assert rows("DiverseMD", pool_of(points, difference), 7) == expected


def test_the_gate_of_diverse_md_keeps_an_outlier_from_winning() -> None:
    points, group = four_groups()
    difference = np.linspace(0.0, 1.0, 36)
    points[5] = [-9.0, -9.0]  # still closest to group 0, far from its members
    difference[5] = 50.0
    open_gate = StrategyOptions(gate=1.0)
    assert 5 in rows("DiverseMD", pool_of(points, difference), 4, open_gate)
    picked = rows("DiverseMD", pool_of(points, difference), 4)
    assert 5 not in picked
    assert {int(group[row]) for row in picked} == {0, 1, 2, 3}


def test_diverse_md_fills_up_with_the_largest_differences_when_groups_run_out() -> None:
    points = np.repeat([[0.0], [9.0]], 5, axis=0)  # two distinct positions, budget of five
    difference = np.arange(10.0)
    picks = rows("DiverseMD", pool_of(points, difference), 5)
    assert picks[:2] == [2, 7]  # ties in typicality: the first three by name compete
    assert picks[2:] == [9, 8, 6]


def test_diverse_md_gives_a_rare_group_a_seat_that_max_md_denies() -> None:
    points, group = four_groups()
    difference = np.where(group == 3, -5.0, np.random.default_rng(5).normal(size=36))
    pool = pool_of(points, difference)
    assert 3 in {int(group[row]) for row in rows("DiverseMD", pool, 4)}
    assert 3 not in {int(group[row]) for row in rows("MaxMD", pool, 4)}


def test_diverse_md_can_spread_over_the_pairs_instead_of_the_embedding() -> None:
    pair_z = np.array([[9.0, 9.0], [9.1, 9.0], [0.0, 0.0], [np.nan, 0.1], [-9.0, 0.0], [-9.0, 0.1]])
    pool = pool_of(np.zeros((6, 1)), [1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match="standardized PMI per pair"):
        rows("DiverseMD", pool, 3, StrategyOptions(space="pairs"))
    with_pairs = Pool(
        pool.case_ids,
        pool.patient_ids,
        pool.embeddings,
        pool.eligible,
        pool.labelled,
        pool.utilities,
        pair_z,
    )
    assert rows("DiverseMD", with_pairs, 3, StrategyOptions(space="pairs")) == [1, 3, 5]


def test_k_means_finds_separated_groups_and_lists_the_largest_first() -> None:
    points, group = four_groups()
    found = k_means_groups(points, 4, generator=np.random.default_rng(0))
    assert [list(rows_of) for rows_of in found] == [
        list(np.flatnonzero(group == n)) for n in range(4)
    ]


@pytest.mark.filterwarnings("error")
def test_k_means_gives_no_more_groups_than_there_are_distinct_points() -> None:
    points = np.repeat([[0.0], [1.0], [2.0]], 4, axis=0)
    assert len(k_means_groups(points, 8, generator=np.random.default_rng(0))) == 3


def test_a_thousand_cases_are_ranked_by_every_strategy() -> None:
    generator = np.random.default_rng(6)
    pool = pool_of(generator.normal(size=(1000, 16)), generator.normal(size=1000))
    for name in ("DiverseMD", "TypiClust", "ALPS", "KCenter", "MaxMD"):
        assert len(set(rows(name, pool, 50))) == 50


def test_the_budget_error_is_raised_before_anything_is_computed() -> None:
    with pytest.raises(UsageError, match="at most 6"):
        rows("DiverseMD", pool_of(LINE), 7)


@pytest.mark.parametrize("name", ["MaxMD", "MinMD", "DiverseMD"])
def test_reasons_write_no_negative_zero(name: str) -> None:
    pool = pool_of(LINE, np.full(6, -0.001))
    for pick in make_strategy(name).select(pool, 6, generator=np.random.default_rng(0)):
        assert pick.reason.startswith("modality difference 0.00,")


@pytest.mark.parametrize("gate", [0.0, -0.5, 1.1])
def test_a_gate_that_lets_none_or_more_than_all_compete_is_refused(gate: float) -> None:
    with pytest.raises(ValueError, match="gate above 0 and at most 1"):
        DiverseMD(gate=gate)


def test_grouping_by_pairs_needs_scores_of_pairs() -> None:
    pool = pool_of(np.random.default_rng(0).normal(size=(6, 2)), np.arange(6.0))
    with pytest.raises(ValueError, match="PMI per pair of modalities to group by"):
        rows("DiverseMD", pool, 2, StrategyOptions(space="pairs"))
