"""What every strategy promises; a strategy that joins the registry is tested here by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from MDALSelectorLib.strategies import STRATEGIES, make_strategy
from MDALSelectorLib.strategies.base import StrategyOptions, strategy_generator
from MDALSelectorLib.strategies.pool import EPISTEMIC, MODALITY_DIFFERENCE, SCORE, VOXEL_NMI, Pool
from MultimodalImagingLib.errors import UsageError

ALL = sorted(STRATEGIES)
RANKING_BY_UTILITY = sorted(name for name, kind in STRATEGIES.items() if kind.utility)


def make_pool(n_cases: int = 40, *, seed: int = 0, n_labelled: int = 3, n_flagged: int = 4) -> Pool:
    """A pool with four groups of cases and two visits for some patients."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(4, 6)) * 6
    names = [f"case-{index:03d}" for index in range(n_cases)]
    order = generator.permutation(n_cases)
    labelled, flagged = np.zeros(n_cases, dtype=bool), np.zeros(n_cases, dtype=bool)
    labelled[order[:n_labelled]] = True
    flagged[order[n_labelled : n_labelled + n_flagged]] = True
    return Pool(
        case_ids=tuple(names),
        patient_ids=tuple(f"patient-{int(name[-3:]) // 2}" for name in names),
        embeddings=centers[generator.integers(4, size=n_cases)]
        + generator.normal(size=(n_cases, 6)),
        eligible=~flagged,
        labelled=labelled,
        utilities={
            MODALITY_DIFFERENCE: generator.normal(size=n_cases),
            VOXEL_NMI: generator.uniform(0.1, 0.4, size=n_cases),
            SCORE: generator.normal(size=n_cases),
            EPISTEMIC: generator.uniform(0.2, 0.6, size=n_cases),
        },
        pair_z=generator.normal(size=(n_cases, 3)),
    )


def chosen(name: str, pool: Pool, budget: int, *, seed: int = 7) -> list[str]:
    picks = make_strategy(name).select(pool, budget, generator=np.random.default_rng(seed))
    return [pool.case_ids[pick.index] for pick in picks]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("budget", [1, 2, 8, 32, 33])
def test_it_returns_as_many_distinct_candidates_as_the_budget_says(name: str, budget: int) -> None:
    pool = make_pool()
    picks = make_strategy(name).select(pool, budget, generator=np.random.default_rng(0))
    indices = [pick.index for pick in picks]
    assert len(indices) == len(set(indices)) == budget
    assert pool.candidates[indices].all()
    assert all(type(index) is int for index in indices)


@pytest.mark.parametrize("name", ALL)
def test_every_pick_says_why(name: str) -> None:
    for pick in make_strategy(name).select(make_pool(), 9, generator=np.random.default_rng(0)):
        assert len(pick.reason) > 10
        assert "nan" not in pick.reason


@pytest.mark.parametrize("name", ALL)
def test_the_same_generator_gives_the_same_choice(name: str) -> None:
    assert chosen(name, make_pool(), 9, seed=3) == chosen(name, make_pool(), 9, seed=3)


