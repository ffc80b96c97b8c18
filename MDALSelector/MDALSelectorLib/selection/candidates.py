"""Whether there are cases left to suggest; if not, the cause decides what the user can do."""

from __future__ import annotations

from collections.abc import Mapping

from MDALSelectorLib.case_flags import CHECK_PAIRING, NOT_RANKABLE, Flag
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MultimodalImagingLib.errors import UsageError

_Flags = Mapping[str, tuple[Flag, ...]]


def check_some_unlabelled(n_cases: int, n_labelled: int) -> None:
    """Refuse a cohort in which there is nothing left to label.

    Raises:
        UsageError: If all cases are labeled.
    """
    if n_cases and n_labelled == n_cases:
        msg = (
            f"All {n_cases} cases are labeled, so there is none to suggest. Add cases to continue,"
            " or train with the labels that there are."
        )
        raise UsageError(msg)


def check_candidates(scores: CohortScores, flags: _Flags, *, budget: int, strategy: str) -> None:
    """Refuse a budget that cannot be met, and say why it cannot.

    Args:
        scores: The cohort; its labeled cases are no candidates.
        flags: Flags of every case, with those that keep it from being ranked.
        budget: Number of cases to suggest.
        strategy: Name of the strategy, for the sentence.

    Raises:
        UsageError: If there are fewer candidates than that.
    """
    open_cases = [name for name in scores.case_ids if name not in scores.labelled]
    to_check = [name for name in open_cases if _has(flags, name, CHECK_PAIRING)]
    unranked = [
        name for name in open_cases if name not in to_check and _has(flags, name, NOT_RANKABLE)
    ]
    n_left = len(open_cases) - len(to_check) - len(unranked)
    if budget <= n_left:
        return
    n_all = len(scores.case_ids)
    check_some_unlabelled(n_all, n_all - len(open_cases))
    parts = [f"{len(scores.labelled)} are labeled"] if scores.labelled else []
    advice = []
    if to_check:
        parts.append(f"{len(to_check)} have images that may not belong together")
        advice.append(f"look at those and accept what is right (--accept {to_check[0]})")
    if unranked:
        parts.append(f"{len(unranked)} cannot be ranked by {strategy}: {_reason(flags, unranked)}")
        advice.append("choose a strategy that needs no pair of modalities (TypiClust, Random)")
    if n_left:
        advice.insert(0, f"give a budget of at most {n_left}")
    found = f"{n_left} of {n_all} cases can be suggested ({'; '.join(parts)})"
    lead = f"A budget of {budget} cases is too large" if n_left else "There is no case to suggest"
    text = ", or ".join(advice) or "give a smaller budget"
    msg = f"{lead}: {found}. {text[0].upper()}{text[1:]}."
    raise UsageError(msg)


def _has(flags: _Flags, name: str, kind: str) -> bool:
    return any(flag.kind == kind for flag in flags.get(name, ()))


def _reason(flags: _Flags, names: list[str]) -> str:
    return next(flag.reason for flag in flags[names[0]] if flag.kind == NOT_RANKABLE)
