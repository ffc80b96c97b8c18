"""Claims: who has which case open. They time out, so that no crash keeps a case from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.case_states import CaseStates, Claim
from MultimodalImagingLib.record.readers import is_same_reader

TIMEOUT_S = 2 * 3600.0
PURPOSES = ("label", "re-read")


class ClaimedError(CohortError):
    """Another reader has the case; the text says who and since when.

    Attributes:
        claim: Their claim.
    """

    def __init__(self, message: str, claim: Claim) -> None:
        super().__init__(message)
        self.claim = claim


def is_live(claim: Claim, *, now: datetime | None = None) -> bool:
    """Tell whether there was a sign of life lately.

    A time in the future counts as well: clocks of two computers differ by minutes, not by hours.
    """
    try:
        touched = datetime.fromisoformat(claim.touched)
    except ValueError:
        return False
    if touched.tzinfo is None:
        touched = touched.replace(tzinfo=UTC)
    silence = (now or datetime.now(UTC)) - touched
    return abs(silence.total_seconds()) <= TIMEOUT_S


def live_claims(claims: Mapping[str, Claim]) -> dict[str, Claim]:
    """Return the claims with a sign of life lately."""
    now = datetime.now(UTC)
    return {case: claim for case, claim in claims.items() if is_live(claim, now=now)}


def with_claim(current: CaseStates, case_id: str, new: Claim) -> CaseStates:
    """Return states in which a reader has a case; a claim of their own only gets a sign of life.

    Raises:
        ClaimedError: If another reader has the case, or the same one on another computer.
    """
    found = current.claims.get(case_id)
    if found is not None and is_live(found):
        _check_own(case_id, found, new)
        if found.purpose == new.purpose:
            new = replace(found, touched=new.touched)
    return replace(current, claims={**current.claims, case_id: new})


def without_claim(current: CaseStates, case_id: str, reader: str) -> CaseStates:
    """Return states in which nobody has a case.

    Raises:
        ClaimedError: If another reader has it.
    """
    found = current.claims.get(case_id)
    if found is None:
        return current
    if is_live(found) and not is_same_reader(found.reader, reader):
        raise _others(case_id, found)
    claims = {case: claim for case, claim in current.claims.items() if case != case_id}
    return replace(current, claims=claims)


def timed_out(former: Claim | None) -> dict[str, object]:
    """Return what the history says of a claim in whose place another one came."""
    if former is None:
        return {}
    return {"timed_out": {"reader": former.reader, "since": former.since}}


def _check_own(case_id: str, found: Claim, new: Claim) -> None:
    if not is_same_reader(found.reader, new.reader):
        raise _others(case_id, found)
    if found.host != new.host:
        msg = (
            f"Case {case_id} is open by {found.reader} on {found.host} since {found.since}, and one"
            " reader has one label per case. Save and close it there, or release it with"
            f" `mdal-selector release COHORT {case_id} --reader {found.reader}`."
        )
        raise ClaimedError(msg, found)


def _others(case_id: str, found: Claim) -> ClaimedError:
    msg = (
        f"Case {case_id} is claimed by {found.reader} ({found.by} on {found.host}) since"
        f" {found.since}. Take another case, or ask them to release it."
    )
    return ClaimedError(msg, found)
