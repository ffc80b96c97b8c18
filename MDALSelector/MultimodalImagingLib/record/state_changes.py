"""Changes of states as users decide on them: what becomes of an entry, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.environment import same_name, user_name
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, StateEntry, utc_now


def with_states(
    current: CaseStates, changes: Mapping[str, CaseState], note: str = ""
) -> CaseStates:
    """Return states in which some cases have another one, set by this user now."""
    entries, by, at = dict(current.entries), user_name(), utc_now()
    for name, state in changes.items():
        case_id = same_name(name)
        new, before = CaseState(state), current.entries.get(case_id)
        former = current.of(case_id)
        if before is not None and before.state is new:
            former = before.former
        entries[case_id] = StateEntry(new, by, at, note, former)
    return replace(current, entries=entries)


def events_of(current: CaseStates, changes: Mapping[str, CaseState]) -> list[tuple[str, str]]:
    """Return what the history says of changes that a user makes: event and case."""
    pairs = ((_event_of(current.of(case), state), case) for case, state in changes.items())
    return [(event, case) for event, case in pairs if event]


def check_conflicts(current: CaseStates, changes: Mapping[str, CaseState]) -> None:
    """Refuse changes of cases that have another state now.

    Raises:
        CohortError: If so.
    """
    for case_id, state in changes.items():
        entry = current.entries.get(case_id)
        if entry is not None and entry.state != state:
            msg = (
                f"Case {case_id} was set to '{entry.state}' by {entry.by} at {entry.at}, after"
                f" this view was opened. Refresh the list, then set '{state}' again if needed."
            )
            raise CohortError(msg)


def _event_of(former: CaseState, state: CaseState) -> str:
    if state is former:
        return ""
    if state is CaseState.SKIPPED:
        return "skipped"
    if state is CaseState.CONFIRMED:
        return "confirmed"
    return "unskipped" if former is CaseState.SKIPPED else ""
