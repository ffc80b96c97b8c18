"""How many cases to label next, and whether the cohort has that many to suggest."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from MDALSelectorLib.case_flags import (
    CHECK_PAIRING,
    EVALUATION,
    HOLDING_BACK,
    NOT_RANKABLE,
    SKIPPED,
    Flag,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.texts import counted

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
        return Budget(count, f"{count} of {counted(n_cases, 'case')}")
    rounded = "" if exact == count else ", rounded up"
    cases = counted(n_cases, "case")
    return Budget(count, f"{share[1]}% of {cases}{rounded}: {counted(count, 'case')}")


def _hint(text: str) -> str:
    try:
        share = float(text)
    except ValueError:
        return "Write one of the two."
    return f"Write {share * 100:g}% for that share." if 0 < share < 1 else "Write a whole number."


_Flags = Mapping[str, tuple[Flag, ...]]


def check_some_unlabelled(n_cases: int, n_labelled: int) -> None:
    """Refuse a cohort in which there is nothing left to label.

    Raises:
        UsageError: If all cases are labeled.
    """
    if n_cases and n_labelled == n_cases:
        msg = (
            f"Every case is labeled ({counted(n_cases, 'case')}), so there is none to suggest."
            " Add cases to continue,"
            " or train with the labels that there are."
        )
        raise UsageError(msg)


def check_candidates(
    open_cases: Sequence[str], flags: _Flags, *, n_cases: int, budget: int, strategy: str
) -> None:
    """Refuse a budget that cannot be met, and say why it cannot.

    Args:
        open_cases: The cases that are not labeled.
        flags: Flags of every case, with those that keep it from being ranked.
        n_cases: Number of cases in the cohort, whatever their state.
        budget: Number of cases to suggest.
        strategy: Name of the strategy, for the sentence.

    Raises:
        UsageError: If there are fewer candidates than that.
    """
    held_back = _held_back(open_cases, flags)
    n_left = len(open_cases) - sum(map(len, held_back.values()))
    if budget <= n_left:
        return
    n_labelled = n_cases - len(open_cases)
    check_some_unlabelled(n_cases, n_labelled)
    parts, advice = _explained(held_back, flags, strategy)
    if n_labelled:
        parts.insert(0, f"{n_labelled} {'is' if n_labelled == 1 else 'are'} labeled")
    if n_left:
        advice.insert(0, f"give a budget of at most {n_left}")
    found = f"{n_left} of {counted(n_cases, 'case')} can be suggested ({'; '.join(parts)})"
    large = f"A budget of {counted(budget, 'case')} is too large"
    lead = large if n_left else "There is no case to suggest"
    text = ", or ".join(advice) or "give a smaller budget"
    msg = f"{lead}: {found}. {text[0].upper()}{text[1:]}."
    raise UsageError(msg)


def _held_back(open_cases: Sequence[str], flags: _Flags) -> dict[str, list[str]]:
    """Return the cases that cannot be suggested by the first kind of flag that says so."""
    found: dict[str, list[str]] = {kind: [] for kind in HOLDING_BACK}
    for name in open_cases:
        kind = next((kind for kind in HOLDING_BACK if _has(flags, name, kind)), None)
        if kind is not None:
            found[kind].append(name)
    return found


def _explained(
    held_back: Mapping[str, Sequence[str]], flags: _Flags, strategy: str
) -> tuple[list[str], list[str]]:
    """Say why cases cannot be suggested, and what can be done about it."""
    parts, advice = [], []
    skipped, to_check, unranked = (held_back[k] for k in (SKIPPED, CHECK_PAIRING, NOT_RANKABLE))
    set_aside = len(held_back[EVALUATION])
    if set_aside:
        parts.append(f"{set_aside} {'is' if set_aside == 1 else 'are'} set aside for testing")
    if skipped:
        parts.append(f"{len(skipped)} {'is' if len(skipped) == 1 else 'are'} skipped")
        advice.append(f"undo a skip (menu of {skipped[0]} in the list of cases)")
    if to_check:
        seen = _reason(flags, to_check[0], CHECK_PAIRING).rstrip(".")
        have = "has" if len(to_check) == 1 else "have"
        flagged = f"{len(to_check)} {have} images that may not belong together"
        parts.append(f"{flagged}, such as {to_check[0]}: {seen}")
        advice.append(f"look at those and accept what is right (--accept {to_check[0]})")
    if unranked:
        seen = _reason(flags, unranked[0], NOT_RANKABLE)
        parts.append(f"{len(unranked)} cannot be ranked by {strategy}: {seen}")
        advice.append("choose a strategy that needs no pair of modalities (TypiClust, Random)")
    return parts, advice


def _has(flags: _Flags, name: str, kind: str) -> bool:
    return any(flag.kind == kind for flag in flags.get(name, ()))


def _reason(flags: _Flags, name: str, kind: str) -> str:
    return next(flag.reason for flag in flags[name] if flag.kind == kind)
