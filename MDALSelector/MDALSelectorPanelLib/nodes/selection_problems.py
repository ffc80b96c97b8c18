"""What MDALSelector cannot do or show now, in words."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes
from MultimodalImagingLib.record.cohort_record import CaseState


@dataclass(frozen=True)
class SelectionState:
    """What is there already.

    Attributes:
        hasCohort: Whether a folder or manifest was chosen.
        isInspected: Whether that cohort was inspected.
        isBusy: Whether a job of the panel waits or runs.
        hasRun: Whether there is a ranking.
        caseState: State of the case that is chosen in the table; `None` if there is none.
        isCaseOpen: Whether the images of a case are open.
        missing: What must be installed first; empty if nothing.
    """

    hasCohort: bool
    isInspected: bool
    isBusy: bool
    hasRun: bool
    caseState: CaseState | None
    isCaseOpen: bool
    missing: str


def buttonProblems(state: SelectionState) -> dict[str, str]:
    """Return one sentence per button of the `.ui` file; empty if it can be pressed."""
    busy = _("A job is running. Wait, or press Cancel.") if state.isBusy else ""
    noCohort = "" if state.hasCohort else _("Choose the folder of a cohort.")
    noReport = "" if state.isInspected else _("Press Inspect first.")
    noRun = "" if state.hasRun else _("Select cases first.")
    noCase = "" if state.caseState else _("Choose a case in the table.")
    noOpen = "" if state.isCaseOpen else _("Load a case first.")
    return {
        "inspectButton": busy or noCohort,
        "resetNamesButton": busy or noCohort,
        "startButton": busy or state.missing or noCohort or noReport,
        "loadCaseButton": noCase,
        "closeCaseButton": noOpen,
        "segmentEditorButton": noOpen,
        "acceptPairingButton": noCase or _pairingProblem(state.caseState),
        "openReportButton": noRun,
        "exportButton": "" if state.hasRun or state.isInspected else noReport,
    }


def plotHint(ranking: RankingNodes) -> str:
    """Say what the plot does not show; empty if it shows all."""
    if ranking.chart() is None:
        return _("The plot appears after a selection.")
    outliers = ranking.outliers()
    text = _("Not shown, as their difference is far from the others: {cases}.")
    return text.format(cases=", ".join(row.case_id for row in outliers)) if outliers else ""


def _pairingProblem(caseState: CaseState | None) -> str:
    if caseState is CaseState.CHECK_PAIRING:
        return ""
    return _("Only for cases in the state 'check pairing'.")
