"""The sentences for the user: why a case, and how far to trust the order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_selection import example_scores

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.selection.config import SelectionRequest
from MDALSelectorLib.selection.diagnostics import Diagnostics, PairDiagnostics, judge_trust
from MDALSelectorLib.selection.selecting import (
    case_reason,
    make_selection,
    nats,
    pair_statement,
)

LOCAL = {"estimator": "local", "bounds_nats": {"local": 0.3}}
CT_PET, CT_T1 = ("CT", "PET"), ("CT", "T1")


def diagnostics(**changes: object) -> Diagnostics:
    return replace(example_scores().diagnostics, **changes)  # type: ignore[arg-type]


def test_the_pair_that_stands_out_most_is_named_not_the_one_with_the_fewest_nats() -> None:
    text = pair_statement(
        {CT_PET: 0.1, CT_T1: 0.4}, {CT_PET: -0.5, CT_T1: -2.0}, {CT_PET: 0.2, CT_T1: 2.34}
    )
    assert text == "CT and T1 share 1.9 nats less than the cohort's median"


def test_a_case_whose_pairs_all_share_more_contradicts_no_reason() -> None:
    text = pair_statement(
        {CT_PET: 0.5, CT_T1: 1.0}, {CT_PET: 0.4, CT_T1: 2.0}, {CT_PET: 0.2, CT_T1: 0.3}
    )
    assert text == ""


def test_the_reversed_hypothesis_names_the_pair_that_shares_most() -> None:
    pmi, z = {CT_PET: 0.1, CT_T1: 3.0}, {CT_PET: -0.5, CT_T1: 2.0}
    medians = {CT_PET: 0.2, CT_T1: 1.0}
    assert pair_statement(pmi, z, medians, highest=True) == (
        "CT and T1 share 2.0 nats more than the cohort's median"
    )
    low = pair_statement({CT_PET: 0.1, CT_T1: 0.5}, z, medians, highest=True)
    assert low == ""


@pytest.mark.parametrize("pmi", [0.5, 0.2, 0.199])
def test_a_single_pair_says_only_what_fits_the_choice(pmi: float) -> None:
    assert pair_statement({CT_PET: pmi}, {CT_PET: 1.0}, {CT_PET: 0.2}) == ""


def test_pairs_that_do_not_count_are_in_no_reason() -> None:
    scores = example_scores()
    unused = [replace(pair, is_used=pair.pair == CT_PET) for pair in scores.diagnostics.pairs]
    scores = replace(scores, diagnostics=replace(scores.diagnostics, pairs=tuple(unused)))
    request = SelectionRequest(parse_budget("20%", n_cases=51), "MaxMD")
    reasons = [case.reason for case in make_selection(scores, request).cases]
    assert any("CT and PET share" in reason for reason in reasons)
    assert not any("T1 share" in reason for reason in reasons if "Check" not in reason)


def test_a_case_without_scored_pairs_gets_no_statement() -> None:
    assert pair_statement({}, {}, {CT_PET: 0.2}) == ""
    assert pair_statement({CT_PET: 1.0}, {CT_PET: 1.0}, {}) == ""


def test_small_amounts_keep_two_decimals() -> None:
    assert [nats(value) for value in (1.94, 0.1, 0.094, 0.0)] == [
        "1.9 nats",
        "0.1 nats",
        "0.09 nats",
        "0.00 nats",
    ]


def test_reasons_start_with_what_is_in_the_way() -> None:
    flags = (Flag("incomplete", "T1 is missing."), Flag("check pairing", "CT lies 7 mm off."))
    assert case_reason(["PET and T1 share less", "", "alone"], flags, labelled=True) == (
        "Already labeled. Check the pairing: CT lies 7 mm off. PET and T1 share less; alone."
    )


def test_what_a_flag_says_is_not_said_again() -> None:
    less = "CT and PET share 21.2 nats less than the cohort's median"
    flags = (Flag("check pairing", f"{less}, far less than any usual case. Look at both."),)
    assert case_reason(["", less, "alone in its group"], flags, labelled=False) == (
        f"Check the pairing: {less}, far less than any usual case. Look at both."
        " Alone in its group."
    )


def test_advice_stands_in_the_first_sentence_where_trust_is_low() -> None:
    for r12, words in ((0.5, "with caution: look at"), (0.3, "only a little: look at")):
        trust = judge_trust(diagnostics(r12_disjoint=r12), n_cases=250)
        assert words in trust.sentence.partition(". ")[0]


def test_names_of_modalities_at_the_start_keep_their_spelling() -> None:
    assert case_reason(["dDWI and T1 share less"], (), labelled=False) == "dDWI and T1 share less."
    assert case_reason(["drawn at random"], (), labelled=False) == "Drawn at random."
    assert case_reason([], (), labelled=False) == ""


@pytest.mark.parametrize(
    ("changes", "n_cases", "level"),
    [
        ({"r12_disjoint": 0.75}, 250, "good"),
        ({"r12_disjoint": 0.75}, 59, "moderate"),
        ({"r12_disjoint": 0.69}, 250, "moderate"),
        ({"r12_disjoint": 0.7}, 60, "good"),
        ({"r12_disjoint": 0.4}, 250, "moderate"),
        ({"r12_disjoint": 0.3, "r12_repeats": 0.9}, 250, "low"),
        ({"r12_disjoint": 0.39}, 250, "low"),
        ({"r12_disjoint": -0.2}, 250, "low"),
        ({"r12_disjoint": None, "r12_repeats": 0.9}, 250, "moderate"),
        ({"r12_disjoint": None, "r12_repeats": None}, 250, "low"),
        ({"bounds_nats": {"gaussian": 0.1}}, 250, "none"),
        ({"bounds_nats": {"gaussian": 0.11}, "r12_disjoint": 0.9}, 250, "good"),
        ({"bounds_nats": {"gaussian": 0.3}, "null_bound_nats": 0.31}, 250, "none"),
        ({"bounds_nats": {"contrastive": 3.0}}, 250, "none"),
        ({"pairs": ()}, 250, "none"),
        (LOCAL | {"r12_disjoint": 0.75}, 36, "good"),
        (LOCAL | {"r12_disjoint": 0.5}, 36, "moderate"),
    ],
)
def test_trust_follows_signal_repeatability_and_size(
    changes: dict[str, object], n_cases: int, level: str
) -> None:
    assert judge_trust(diagnostics(**changes), n_cases=n_cases).level == level


def test_the_sentence_holds_the_numbers_that_it_rests_on() -> None:
    sentence = judge_trust(diagnostics(r12_disjoint=0.64), n_cases=51).sentence
    for part in ("0.62 nats", "0.10 nats", "r12 = 0.64", "not how true it is", "51 cases are few"):
        assert part in sentence


def test_a_repeatable_local_order_is_not_sold_as_the_truth() -> None:
    sentence = judge_trust(diagnostics(**LOCAL, r12_disjoint=0.95), n_cases=36).sentence
    assert "0.30 nats of shared information per position" in sentence
    assert "r12 = 0.95" in sentence
    assert "can still follow image quality or scanner" in sentence
    assert "few" not in sentence


def test_without_signal_the_sentence_says_that_there_is_nothing_to_rank_by() -> None:
    trust = judge_trust(diagnostics(bounds_nats={"gaussian": -0.02}), n_cases=250)
    assert trust.sentence.startswith("There is too little cross-modal signal to rank by.")
    assert "-0.02 nats" in trust.sentence
    assert "not above the 0.10 nats" in trust.sentence
    assert "r12" not in trust.sentence


def test_a_large_cohort_gets_no_warning_about_its_size() -> None:
    assert "few" not in judge_trust(diagnostics(), n_cases=60).sentence


def test_repeats_that_share_their_data_are_not_sold_as_repeatability() -> None:
    sentence = judge_trust(diagnostics(r12_disjoint=None), n_cases=250).sentence
    assert "r12 = 0.81; they share most of their data" in sentence


def test_a_pair_that_too_few_cases_have_is_named_with_both_numbers() -> None:
    note = "24 cases have both CT and PET; at least 30 are needed."
    few = PairDiagnostics(
        ("CT", "PET"), 24, is_used=False, bound_nats=None, median_nats=None, note=note
    )
    fewer = replace(few, pair=CT_T1, n_cases=3, note="3 cases have both CT and T1.")
    trust = judge_trust(diagnostics(bounds_nats={}, pairs=(fewer, few)), n_cases=24)
    assert trust.level == "none"
    assert note in trust.sentence
    assert "signal" not in trust.sentence
    alone = judge_trust(diagnostics(bounds_nats={}, pairs=()), n_cases=24).sentence
    assert "one modality" in alone


@pytest.mark.parametrize("r12", [0.13, 0.47, 0.9])
@pytest.mark.parametrize("estimator", ["gaussian", "contrastive", "local"])
def test_no_figure_is_promised_for_the_agreement_with_the_truth(r12: float, estimator: str) -> None:
    found = diagnostics(estimator=estimator, bounds_nats={estimator: 0.5}, r12_disjoint=r12)
    sentence = judge_trust(found, n_cases=51).sentence
    assert "simulated" not in sentence
    assert sentence.count(f"{r12:.2f}") == 1


@pytest.mark.parametrize(("bound", "is_near"), [(1.0, False), (1.8, False), (2.0, True)])
def test_a_bound_near_its_ceiling_says_so(bound: float, is_near: bool) -> None:
    found = diagnostics(bounds_nats={"gaussian": bound}, n_folds=5)
    assert found.ceiling_nats == pytest.approx(2.3, abs=0.05)
    assert ("near the 2.3" in judge_trust(found, n_cases=51).sentence) == is_near
    local = diagnostics(estimator="local", bounds_nats={"local": bound})
    assert local.ceiling_nats is None
    assert "near the" not in judge_trust(local, n_cases=51).sentence
