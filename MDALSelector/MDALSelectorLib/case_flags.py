"""Flags of cases: what a user should know before labeling one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Kinds of flags; others may join them.
CHECK_PAIRING = "check pairing"
INCOMPLETE = "incomplete"
NOT_RANKABLE = "not rankable"
PAIRING_ACCEPTED = "pairing accepted"
SKIPPED = "skipped"
EVALUATION = "evaluation"
HOLDING_BACK = (
    EVALUATION,
    SKIPPED,
    CHECK_PAIRING,
    NOT_RANKABLE,
)  # cases with these are not suggested


@dataclass(frozen=True)
class Flag:
    """Something about a case that the user should know before labeling it.

    Attributes:
        kind: Short name, for example `"check pairing"`.
        reason: What was found, in one sentence.
    """

    kind: str
    reason: str


def with_flags(
    flags: Mapping[str, tuple[Flag, ...]], kind: str, reasons: Mapping[str, str]
) -> dict[str, tuple[Flag, ...]]:
    """Put a flag before those that cases have.

    Args:
        flags: Flags per case.
        kind: Kind of the new one.
        reasons: Its reason per case that gets it.
    """
    new = {case: (Flag(kind, reason), *flags.get(case, ())) for case, reason in reasons.items()}
    return {**flags, **new}
