"""What the panel of MDALSelector does, without the panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModuleLogic,
)

from MDALSelectorPanelLib.nodes.case_rows import (
    CaseRow,
    rows_from_found,
    rows_from_selection,
    with_states,
)
from MDALSelectorPanelLib.nodes.labeling import Labeling
from MDALSelectorPanelLib.nodes.pmi_overlay import PMIOverlay
from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes, runFacts
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.case_layout import CaseLayout
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.case_opening import beginWithResult, openForLabeling
from MultimodalSlicerLib.case_results import ChosenCase, newest_result
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.cohort_report import CohortReport, read_report
from MultimodalSlicerLib.drafts import DRAFT_ATTRIBUTE, beginsFreely, isDraft
from MultimodalSlicerLib.neighbours import openNeighbour
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalSlicerLib.segment_editor import openSegmentEditor
from MultimodalSlicerLib.selection_parameters import (
    LabelStart,
    MDALSelectorParameterNode,
    acceptPairing,
    chosenResults,
    inspectArguments,
    selectArguments,
)
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.job_needs import QUICK_LOOK, JobNeeds

MODULE = "MDALSelector"


class MDALSelectorLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel.

    Attributes:
        ranking: The ranking of the scene.
        case: The open case, which the other module may have opened.
        overlay: The local PMI map over it.
        nLabelled: Number of labeled cases of the cohort that was inspected.
        labeling: Which case is next, and what can be undone.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.ranking = RankingNodes(slicer.mrmlScene)
        self.case = openCaseOf(slicer.mrmlScene)
        self.overlay = PMIOverlay(slicer.mrmlScene)
        self._report: CohortReport | None = None
        self._reportedPath = ""
        self.nLabelled = 0
        self.labeling = Labeling(self.rows, self.files, lambda: self.ranking.run)

    @property
    def loader(self) -> CaseLoader:
        """The nodes of the open case."""
        return self.case.loader

    @property
    def layout(self) -> CaseLayout:
        """The views of the open case."""
        return self.case.layout

    def getParameterNode(self) -> MDALSelectorParameterNode:
        """Return what the user chose in this scene."""
        return MDALSelectorParameterNode(super().getParameterNode())

    def inspection(self, parameters: MDALSelectorParameterNode) -> BackgroundProcess:
        """Return the job that inspects the cohort."""
        title = _("Inspect {cohort}").format(cohort=Path(parameters.cohortPath).name)
        arguments = inspectArguments(parameters)
        return BackgroundProcess(arguments, title=title, owner=MODULE, needs=QUICK_LOOK)

    def finishInspection(self, job: BackgroundProcess) -> CohortReport:
        """Understand what was found, and bring the ranking of the cohort up to date.

        A ranking of another cohort is removed from the scene; without one, the last run of the
        cohort is opened.

        Raises:
            ValueError: If the job said nothing useful.
            CohortError: If the record or the last run cannot be read.
        """
        report = read_report(job.result or {})
        if job.arguments[2] != self._reportedPath:
            self.labeling.forget()
        self._report, self._reportedPath = report, job.arguments[2]
        files = self.files()
        self.nLabelled = files.n_labelled(self._report.cases)
        self.getParameterNode().retrospectRun = str(files.latest_retrospect() or "")
        if self.ranking.facts.cohort != self._reportedPath:
            self.ranking.remove()
            run = files.latest_run()
            if run is not None:
                self.openRun(run)
        elif self.ranking.run:
            self.ranking.update(with_states(self.ranking.rows(), files.states()))
        return self._report

    def forgetCohort(self) -> None:
        """Forget what was inspected, as it belonged to another scene."""
        self._report, self._reportedPath = None, ""
        self.nLabelled = 0
        self.labeling.forget()

    def selection(self, parameters: MDALSelectorParameterNode) -> BackgroundProcess:
        """Return the job that ranks the cohort."""
        title = _("Select from {cohort}").format(cohort=Path(parameters.cohortPath).name)
        needs = JobNeeds(device=parameters.device.value or "auto")
        arguments = selectArguments(parameters)
        return BackgroundProcess(arguments, title=title, owner=MODULE, needs=needs)

    def finishSelection(self, job: BackgroundProcess) -> None:
        """Put the ranking of a finished run into the scene.

        Raises:
            ValueError: If the job reported no run folder.
            CohortError: If the run cannot be read.
        """
        run = str((job.result or {}).get("run", ""))
        if not run:
            raise ValueError(_("The job reported no run folder. See the log, then start it again."))
        self.openRun(Path(run), (job.result or {}).get("evidence"))

    def openRun(self, run: Path, evidence: object = None) -> None:
        """Put the ranking of a run into the scene, with the states of the record.

        Args:
            run: Folder of the run.
            evidence: What its job told about labels and strategies, if it did.

        Raises:
            CohortError: If the run or the record cannot be read.
        """
        from MDALSelectorLib.selection.run_folder import read_selection

        selection = read_selection(run)
        found = () if self._report is None else self._report.cases
        rows = rows_from_selection(selection, found=found, states=self.files().states())
        cohort = self.getParameterNode().cohortPath
        self.ranking.write(rows, runFacts(run, cohort, selection, evidence))

    def rows(self) -> list[CaseRow]:
        """Return the ranking of the scene, or the cases that were found before there is one."""
        ranked = self.ranking.rows()
        if ranked or self._report is None:
            return ranked
        states: Mapping[str, CaseState] = {}
        with suppress(CrossModalError):  # the menu of a case says it, and so does Inspect
            states = self._states(self._report)
        return rows_from_found(self._report.cases, states)

    def draw(self, selected: str = "") -> slicer.vtkMRMLPlotChartNode | None:
        """Draw the ranking and return the chart; `None` if there is nothing to draw."""
        return self.ranking.draw(self.ranking.rows(), selected)

    def plotHint(self) -> str:
        """Say what the plot does not show; empty if it shows all."""
        hasRun = self._report is not None and self.files().latest_run() is not None
        return self.ranking.plotHint(hasRun=hasRun)

    def openCase(self, caseID: str, *, isBlinded: bool = False) -> None:
        """Open the images of a case in one linked view each, with the labels as outline.

        Args:
            caseID: The case.
            isBlinded: Whether it is read again without the earlier label.

        Raises:
            ValueError: If the case or its files are unknown or cannot be read.
        """
        row = self._row(caseID)
        result = None if isBlinded else self._start(row)
        openForLabeling(self.case, row, self.files(), result, isBlinded=isBlinded)

    def changeStart(self) -> None:
        """Let the labels of the open case begin as is chosen now, if nobody has made any.

        Raises:
            CrossModalError: If the result cannot be read.
        """
        labels = self.loader.segmentation()
        row = next((row for row in self.rows() if row.case_id == self.loader.caseID), None)
        if row is None or labels is None or not beginsFreely(labels):
            return
        result = self._start(row)
        if result is None:
            self.case.beginEmpty()
        elif not isDraft(labels):
            beginWithResult(self.case, result)

    def openText(self) -> str:
        """Say which case is open, and whether its labels are a draft."""
        labels, caseID = self.loader.segmentation(), self.loader.caseID
        if not caseID:
            return _("No case is open.")
        if self.case.session is not None and self.case.session.isBlinded:
            text = _("Open: {case}, to be read again without the earlier label.")
            return text.format(case=caseID)
        if labels is None or not isDraft(labels):
            return _("Open: {case}").format(case=caseID)
        text = _("Open: {case}. Its labels are a draft of {model} until you edit or save them.")
        return text.format(case=caseID, model=labels.GetAttribute(DRAFT_ATTRIBUTE))

    def _start(self, row: CaseRow) -> Path | None:
        session = self.case.session
        isBlinded = session is not None and session.isBlinded and session.caseID == row.case_id
        if isBlinded or self.getParameterNode().labelStart is LabelStart.EMPTY:
            return None
        with suppress(CrossModalError):  # labels that test a model begin without its draft
            if row.case_id in self.files().record.read_states().evaluation:
                return None
        return self._result(row)

    def resultOf(self, caseID: str) -> Path | None:
        """Return the folder of the result that labels of a case begin with; `None` without one."""
        row = next((row for row in self.rows() if row.case_id == caseID), None)
        return None if row is None else self._result(row)

    def _result(self, row: CaseRow) -> Path | None:
        files = self.files()
        images = (str(image.path) for image in files.images(row).values())
        offered = next(
            (self.case.offered[file] for file in images if file in self.case.offered), None
        )
        if offered is not None and offered.is_dir():
            return offered
        return newest_result(row.case_id, files, chosenResults(slicer.mrmlScene, files))

    def openSegmentEditor(self) -> None:
        """Edit the labels of the open case in Segment Editor, over the first image.

        Raises:
            ValueError: If no case is open.
        """
        segmentation = self.case.segmentationForEditing()
        volumes = list(self.loader.volumes().values())
        openSegmentEditor(segmentation, volumes[0], volumes)

    def openNeighbour(self, name: str) -> None:
        """Go on with the open case in another module, over the first image.

        Raises:
            ValueError: If no case is open.
        """
        segmentation = self.case.segmentationForEditing()
        volumes = list(self.loader.volumes().values())
        openNeighbour(name, segmentation, volumes[0], volumes)

    def acceptPairing(self, caseID: str) -> CaseRow:
        """Note that the modalities of a case belong together, and return its new row.

        Raises:
            ValueError: If there is no such case.
            CohortError: If the record cannot be written.
        """
        row = self._row(caseID)
        acceptPairing(slicer.mrmlScene, self.files(), caseID)
        self.noteStates({caseID: CaseState.CONFIRMED})
        return replace(row, state=CaseState.CONFIRMED)

    def noteStates(self, states: Mapping[str, CaseState]) -> None:
        """Keep with the ranking, if there is one, that cases have another state now."""
        if self.ranking.run:
            self.ranking.update(with_states(self.ranking.rows(), states))

    def newStates(self, rows: Sequence[CaseRow]) -> dict[str, CaseState]:
        """Return the states that the record has given to cases since their rows were made."""
        states: Mapping[str, CaseState] = {}
        if self._report is not None:
            with suppress(CrossModalError):  # the menu of a case says it, and so does Inspect
                states = self._states(self._report)
        now = ((row, states.get(row.case_id, row.state)) for row in rows)
        return {row.case_id: state for row, state in now if state is not row.state}

    def _states(self, report: CohortReport) -> Mapping[str, CaseState]:
        """Return the states of the record; a ranking knows by itself which labels counted."""
        files = self.files()
        return files.states() if self.ranking.run else files.case_states(report.cases)

    def chosenCase(self, row: CaseRow | None) -> ChosenCase | None:
        """Return what is known of the case of a row; `None` without one."""
        if row is None:
            return None
        return ChosenCase(row, row.state, self.files(), self._result(row))

    def isInspected(self, path: str) -> bool:
        """Tell whether a cohort is the one that was inspected last."""
        return self._report is not None and self._reportedPath == path

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of the cohort that was inspected; none before."""
        return () if self._report is None else self._report.modalities

    def problems(
        self, parameters: MDALSelectorParameterNode, row: CaseRow | None, *, busy: str, missing: str
    ) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can.

        Args:
            parameters: What the user chose.
            row: The case that is chosen in the table; `None` if there is none.
            busy: What hinders another job now; empty if nothing does.
            missing: What must be installed first; empty if nothing.
        """
        isInspected = self.isInspected(parameters.cohortPath)
        noCohort = "" if parameters.cohortPath else _("Choose the folder of a cohort.")
        noReport = "" if isInspected else _("Press Inspect first.")
        noRun = "" if self.ranking.run else _("Select cases first.")
        noCase = "" if row is not None else _("Choose a case in the table.")
        noOpen = "" if self.loader.caseID else _("Load a case first.")
        isDoubtful = row is not None and row.state is CaseState.CHECK_PAIRING
        noDoubt = "" if isDoubtful else _("Only for cases in the state 'check pairing'.")
        return {
            "inspectButton": noCohort,
            "resetNamesButton": noCohort,
            "startButton": busy or missing or noCohort or noReport,
            "loadCaseButton": noCase,
            "closeCaseButton": noOpen,
            "segmentEditorButton": noOpen,
            "neighbourButton": noOpen,
            "saveLabelButton": noOpen or self.nothingToSave(),
            "acceptPairingButton": noCase or noDoubt,
            "openReportButton": noRun,
            "exportButton": noReport if noRun else "",
        }

    def nothingToSave(self) -> str:
        """Say why the open case has nothing to save; empty if it has."""
        labels = self.loader.segmentation()
        isEmpty = labels is None or not labels.GetSegmentation().GetNumberOfSegments()
        return _("The case has no labels yet. Add a segment.") if isEmpty else ""

    def _row(self, caseID: str) -> CaseRow:
        row = next((row for row in self.rows() if row.case_id == caseID), None)
        if row is None:
            raise ValueError(_("No case is chosen. Choose one in the table."))
        return row

    def files(self) -> CohortFiles:
        """Return the cohort that is chosen."""
        parameters = self.getParameterNode()
        return CohortFiles(parameters.cohortPath, parameters.recordPath)