@pytest.mark.parametrize("name", ALL)
def test_the_inputs_stay_unchanged(name: str) -> None:
    pool, untouched = make_pool(), make_pool()
    for array in (pool.embeddings, pool.eligible, pool.labelled, *pool.utilities.values()):
        array.setflags(write=False)
    make_strategy(name).rank(pool, 9, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(pool.embeddings, untouched.embeddings)
    for column, values in pool.utilities.items():
        np.testing.assert_array_equal(values, untouched.utilities[column])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("error")
def test_cases_with_equal_embeddings_and_utilities_are_allowed(name: str) -> None:
    pool = make_pool()
    alike = replace(
        pool,
        embeddings=np.ones_like(pool.embeddings),
        utilities={column: np.zeros(pool.n_cases) for column in pool.utilities},
    )
    assert len(set(chosen(name, alike, 9))) == 9


@pytest.mark.parametrize("name", sorted(set(ALL) - {"Random", "StratifiedRandom"}))
def test_ties_are_broken_by_case_name(name: str) -> None:
    pool = make_pool(n_labelled=0, n_flagged=0)
    alike = replace(
        pool,
        patient_ids=pool.case_ids,
        embeddings=np.ones_like(pool.embeddings),
        utilities={column: np.zeros(pool.n_cases) for column in pool.utilities},
    )
    assert chosen(name, alike, 3) == sorted(pool.case_ids)[:3]


@pytest.mark.parametrize("name", ALL)
def test_the_smallest_cohort_of_one_case_works(name: str) -> None:
    assert len(chosen(name, make_pool(1, n_labelled=0, n_flagged=0), 1)) == 1


@pytest.mark.parametrize("name", ALL)
def test_the_ranking_holds_every_case_once_in_the_stated_order(name: str) -> None:
    pool = make_pool()
    ranking = make_strategy(name).rank(pool, 9, generator=np.random.default_rng(0))
    assert sorted(ranking.order) == list(range(pool.n_cases))
    assert ranking.order[:9] == tuple(pick.index for pick in ranking.picks)
    assert pool.candidates[list(ranking.order[:33])].all()
    held_back, labelled = list(ranking.order[33:37]), list(ranking.order[37:])
    assert not pool.eligible[held_back].any()
    difference = pool.utilities[MODALITY_DIFFERENCE][held_back]
    assert list(difference) == sorted(difference, reverse=True)
    assert pool.labelled[labelled].all()


@pytest.mark.parametrize("name", ALL)
def test_a_larger_budget_than_the_pool_is_refused_with_the_numbers(name: str) -> None:
    with pytest.raises(UsageError, match=r"budget of 34 .* 33 of 40 cases .*\(3 labeled, 4"):
        chosen(name, make_pool(), 34)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_one_is_refused(name: str, budget: int) -> None:
    with pytest.raises(UsageError, match="at least 1 case"):
        chosen(name, make_pool(), budget)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n_cases", [0, 5])
def test_an_empty_pool_is_refused(name: str, n_cases: int) -> None:
    with pytest.raises(UsageError, match="no case left to suggest"):
        chosen(name, make_pool(n_cases, n_labelled=n_cases), 1)


@pytest.mark.parametrize("name", RANKING_BY_UTILITY)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_candidate_without_a_finite_utility_is_named(name: str, value: float) -> None:
    pool = make_pool()
    row = int(np.flatnonzero(pool.candidates)[2])
    pool.utilities[STRATEGIES[name].utility or ""][row] = value
    with pytest.raises(UsageError, match=f"finite .*case {pool.case_ids[row]}"):
        chosen(name, pool, 5)


@pytest.mark.parametrize("name", RANKING_BY_UTILITY)
def test_cases_that_cannot_be_picked_need_no_utility(name: str) -> None:
    pool = make_pool()
    complete = chosen(name, pool, 33)
    pool.utilities[STRATEGIES[name].utility or ""][~pool.candidates] = np.nan
    assert chosen(name, pool, 33) == complete


@pytest.mark.parametrize("name", RANKING_BY_UTILITY)
def test_a_utility_that_was_not_computed_is_named(name: str) -> None:
    column = STRATEGIES[name].utility or ""
    with pytest.raises(UsageError, match=f"'{column.replace('_', ' ')}', which was not computed"):
        chosen(name, replace(make_pool(), utilities={}), 5)


@pytest.mark.parametrize("name", ALL)
def test_a_candidate_with_a_nan_in_its_embedding_is_named(name: str) -> None:
    pool = make_pool()
    row = int(np.flatnonzero(pool.candidates)[1])
    pool.embeddings[row, 2] = np.nan
    with pytest.raises(ValueError, match=f"finite embeddings.*{pool.case_ids[row]}"):
        chosen(name, pool, 5)


@pytest.mark.parametrize("name", ALL)
def test_flagged_cases_do_not_influence_the_choice(name: str) -> None:
    if name == "Random":
        pytest.skip("Another number of cases draws other random numbers.")
    pool = make_pool()
    rows = np.flatnonzero(pool.eligible)
    without = Pool(
        case_ids=tuple(pool.case_ids[row] for row in rows),
        patient_ids=tuple(pool.patient_ids[row] for row in rows),
        embeddings=pool.embeddings[rows],
        eligible=pool.eligible[rows],
        labelled=pool.labelled[rows],
        utilities={column: values[rows] for column, values in pool.utilities.items()},
        pair_z=None if pool.pair_z is None else pool.pair_z[rows],
    )
    assert chosen(name, without, 9) == chosen(name, pool, 9)


def test_a_strategy_draws_its_own_random_numbers() -> None:
    first = strategy_generator(0, "Random").integers(1000, size=4)
    np.testing.assert_array_equal(first, strategy_generator(0, "Random").integers(1000, size=4))
    assert list(first) != list(strategy_generator(0, "ALPS").integers(1000, size=4))
    assert list(first) != list(strategy_generator(1, "Random").integers(1000, size=4))


def test_a_pool_with_a_name_twice_is_refused() -> None:
    pool = make_pool(4, n_labelled=0, n_flagged=0)
    with pytest.raises(ValueError, match="distinct case names, got a"):
        replace(pool, case_ids=("a", "b", "a", "c"))


def test_a_pool_whose_cases_are_not_in_order_is_refused() -> None:
    pool = make_pool(4, n_labelled=0, n_flagged=0)
    with pytest.raises(ValueError, match="in the order of their names"):
        replace(pool, case_ids=("a", "c", "b", "d"))


def test_a_pool_with_columns_of_different_length_is_refused() -> None:
    pool = make_pool(4, n_labelled=0, n_flagged=0)
    with pytest.raises(ValueError, match=r"4 rows .*'score': 3"):
        replace(pool, utilities={SCORE: np.zeros(3)})


def test_the_registry_holds_what_the_product_promises() -> None:
    promised = "DiverseMD MaxMD Random ALPS TypiClust KCenter VoxelNMI MinMD Score"
    assert set(promised.split()) <= set(STRATEGIES)
    assert all(kind.name == name and kind.summary for name, kind in STRATEGIES.items())


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no strategy 'Best'\. Choose one of DiverseMD, MaxMD"):
        make_strategy("Best")


def test_names_of_strategies_may_be_written_in_small_letters() -> None:
    assert make_strategy("diversemd").name == "DiverseMD"


def test_options_reach_the_strategies() -> None:
    options = StrategyOptions(max_per_patient=2, gate=0.8, space="pairs", score_direction="low")
    assert make_strategy("DiverseMD", options) == STRATEGIES["DiverseMD"](gate=0.8, space="pairs")  # type: ignore[call-arg]
    assert make_strategy("Score", options) == STRATEGIES["Score"](  # type: ignore[call-arg]
        max_per_patient=2, score_direction="low"
    )
    assert make_strategy("MaxMD", options) == STRATEGIES["MaxMD"](max_per_patient=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "bad", [{"max_per_patient": 0}, {"gate": 0.0}, {"gate": 1.5}, {"uncertainty_weight": 1.1}]
)
def test_options_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Expected"):
        StrategyOptions(**bad)  # type: ignore[arg-type]
