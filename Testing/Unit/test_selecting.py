"""From scores to a selection: eligibility, flags, fallback, reasons, comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from example_selection import example_scores, example_selection

from MDALSelectorLib.case_flags import Flag, with_flags
from MDALSelectorLib.estimation.features import principal_components
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.selection.case_selection import LEAST_AGREEMENT, CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.comparison import compare_strategies, coverage_radius
from MDALSelectorLib.selection.config import SelectionRequest
from MDALSelectorLib.selection.selecting import make_selection
from MDALSelectorLib.strategies import STRATEGIES
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, SCORE, VOXEL_NMI, Pool
from MultimodalImagingLib.errors import UsageError


def select(scores: CohortScores, strategy: str = "DiverseMD", budget: str = "20%") -> CaseSelection:
    wanted = parse_budget(budget, n_cases=len(scores.case_ids))
    return make_selection(scores, SelectionRequest(budget=wanted, strategy=strategy))


def test_scores_of_cases_that_are_not_in_order_are_refused() -> None:
    scores = example_scores()
    with pytest.raises(ValueError, match="in the order of their names"):
        select(replace(scores, case_ids=scores.case_ids[::-1]))


def test_flagged_and_labelled_cases_are_ranked_last_and_never_suggested() -> None:
    selection = example_selection(budget="47")
    assert [case.case_id for case in selection.cases[47:]] == [
        "case-031",
        "case-019",
        "case-002",
        "case-013",
    ]
    assert [case.state for case in selection.cases[47:]] == ["check pairing"] * 2 + ["labelled"] * 2
    assert {case.case_id for case in selection.to_check} == {"case-019", "case-031"}


def test_skipped_cases_are_ranked_last_say_why_and_are_never_suggested() -> None:
    scores, reasons = example_scores(), {"case-004": "PET is cut off", "case-019": "another study"}
    flagged = replace(scores, flags=with_flags(scores.flags, "skipped", reasons))
    suggested = {case.case_id for case in select(flagged, budget="46").suggested}
    assert len(suggested) == 46
    assert not suggested & set(reasons)
    by_name = {case.case_id: case for case in select(flagged, "MaxMD").cases}
    assert by_name["case-004"].reason.startswith("Skipped: PET is cut off.")
    assert by_name["case-004"].state == "unlabelled"
    asked_again = replace(flagged, accepted=frozenset(reasons))  # accepting a pairing is no undoing
    assert not {c.case_id for c in select(asked_again, budget="46").suggested} & set(reasons)


def test_a_budget_beyond_the_cases_that_are_not_skipped_says_so() -> None:
    scores = example_scores()
    flagged = replace(scores, flags=with_flags(scores.flags, "skipped", {"case-004": "cut off"}))
    with pytest.raises(UsageError, match=r"46 of .*2 are labeled; 1 is skipped; 2 have images"):
        select(flagged, budget="47")


def test_a_person_can_accept_a_flagged_case() -> None:
    scores = replace(example_scores(), accepted=frozenset({"case-031"}))
    first = select(scores, "MaxMD").cases[0]
    assert first.case_id == "case-031"  # the largest modality difference of all
    assert first.state == "suggested"
    assert [flag.kind for flag in first.flags] == ["pairing accepted"]


def test_an_incomplete_case_is_ranked_from_the_pairs_that_it_has() -> None:
    incomplete = select(example_scores()).incomplete
    assert {case.case_id for case in incomplete} == {"case-005", "case-023", "case-041"}
    by_name = {case.case_id: case for case in incomplete}
    assert list(by_name["case-005"].pmi) == [("CT", "PET")]
    assert list(by_name["case-041"].pmi) == [("PET", "T1")]


def test_a_case_without_any_scored_pair_is_listed_not_ranked_and_not_lost() -> None:
    scores = example_scores()
    scores.pmi_nats[6], scores.z[6], scores.modality_difference[6] = np.nan, np.nan, np.nan
    selection = select(scores)
    case = next(case for case in selection.cases if case.case_id == "case-007")
    assert case.modality_difference is None
    assert not case.suggested
    assert case.reason.startswith("Not ranked: no pair of its modalities was scored")
    assert case.rank == 49  # after all candidates and the flagged ones that have a value


@pytest.mark.parametrize("strategy", ["TypiClust", "KCenter", "ALPS", "Random"])
def test_a_case_without_any_scored_pair_can_be_chosen_by_diversity(strategy: str) -> None:
    scores = example_scores()
    scores.pmi_nats[6], scores.z[6], scores.modality_difference[6] = np.nan, np.nan, np.nan
    whole = select(scores, strategy)
    case = next(case for case in whole.cases if case.case_id == "case-007")
    assert not case.flags
    assert case.rank <= 47  # among the candidates
    assert whole.comparison is not None
    assert {"MaxMD", "DiverseMD", strategy} <= {*whole.comparison.strategies}


def test_a_case_without_voxel_nmi_is_left_out_of_that_ranking_only() -> None:
    scores = example_scores()
    scores.measures[VOXEL_NMI][6] = np.nan
    with_it = {c.case_id: c for c in select(scores, "VoxelNMI").cases}
    assert [flag.kind for flag in with_it["case-007"].flags] == ["not rankable"]
    assert not {c.case_id: c for c in select(scores, "MaxMD").cases}["case-007"].flags


def test_without_signal_typi_clust_is_used_and_says_so() -> None:
    selection = select(example_scores(bound_nats=0.05))
    assert selection.strategy == "TypiClust"
    assert selection.fallback is not None
    assert (selection.fallback.asked, selection.fallback.used) == ("DiverseMD", "TypiClust")
    assert "0.05 nats" in selection.fallback.reason
    assert selection.trust.level == "none"
    assert selection.cases[0].reason.startswith("The most typical of a group of")


@pytest.mark.parametrize("strategy", ["Random", "KCenter", "VoxelNMI", "Score"])
def test_strategies_that_need_no_signal_are_not_replaced(strategy: str) -> None:
    selection = select(example_scores(bound_nats=0.05), strategy)
    assert (selection.strategy, selection.fallback) == (strategy, None)


def test_a_cohort_in_which_nothing_could_be_scored_still_gets_a_selection() -> None:
    scores = example_scores()
    for array in (scores.pmi_nats, scores.z, scores.modality_difference):
        array[:] = np.nan
    unused = tuple(
        replace(pair, is_used=False, median_nats=None, bound_nats=None, note="12 cases")
        for pair in scores.diagnostics.pairs
    )
    diagnostics = replace(scores.diagnostics, bounds_nats={}, pairs=unused)
    selection = select(replace(scores, diagnostics=diagnostics))
    assert selection.strategy == "TypiClust"
    assert len(selection.suggested) == 11
    assert selection.comparison is not None
    assert "MaxMD" not in selection.comparison.strategies


def test_the_picks_of_max_md_are_the_largest_differences() -> None:
    scores = example_scores()
    keep = [n for n in range(51) if n not in (1, 12, 18, 30)]  # labeled and flagged ones
    expected = sorted(keep, key=lambda n: -scores.modality_difference[n])[:11]
    assert [c.case_id for c in select(scores, "MaxMD").suggested] == [
        scores.case_ids[n] for n in expected
    ]


def test_the_reason_names_the_pair_the_amount_and_the_place() -> None:
    scores = example_scores()
    first = select(scores, "MaxMD").cases[0]
    row = scores.case_ids.index(first.case_id)
    column = int(np.nanargmin(scores.z[row]))
    a, b = scores.diagnostics.pairs[column].pair
    gap = float(np.nanmedian(scores.pmi_nats[:, column]) - scores.pmi_nats[row, column])
    assert first.reason == (
        f"{a} and {b} share {gap:.1f} nats less than the cohort's median;"
        f" modality difference {scores.modality_difference[row]:.2f}, the largest of 47."
    )


def test_the_same_seed_gives_the_same_random_choice_and_another_seed_another() -> None:
    scores, budget = example_scores(), parse_budget("20%", n_cases=51)
    requests = [SelectionRequest(budget, "Random", seed=seed) for seed in (0, 0, 1)]
    first, again, other = (make_selection(scores, request) for request in requests)
    assert first == again
    assert [c.case_id for c in first.suggested] != [c.case_id for c in other.suggested]


def test_the_row_of_the_used_strategy_is_what_was_picked() -> None:
    selection = select(example_scores(), "TypiClust")
    comparison = selection.comparison
    assert comparison is not None
    without_drafts = [name for name in STRATEGIES if not name.startswith("Epistemic")]
    assert comparison.strategies == tuple(without_drafts)
    mean = np.mean([case.modality_difference for case in selection.suggested])
    place = comparison.strategies.index("TypiClust")
    assert comparison.mean_difference[place] == pytest.approx(mean)
    assert comparison.n_shared_by_chance == pytest.approx(11 * 11 / 47)
    assert comparison.n_shared[place][place] == 11


def test_overlap_is_symmetric_and_max_md_has_the_largest_mean_difference() -> None:
    comparison = select(example_scores()).comparison
    assert comparison is not None
    matrix = np.array(comparison.n_shared)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 11).all()
    means = dict(zip(comparison.strategies, comparison.mean_difference, strict=True))
    assert max(means, key=lambda name: means[name] or 0.0) == "MaxMD"
    assert min(means, key=lambda name: means[name] or 0.0) == "MinMD"


@pytest.mark.parametrize(
    ("strategy", "word"), [("MaxMD", "less"), ("MinMD", "more"), ("DiverseMinMD", "more")]
)
def test_the_first_reason_names_the_end_that_the_strategy_looks_for(
    strategy: str, word: str
) -> None:
    first = select(example_scores(), strategy).suggested[0]
    assert f"nats {word} than the cohort's median" in first.reason


def test_the_coverage_radius_is_the_largest_distance_to_the_closest_pick() -> None:
    pool = Pool(
        case_ids=tuple("abcdef"),
        patient_ids=tuple("abcdef"),
        embeddings=np.array([[0.0], [1.0], [4.0], [10.0], [50.0], [90.0]]),
        eligible=np.array([True, True, True, True, True, False]),
        labelled=np.array([False, False, False, False, True, False]),
        utilities={MODALITY_DIFFERENCE: np.arange(6.0)},
    )
    assert coverage_radius(pool, [1]) == 9.0  # case d to case b; f does not count
    assert coverage_radius(pool, [1, 3]) == 3.0
    assert coverage_radius(pool, [0, 1, 2, 3]) == 0.0
    names = compare_strategies(pool, 2, seed=0).strategies
    assert "Score" not in names
    assert "VoxelNMI" not in names


def test_principal_components_are_those_of_the_covariance() -> None:
    points = np.random.default_rng(0).normal(size=(30, 4)) * [5, 2, 1, 0.5]
    found = principal_components(points)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    for number, column in enumerate([3, 2]):
        axis = vectors[:, column] * np.sign(vectors[np.abs(vectors[:, column]).argmax(), column])
        np.testing.assert_allclose(found[:, number], (points - points.mean(axis=0)) @ axis)
        assert found[:, number].var(ddof=1) == pytest.approx(values[column])


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (3, 0), (0, 3)])
def test_principal_components_that_do_not_exist_are_zero(shape: tuple[int, int]) -> None:
    assert principal_components(np.ones(shape)).shape == (shape[0], 2)
    assert not principal_components(np.ones(shape)).any()


def test_scores_with_names_that_are_not_in_the_cohort_are_refused() -> None:
    with pytest.raises(ValueError, match="cases of the cohort, got nobody"):
        replace(example_scores(), flags={"nobody": (Flag("incomplete", "x"),)})


def test_scores_of_another_shape_are_refused() -> None:
    scores = example_scores()
    with pytest.raises(ValueError, match=r"shape \(51, 3\)"):
        replace(scores, z=scores.z[:, :2])


def test_a_budget_that_only_flagged_cases_could_fill_is_refused() -> None:
    with pytest.raises(UsageError, match=r"budget of 48 .* at most 47"):
        select(example_scores(), budget="48")


def test_a_missing_score_of_a_candidate_is_named() -> None:
    scores = example_scores()
    scores.measures[SCORE][9] = np.nan
    with pytest.raises(UsageError, match=r"finite score .* case case-010"):
        select(scores, "Score")


@pytest.mark.parametrize("strategy", ["MaxMD", "DiverseMD", "MinMD"])
def test_the_least_agreement_is_told_and_changes_no_order(strategy: str) -> None:
    scores = example_scores()
    request = SelectionRequest(parse_budget("10", n_cases=51), strategy, seed=0)
    other = {**scores.measures, LEAST_AGREEMENT: -scores.measures[LEAST_AGREEMENT][::-1]}
    one = make_selection(scores, request)
    two = make_selection(replace(scores, measures=other), request)
    assert [case.case_id for case in one.cases] == [case.case_id for case in two.cases]
    told = {case.case_id: case.measures.get(LEAST_AGREEMENT) for case in one.cases}
    assert told == dict(zip(scores.case_ids, scores.measures[LEAST_AGREEMENT], strict=True))


def test_a_measure_that_no_case_has_is_no_column() -> None:
    scores = example_scores()
    nothing = {**scores.measures, LEAST_AGREEMENT: np.full(51, np.nan)}
    request = SelectionRequest(parse_budget("10", n_cases=51), "MaxMD", seed=0)
    titles = [m.name for m in make_selection(scores, request).known_measures]
    assert titles == [MODALITY_DIFFERENCE, LEAST_AGREEMENT]
    lacking = make_selection(replace(scores, measures=nothing), request)
    assert [m.name for m in lacking.known_measures] == [MODALITY_DIFFERENCE]
