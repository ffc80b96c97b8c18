"""What a retrospective run found, as the panel shows it. Must not import Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MDALSelectorLib.retrospect.config import MIN_CASES

if TYPE_CHECKING:
    from MDALSelectorLib.retrospect.outcomes import Outcome


@dataclass(frozen=True)
class RetrospectResult:
    """A finished run.

    Attributes:
        sentence: What came out, in words; or why it cannot be shown.
        notes: What it rests on and what limits it.
        titles: Titles of the table; empty if there is none.
        rows: Strategy, then its difference to random draws at every budget; the best first.
        page: The page of the run; `None` if it is not there.
    """

    sentence: str = ""
    notes: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    page: Path | None = None


def labelProblem(nLabelled: int | None) -> str:
    """Say why budgets cannot be replayed on the labels of a cohort; empty if they can.

    Args:
        nLabelled: Number of labeled cases; `None` before the cohort was inspected.
    """
    if nLabelled is None:
        return _("Press Inspect in Cohort first.")
    if nLabelled >= MIN_CASES:
        return ""
    text = _(
        "This needs labeled cases: {least} at least, found {n}. Label more cases, then press"
        " Inspect again."
    )
    return text.format(least=MIN_CASES, n=nLabelled)


def readRetrospect(run: str) -> RetrospectResult:
    """Read what a run found.

    Args:
        run: Folder of the run; empty if there is none.
    """
    if not run:
        return RetrospectResult()
    from MDALSelectorLib.retrospect.run_files import JSON_NAME, PAGE_NAME, read_retrospective
    from MultimodalImagingLib.errors import CrossModalError

    try:
        found = read_retrospective(Path(run) / JSON_NAME)
    except CrossModalError as error:
        return RetrospectResult(str(error))
    at = {(outcome.strategy, outcome.budget): outcome for outcome in found.outcomes}
    rows = [
        (best.strategy, *(_cell(at.get((best.strategy, n))) for n in range(len(found.budgets))))
        for best in found.at(found.main_budget)
    ]
    page = Path(run) / PAGE_NAME
    return RetrospectResult(
        found.sentence,
        found.notes,
        (_("Strategy"), *found.budgets),
        tuple(rows),
        page if page.is_file() else None,
    )


def _cell(outcome: Outcome | None) -> str:
    """Return a difference over its interval; empty if the strategy could not choose."""
    if outcome is None:
        return ""
    from MDALSelectorLib.retrospect.retrospective import signed

    interval = _("{low} to {high}").format(low=signed(outcome.low), high=signed(outcome.high))
    return "\n".join((signed(outcome.difference), interval))
