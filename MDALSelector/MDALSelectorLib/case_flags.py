"""Flags of cases: what a user should know before labeling one."""

from __future__ import annotations

from dataclasses import dataclass

# Kinds of flags; others may join them. The first one keeps a case from being suggested.
CHECK_PAIRING = "check pairing"
INCOMPLETE = "incomplete"
NOT_RANKABLE = "not rankable"
PAIRING_ACCEPTED = "pairing accepted"


@dataclass(frozen=True)
class Flag:
    """Something about a case that the user should know before labeling it.

    Attributes:
        kind: Short name, for example `"check pairing"`.
        reason: What was found, in one sentence.
    """

    kind: str
    reason: str
