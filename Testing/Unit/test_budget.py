from __future__ import annotations

import pytest

from MDALSelectorLib.selection.budget import Budget, parse_budget
from MultimodalImagingLib.errors import UsageError


@pytest.mark.parametrize(
    ("text", "n_cases", "count", "statement"),
    [
        ("12", 51, 12, "12 of 51 cases"),
        (" 1 ", 51, 1, "1 of 51 cases"),
        ("20%", 51, 11, "20% of 51 cases, rounded up: 11 cases"),
        ("20 %", 50, 10, "20% of 50 cases: 10 cases"),
        ("0.1%", 51, 1, "0.1% of 51 cases, rounded up: 1 case"),
        ("33.3%", 1000, 333, "33.3% of 1000 cases: 333 cases"),
        ("29%", 100, 29, "29% of 100 cases: 29 cases"),  # 0.29 * 100 > 29 in floating point
        ("100%", 7, 7, "100% of 7 cases: 7 cases"),
    ],
)
def test_cases_and_shares_are_read_and_shares_rounded_up(
    text: str, n_cases: int, count: int, statement: str
) -> None:
    assert parse_budget(text, n_cases=n_cases) == Budget(count, statement)


@pytest.mark.parametrize("text", ["", "many", "-3", "1e2", "20%%", "%", "12.5", "1/2", "٣"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="such as 12 or 20%"):
        parse_budget(text, n_cases=51)


def test_a_share_without_the_percent_sign_gets_the_hint() -> None:
    with pytest.raises(UsageError, match=r"Write 20% for that share\.$"):
        parse_budget("0.2", n_cases=51)


@pytest.mark.parametrize("text", ["0", "0%", "52", "101%"])
def test_numbers_outside_the_cohort_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"between 1 case and all 51 cases"):
        parse_budget(text, n_cases=51)
