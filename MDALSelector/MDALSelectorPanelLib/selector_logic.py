"""What the panel of MDALSelector does, without the panel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.listed_cases import ListedCases
from MDALSelectorPanelLib.nodes.case_rows import (
    CaseRow,
)
from MDALSelectorPanelLib.nodes.pmi_overlay import PMIOverlay
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.case_layout import CaseLayout
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.case_opening import beginWithResult, openForLabeling
from MultimodalSlicerLib.case_results import ChosenCase, is_by_model, newest_result
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


class MDALSelectorLogic(ListedCases):
    """What the panel does, without the panel.

    Attributes:
        case: The open case, which the other module may have opened.
        overlay: The local PMI map over it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.case = openCaseOf(slicer.mrmlScene)
        self.overlay = PMIOverlay(slicer.mrmlScene)

    @property
    def loader(self) -> CaseLoader:
        """The nodes of the open case."""
        return self.case.loader

    @property
    def layout(self) -> CaseLayout:
        """The views of the open case."""
        return self.case.layout

    def inspection(self, parameters: MDALSelectorParameterNode) -> BackgroundProcess:
        """Return the job that inspects the cohort."""
        title = _("Inspect {cohort}").format(cohort=Path(parameters.cohortPath).name)
        arguments = inspectArguments(parameters)
        return BackgroundProcess(arguments, title=title, owner=MODULE, needs=QUICK_LOOK)

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

    def openCase(self, caseID: str, *, isBlinded: bool = False) -> None:
        """Open the images of a case in one linked view each, with the labels as outline.

        Args:
            caseID: The case.
            isBlinded: Whether it is read again without the earlier label.

        Raises:
            ValueError: If the case or its files are unknown or cannot be read.
        """
        row = self.knownRow(caseID)
        result = None if isBlinded else self._start(row)
        openForLabeling(
            self.case,
            row,
            self.files(),
            result,
            modalities=self.modalities,
            isBlinded=isBlinded,
        )

    def changeStart(self) -> None:
        """Let the labels of the open case begin as is chosen now, if nobody has made any.

        Raises:
            CrossModalError: If the result cannot be read.
        """
        labels = self.loader.segmentation()
        row = self.row(self.loader.caseID)
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
        isEmpty = self.getParameterNode().labelStart is LabelStart.EMPTY
        return None if isEmpty else self._result(row)

    def resultOf(self, caseID: str, model: str) -> Path | None:
        """Return the folder of the newest result of a case by a model; `None` without one.

        Args:
            caseID: The case.
            model: The model, as drafts name it.
        """
        row = self.row(caseID)
        return None if row is None else self._result(row, model)

    def _result(self, row: CaseRow, model: str = "") -> Path | None:
        files = self.files()
        images = (str(image.path) for image in files.images(row).values())
        offered = next(
            (self.case.offered[file] for file in images if file in self.case.offered), None
        )
        if offered is not None and offered.is_dir() and (not model or is_by_model(offered, model)):
            return offered
        chosen = chosenResults(slicer.mrmlScene, files)
        return newest_result(row.case_id, files, chosen, model=model)

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
        row = self.knownRow(caseID)
        acceptPairing(slicer.mrmlScene, self.files(), caseID)
        self.noteStates({caseID: CaseState.CONFIRMED})
        return replace(row, state=CaseState.CONFIRMED)

    def chosenCase(self, row: CaseRow | None) -> ChosenCase | None:
        """Return what is known of the case of a row; `None` without one."""
        if row is None:
            return None
        return ChosenCase(row, row.state, self.files(), self._result(row))

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
