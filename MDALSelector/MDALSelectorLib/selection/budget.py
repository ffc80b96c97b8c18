"""How many cases to label next: a number of cases, or a share of the cohort."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from MultimodalImagingLib.errors import UsageError

_CASES = re.compile(r"[0-9]+")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")


@dataclass(frozen=True)
class Budget:
    """A number of cases and where it comes from.

    Attributes:
        n_cases: Cases to suggest, at least 1; cases that are labeled already come on top.
        statement: How the number came about, in words.
    """

    n_cases: int
    statement: str


def parse_budget(text: str, *, n_cases: int) -> Budget:
    """Turn `12` or `20%` into a number of cases; a share counts all cases and is rounded up.

    Args:
        text: What the user wrote.
        n_cases: Number of cases in the cohort, whatever their state.

    Raises:
        UsageError: If the text is neither, or the number is not between 1 and `n_cases`.
    """
    cleaned = text.strip()
    share = _PERCENT.fullmatch(cleaned)
    if share is None and _CASES.fullmatch(cleaned) is None:
        msg = (
            f"Expected a budget as a number of cases or a share of the cohort, such as 12 or 20%,"
            f" got '{text}'. {_hint(cleaned)}"
        )
        raise UsageError(msg)
    exact = Fraction(cleaned) if share is None else Fraction(share[1]) * n_cases / 100
    count = math.ceil(exact)
    if not 1 <= count <= n_cases:
        msg = (
            f"Expected a budget between 1 case and all {n_cases} cases of the cohort, got '{text}',"
            f" which is {count}. Give a budget in that range."
        )
        raise UsageError(msg)
    if share is None:
        return Budget(count, f"{count} of {n_cases} cases")
    rounded = "" if exact == count else ", rounded up"
    noun = "case" if count == 1 else "cases"
    return Budget(count, f"{share[1]}% of {n_cases} cases{rounded}: {count} {noun}")


def _hint(text: str) -> str:
    try:
        share = float(text)
    except ValueError:
        return "Write one of the two."
    return f"Write {share * 100:g}% for that share." if 0 < share < 1 else "Write a whole number."
