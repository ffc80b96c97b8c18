from __future__ import annotations

from collections.abc import Sequence

import pytest

from MDALSelectorLib.case_flags import CHECK_PAIRING, NOT_RANKABLE, Flag
from MDALSelectorLib.selection.budget import check_candidates, check_some_unlabelled
from MultimodalImagingLib.errors import UsageError

NAMES = tuple(f"case-{number:03d}" for number in range(51))
CHECK = (Flag(CHECK_PAIRING, "CT lies 7 mm off."),)
UNRANKED = (Flag(NOT_RANKABLE, "no pair of its modalities was scored"),)


def check(open_cases: Sequence[str], flags: dict[str, tuple[Flag, ...]], budget: int) -> None:
    check_candidates(open_cases, flags, n_cases=len(NAMES), budget=budget, strategy="MaxMD")


def refusal(open_cases: Sequence[str], flags: dict[str, tuple[Flag, ...]], budget: int = 1) -> str:
    with pytest.raises(UsageError) as error:
        check(open_cases, flags, budget)
    return str(error.value)


def test_a_labelled_cohort_is_no_matter_of_flags() -> None:
    text = refusal([], {})
    assert text.startswith(f"Every case is labeled ({len(NAMES)} cases)")
    assert "accept" not in text
    with pytest.raises(UsageError, match=r"Every case is labeled \(5 cases"):
        check_some_unlabelled(5, 5)
    check_some_unlabelled(5, 4)
    check_some_unlabelled(0, 0)


def test_flagged_cases_can_be_accepted_and_unranked_ones_cannot() -> None:
    text = refusal(NAMES[1:], dict.fromkeys(NAMES, CHECK))
    assert f"0 of {len(NAMES)} cases can be suggested" in text
    assert f"--accept {NAMES[1]}" in text
    assert "TypiClust" not in text
    text = refusal(NAMES[1:], dict.fromkeys(NAMES, UNRANKED))
    assert "no pair of its modalities was scored" in text
    assert "TypiClust" in text
    assert "--accept" not in text


def test_a_budget_above_what_is_left_is_refused_with_what_is_left() -> None:
    flags = {NAMES[0]: CHECK, NAMES[1]: CHECK + UNRANKED, NAMES[2]: UNRANKED}
    n_left = len(NAMES) - 3
    check(NAMES, flags, n_left)
    text = refusal(NAMES, flags, budget=n_left + 1)
    assert f"at most {n_left}" in text
    assert f"2 have images that may not belong together, such as {NAMES[0]}: " in text
    assert "; 1 cannot be ranked by MaxMD: " in text
