"""What part a case had in a model: every Dice says it, in these words. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from MultimodalImagingLib.jobs.texts import counted


class CaseRole(StrEnum):
    """The part that a case had in a model; in the order in which figures are shown."""

    EVALUATION = "evaluation"
    UNSEEN = "unseen"
    BEFORE = "seen before"
    VALIDATION = "validation"
    TRAINING = "training"


_MEANINGS = {
    CaseRole.EVALUATION: ("of the evaluation set", ""),
    CaseRole.UNSEEN: ("that the model has not seen, not of the evaluation set", ""),
    CaseRole.BEFORE: (
        "that a model has seen from which this one started",
        "so the scores flatter",
    ),
    CaseRole.VALIDATION: (
        "that chose the state of the model in its training",
        "so the scores flatter",
    ),
    CaseRole.TRAINING: (
        "that the model was trained on",
        "so the scores say nothing about new cases",
    ),
}


def role_text(role: CaseRole, n_cases: int) -> str:
    """Say which cases a figure comes from: `8 cases of the evaluation set`."""
    what, but = _MEANINGS[role]
    return ", ".join(part for part in (f"{counted(n_cases, 'case')} {what}", but) if part)


def by_role(roles: Mapping[str, CaseRole], case_ids: Iterable[str]) -> dict[CaseRole, list[str]]:
    """Group cases by their role, in the order of the roles; without one they are unseen."""
    found: dict[CaseRole, list[str]] = {role: [] for role in CaseRole}
    for name in case_ids:
        found[roles.get(name, CaseRole.UNSEEN)].append(name)
    return {role: names for role, names in found.items() if names}
