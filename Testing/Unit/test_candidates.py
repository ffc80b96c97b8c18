from __future__ import annotations

from dataclasses import replace

import pytest
from example_selection import example_scores

from MDALSelectorLib.case_flags import CHECK_PAIRING, NOT_RANKABLE, Flag
from MDALSelectorLib.selection.budget import check_candidates, check_some_unlabelled
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MultimodalImagingLib.errors import UsageError

SCORES = example_scores()
NAMES = SCORES.case_ids
CHECK = (Flag(CHECK_PAIRING, "CT lies 7 mm off."),)
UNRANKED = (Flag(NOT_RANKABLE, "no pair of its modalities was scored"),)


def refusal(scores: CohortScores, flags: dict[str, tuple[Flag, ...]], budget: int = 1) -> str:
    with pytest.raises(UsageError) as error:
        check_candidates(scores, flags, budget=budget, strategy="MaxMD")
    return str(error.value)


def test_a_labelled_cohort_is_no_matter_of_flags() -> None:
    text = refusal(replace(SCORES, labelled=frozenset(NAMES)), {})
    assert text.startswith(f"All {len(NAMES)} cases are labeled")
    assert "accept" not in text
    with pytest.raises(UsageError, match="All 5 cases are labeled"):
        check_some_unlabelled(5, 5)
    check_some_unlabelled(5, 4)
    check_some_unlabelled(0, 0)


def test_flagged_cases_can_be_accepted_and_unranked_ones_cannot() -> None:
    scores = replace(SCORES, labelled=frozenset(NAMES[:1]))
    text = refusal(scores, dict.fromkeys(NAMES, CHECK))
    assert f"0 of {len(NAMES)} cases can be suggested" in text
    assert f"--accept {NAMES[1]}" in text
    assert "TypiClust" not in text
    text = refusal(scores, dict.fromkeys(NAMES, UNRANKED))
    assert "no pair of its modalities was scored" in text
    assert "TypiClust" in text
    assert "--accept" not in text


def test_a_budget_above_what_is_left_is_refused_with_what_is_left() -> None:
    flags = {NAMES[0]: CHECK, NAMES[1]: CHECK + UNRANKED, NAMES[2]: UNRANKED}
    scores = replace(SCORES, labelled=frozenset())
    n_left = len(NAMES) - 3
    check_candidates(scores, flags, budget=n_left, strategy="MaxMD")
    text = refusal(scores, flags, budget=n_left + 1)
    assert f"at most {n_left}" in text
    assert "2 have images that may not belong together; 1 cannot be ranked by MaxMD" in text
