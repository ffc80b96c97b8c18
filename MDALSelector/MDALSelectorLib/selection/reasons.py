"""Why a case has its rank, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from MDALSelectorLib.case_flags import CHECK_PAIRING, NOT_RANKABLE, Flag
from MDALSelectorLib.selection.diagnostics import Pair


def pair_statement(
    pmi: Mapping[Pair, float],
    z: Mapping[Pair, float],
    medians_nats: Mapping[Pair, float],
    *,
    highest: bool = False,
) -> str:
    """Say which pair of modalities stands out, and by how much.

    Args:
        pmi: PMI per pair of this case, nats.
        z: The same against the cohort's median and spread; decides which pair stands out.
        medians_nats: Median over the cohort per pair, nats.
        highest: Whether the pair that shares the most is meant, not the one that shares the least.

    Returns:
        A part of a sentence; empty if no pair was scored.
    """
    scored = sorted(pair for pair in pmi if pair in medians_nats and pair in z)
    if not scored:
        return ""
    pair = max(scored, key=z.__getitem__) if highest else min(scored, key=z.__getitem__)
    names = f"{pair[0]} and {pair[1]}"
    gap = pmi[pair] - medians_nats[pair]
    amount = nats(abs(gap))
    if len(pmi) == 1 or (gap > 0) == highest:
        word = "more" if gap > 0 else "less"
        return f"{names} share {amount} {word} than the cohort's median"
    if highest:
        return f"no pair of modalities shares more than the cohort's median ({names}: -{amount})"
    return f"no pair of modalities shares less than the cohort's median ({names}: +{amount})"


def case_reason(parts: Sequence[str], flags: Sequence[Flag], *, labelled: bool) -> str:
    """Join the parts to one text that starts with what keeps the case from being labeled.

    Args:
        parts: What the strategy and the pairs say; empty ones are left out.
        flags: Flags of the case.
        labelled: Whether the case has its label already.
    """
    heads = [_sentence("already labeled")] if labelled else []
    for kind, head in ((CHECK_PAIRING, "check the pairing"), (NOT_RANKABLE, "not ranked")):
        heads += [_sentence(f"{head}: {flag.reason}") for flag in flags if flag.kind == kind]
    joined = "; ".join(part for part in parts if part)
    return " ".join([*heads, *([_sentence(joined)] if joined else [])])


def nats(value: float) -> str:
    """Write an amount of information with one decimal, with two if it is small."""
    return f"{value:.2f} nats" if abs(value) < 0.095 else f"{value:.1f} nats"


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    first = stripped.split(" ", 1)[0]
    is_word = first.islower()  # a modality or a case keeps the spelling that it has
    return f"{stripped[:1].upper() if is_word else stripped[:1]}{stripped[1:]}."
