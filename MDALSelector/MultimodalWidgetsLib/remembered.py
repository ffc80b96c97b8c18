"""What a user chose last, kept over a restart: per user, in the settings of the application.

What a scene holds comes first: choices of the last time are taken over into a new scene only, and
only where that has none. A folder that is gone is not taken over; a sentence says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import slicer
from slicer.i18n import tr as _

GROUP = "CrossModal"
COHORTS = "Cohorts"
MAX_COHORTS = 10
_OWN_CHOICES = "CrossModal.OwnChoices"


@dataclass(frozen=True)
class RecentCohort:
    """A cohort that was inspected, and what was chosen for it.

    Attributes:
        path: Folder or CSV manifest.
        record: Folder of the record; empty for the usual place.
        results: Folder of the results of a batch; empty for the record.
    """

    path: str
    record: str = ""
    results: str = ""

    @property
    def isThere(self) -> bool:
        """Whether the folder or the manifest exists now."""
        return Path(self.path).exists()


class CohortChoice(Protocol):
    """Parameters that hold a cohort and its record."""

    cohortPath: str
    recordPath: str


def remember(name: str, value: str) -> None:
    """Keep a choice."""
    slicer.app.settings().setValue(f"{GROUP}/{name}", value)


def recalled(name: str) -> str:
    """Return a choice of the last time; empty if there was none."""
    value = slicer.app.settings().value(f"{GROUP}/{name}")
    return value if isinstance(value, str) else ""


def takesOver(node: slicer.vtkMRMLScriptedModuleNode) -> bool:
    """Tell, once per scene, whether choices of the last time belong into its parameters."""
    isNew = not node.GetParameter(_OWN_CHOICES)
    keepOwn(node)
    return isNew


def keepOwn(node: slicer.vtkMRMLScriptedModuleNode) -> None:
    """Leave parameters as they are: what is empty in them stays empty."""
    node.SetParameter(_OWN_CHOICES, "true")


def recentCohorts() -> list[RecentCohort]:
    """Return the cohorts that were inspected, the last one first."""
    try:
        return [RecentCohort(**item) for item in json.loads(recalled(COHORTS) or "[]")]
    except (TypeError, ValueError):  # edited by hand, or of another version
        return []


def rememberCohort(path: str, record: str, results: str | None = None) -> None:
    """Put a cohort first in the list.

    Args:
        path: Folder or CSV manifest.
        record: Folder of its record; empty for the usual place.
        results: Folder of its results; `None` to keep what is known.
    """
    known = recentCohorts()
    former = next((cohort for cohort in known if cohort.path == path), RecentCohort(path))
    kept = former.results if results is None else results
    others = [cohort for cohort in known if cohort.path != path]
    _write([replace(former, record=record, results=kept), *others])


def forgetGoneCohorts() -> None:
    """Take the cohorts off the list that are not there now."""
    _write([cohort for cohort in recentCohorts() if cohort.isThere])


def recallCohort(parameters: CohortChoice) -> str:
    """Take over the cohort of the last time where none is chosen.

    Returns:
        Why it was not taken over; empty if it was, or if there is none.
    """
    last = next(iter(recentCohorts()), None)
    if parameters.cohortPath or last is None:
        return ""
    if not last.isThere:
        text = _(
            "The cohort of last time, {path}, is not there now. Connect its drive, or choose"
            " another one."
        )
        return text.format(path=last.path)
    parameters.cohortPath, parameters.recordPath = last.path, last.record
    return ""


def _write(cohorts: Sequence[RecentCohort]) -> None:
    remember(COHORTS, json.dumps([asdict(cohort) for cohort in cohorts[:MAX_COHORTS]]))
