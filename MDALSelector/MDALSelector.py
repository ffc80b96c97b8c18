"""Panel and logic of MDALSelector: which cases of a multimodal cohort to label next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
)

from MDALSelectorPanelLib.nodes.case_rows import (
    CaseRow,
    rows_from_found,
    rows_from_selection,
    with_states,
    write_case_table,
)
from MDALSelectorPanelLib.nodes.pmi_overlay import MAP_ATTRIBUTE, PMIOverlay
from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes, runFacts
from MDALSelectorPanelLib.widgets.case_table import CaseTable
from MDALSelectorPanelLib.widgets.cohort_section import CohortSection
from MDALSelectorPanelLib.widgets.map_section import MapSection
from MDALSelectorPanelLib.widgets.ranking_notes import RankingNotes
from MDALSelectorPanelLib.widgets.retrospect_section import RetrospectSection
from MDALSelectorPanelLib.widgets.within_choice import WithinChoice
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.case_layout import CaseLayout
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.case_opening import beginWithResult, openForLabeling
from MultimodalSlicerLib.case_results import ChosenCase, newest_result
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.cohort_report import CohortReport, read_report
from MultimodalSlicerLib.drafts import DRAFT_ATTRIBUTE, beginsFreely, isDraft
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalSlicerLib.plurals import byNumber
from MultimodalSlicerLib.segment_editor import openSegmentEditor
from MultimodalSlicerLib.selection_parameters import (
    Device,
    LabelStart,
    MDALSelectorParameterNode,
    acceptPairing,
    chosenResults,
    inspectArguments,
    selectArguments,
)
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.case_menu import CaseCalls, CaseMenu
from MultimodalWidgetsLib.case_plot import CasePlot
from MultimodalWidgetsLib.job_needs import QUICK_LOOK, JobNeeds
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.module_base import ModuleTest, ModuleWidget
from MultimodalWidgetsLib.recent_cohorts import RecentCohorts
from MultimodalWidgetsLib.remembered import (
    RecentCohort,
    recallCohort,
    recalled,
    remember,
    rememberCohort,
)
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.widget_additions import rememberPath, showText

MODULE = "MDALSelector"
DEVICE = "MDALSelector/Device"
LINES = {"strategyHintLabel": 3, "reasonLabel": 4, "plotHintLabel": 2, "currentCaseLabel": 2}


class MDALSelector(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MDAL Selector")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["CrossModal contributors"]
        self.parent.helpText = _(
            "Estimates for every case of a multimodal cohort how much information its modalities"
            " share, and suggests which cases to label next. No label is needed."
        )
        self.parent.acknowledgementText = _(
            "The method follows Wang et al., MDAL: Modality-difference-based active learning,"
            " Computerized Medical Imaging and Graphics, 2025."
        )


class MDALSelectorWidget(ModuleWidget[MDALSelectorParameterNode]):
    """Connects the panel to the logic; computes nothing."""

    restingTable = "casesTableView"
    paths = ("cohortPath", "recordPath")

    def setup(self) -> None:
        """Load the panel and connect it."""
        self.loadPanel()
        for name, lines in LINES.items():
            reserveLines(lines, getattr(self.ui, name))
        self.logic = MDALSelectorLogic()
        self.cohort = CohortSection(self.ui)
        self.inspection = JobSection(self.ui, "inspect")
        self.cases = CaseTable(self.ui)
        self.plot = CasePlot(self.ui.plotCollapsibleButton.layout(), f"{MODULE}Plot", legendLines=2)
        logic = self.logic
        self.maps = MapSection(self.ui, logic.overlay, logic.loader, logic.ranking)
        self.retrospect = RetrospectSection(self.ui, logic.getParameterNode, MODULE)
        self.within = WithinChoice(self.ui.withinComboBox, logic.getParameterNode)
        self.notes = RankingNotes(self.ui, logic.ranking, logic.getParameterNode)
        self.recent = RecentCohorts(self.ui.recentButton, self.onRecentChosen)
        self._connect()
        self.initializeParameterNode()
        self.showRanking()

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self.inspection.cleanup()
        self.retrospect.jobs.cleanup()
        self.logic.case.aboutToClose.remove(self.logic.overlay.remove)
        super().cleanup()

    def enter(self) -> None:
        """Show what has become of the cases while another module was shown."""
        super().enter()
        self.showStates(self.logic.newStates(self.cases.rows))

    def sceneParameters(self) -> MDALSelectorParameterNode:
        """Return the parameters of the scene."""
        return self.logic.getParameterNode()

    def showParameters(self, parameters: MDALSelectorParameterNode) -> None:
        """Show what is not bound by itself."""
        self.ui.strategyHintLabel.text = parameters.strategy.hint()
        self.within.follow(self.cohort.report, parameters.within)
        self.updateButtons()

    def recallChoices(self, parameters: MDALSelectorParameterNode) -> None:
        """Take over cohort and device of the last time."""
        self.cohort.giveHint(recallCohort(parameters))
        device = recalled(DEVICE)
        if parameters.device is Device.AUTO and device in {item.value for item in Device}:
            parameters.device = Device(device)

    def onPathChosen(self, name: str) -> None:
        """Say no more that the cohort of last time is gone; keep the record with the cohort."""
        self.cohort.giveHint("")
        parameters = self.logic.getParameterNode()
        if name == "recordPath" and self.logic.isInspected(parameters.cohortPath):
            rememberCohort(parameters.cohortPath, parameters.recordPath)

    def onRecentChosen(self, cohort: RecentCohort) -> None:
        """Choose a cohort that was inspected before, with its record."""
        parameters = self.logic.getParameterNode()
        with slicer.util.NodeModify(parameters):
            parameters.cohortPath, parameters.recordPath = cohort.path, cohort.record
        self.cohort.giveHint("")

    def onDeviceChosen(self, _index: int) -> None:
        """Remember the device."""
        remember(DEVICE, self.logic.getParameterNode().device.value)

    def onManifestButton(self) -> None:
        """Choose a CSV manifest in place of a folder."""
        title, kinds = _("Choose a CSV manifest"), _("Manifests (*.csv)")
        path = qt.QFileDialog.getOpenFileName(None, title, "", kinds)
        if path:
            self.ui.cohortPathLineEdit.currentPath = path

    def onInspectButton(self) -> None:
        """Find the cases of the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The cohort could not be inspected.")):
            rememberPath(self.ui.cohortPathLineEdit)
            job = self.logic.inspection(self.logic.getParameterNode())
            self.inspection.submit(job, self.onInspected, about=job.arguments[2:3])

    def onInspected(self, job: BackgroundProcess) -> None:
        """Show the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The cohort cannot be shown.")):
            report = self.logic.finishInspection(job)
            parameters = self.logic.getParameterNode()
            rememberCohort(job.arguments[2], parameters.recordPath)
            self.cohort.show(report, corrections=parameters.corrections)
            self.within.follow(report, parameters.within)
            self.showRanking()

    def onNamesCorrected(self, corrections: Sequence[str]) -> None:
        """Keep corrections; they count when the cohort is inspected again."""
        self.logic.getParameterNode().corrections = list(corrections)
        self.ui.cohortSummaryLabel.text = _("The names were corrected. Press Inspect again.")

    def onResetNamesButton(self) -> None:
        """Forget all corrections and inspect again."""
        self.logic.getParameterNode().corrections = []
        self.onInspectButton()

    def onStartButton(self) -> None:
        """Rank the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The selection could not be started.")):
            job = self.logic.selection(self.logic.getParameterNode())
            self.jobs.submit(job, self.onSelected, about=job.arguments[2:3])

    def onSelected(self, job: BackgroundProcess) -> None:
        """Show the ranking, unless the scene has changed to another cohort meanwhile."""
        if job.arguments[2] != self.logic.getParameterNode().cohortPath:
            text = _("Done. The cohort was changed meanwhile; inspect {cohort} to see the ranking.")
            self.ui.statusLabel.text = text.format(cohort=job.arguments[2])
            return
        with slicer.util.tryWithErrorDisplay(_("The ranking cannot be shown.")):
            self.logic.finishSelection(job)
            self.showRanking()

    def showRanking(self) -> None:
        """Show the ranking of the scene, or the cases of the cohort before there is one."""
        pictures = self.logic.ranking.pictureFolder
        self.cases.setRows(self.logic.rows(), pictureFolder=pictures)
        self.plot.show(self.logic.draw())
        showText(self.ui.plotHintLabel, self.logic.plotHint())
        self.notes.show()
        showText(self.ui.reasonLabel, "")
        self.updateButtons()

    def onCasesCounted(self, nShown: int, nCases: int) -> None:
        """Say how many cases there are, and how many of them are shown."""
        text = byNumber(nCases, _("{shown} of {all} case"), _("{shown} of {all} cases"))
        self.ui.countLabel.text = text.format(shown=nShown, all=nCases)

    def onCaseSelected(self, caseID: str) -> None:
        """Mark a case in table and plot, and say why it has its rank."""
        self.cases.selectCase(caseID)
        row = self.cases.row(caseID)
        showText(self.ui.reasonLabel, "" if row is None else row.explanation)
        self.plot.show(self.logic.draw(caseID))
        self.updateButtons()

    def onLoadCase(self, caseID: str = "") -> None:
        """Open a case in place of the one before."""
        if not mayLeave(self.logic.case):
            return
        case = caseID or self.cases.currentCase()
        with slicer.util.tryWithErrorDisplay(_("The case cannot be opened."), waitCursor=True):
            self.ui.currentCaseLabel.text = _("Opening {case}...").format(case=case)
            self.logic.openCase(case)
            qt.QTimer.singleShot(0, self.logic.layout.settle)
        self.updateButtons()

    def onCloseCaseButton(self) -> None:
        """Remove the open case and bring the former layout back."""
        if mayLeave(self.logic.case):
            self.logic.case.close()
            self.updateButtons()

    def onSegmentEditorButton(self) -> None:
        """Edit the labels of the open case."""
        with slicer.util.tryWithErrorDisplay(_("Segment Editor cannot be opened.")):
            self.logic.openSegmentEditor()

    def onLabelStartChosen(self, _index: int) -> None:
        """Begin the labels of the open case otherwise, if nobody has made any."""
        message = _("The labels cannot begin with the result.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            self.logic.changeStart()
            self.updateButtons()

    def onSaveLabelButton(self) -> None:
        """Save the labels of the open case, also a draft that is right as it is."""
        with slicer.util.tryWithErrorDisplay(_("The labels were not saved."), waitCursor=True):
            self.logic.case.save()
            self.showStates(self.logic.newStates(self.cases.rows))
            self.updateButtons()

    def onAcceptPairing(self, caseID: str = "") -> None:
        """Let the next selection suggest a case whose modalities seemed not to fit."""
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            self.cases.updateRow(self.logic.acceptPairing(caseID or self.cases.currentCase()))
            self.updateButtons()

    def onStateChanged(self, caseID: str, state: CaseState) -> None:
        """Show that a case was skipped, or is not any more."""
        self.showStates({caseID: state})

    def showStates(self, states: Mapping[str, CaseState]) -> None:
        """Show that cases have another state now."""
        if not states:
            return
        self.logic.noteStates(states)
        for row in with_states(self.cases.rows, states):
            if row.case_id in states:
                self.cases.updateRow(row)
        self.updateButtons()

    def onOpenResult(self, case: ChosenCase) -> None:
        """Open a case with its result in CIMLSegment."""
        with slicer.util.tryWithErrorDisplay(_("The result cannot be opened.")):
            slicer.util.selectModule("CIMLSegment")
            panel = slicer.util.getModuleWidget("CIMLSegment")
            panel.cohort.openResult(case.found, case.files, case.result)

    def onOpenReportButton(self) -> None:
        """Open the report in the web browser."""
        with slicer.util.tryWithErrorDisplay(_("The report cannot be opened.")):
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.logic.ranking.reportFile())))

    def onExportButton(self) -> None:
        """Write the list of cases as a table."""
        title, kinds = _("Export the cases"), _("Tables (*.csv)")
        path = qt.QFileDialog.getSaveFileName(None, title, "cases.csv", kinds)
        if path:
            with slicer.util.tryWithErrorDisplay(_("The table cannot be written.")):
                write_case_table(Path(path), self.logic.rows())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller: object, _event: object, node: slicer.vtkMRMLNode) -> None:
        """Look a moment later at what the panel lacks without a node that somebody deletes."""
        super().onNodeRemoved(_caller, _event, node)
        if node.GetAttribute(MAP_ATTRIBUTE) and not slicer.mrmlScene.IsClosing():
            qt.QTimer.singleShot(0, self.updateButtons)

    def showHelpers(self) -> None:
        """Draw the plot anew; without its table there is no ranking to be shown any more."""
        ranked = self.logic.ranking.rows()
        if bool(ranked) == any(row.rank for row in self.cases.rows):
            self.plot.show(self.logic.draw(self.cases.currentCase()))
        else:
            self.showRanking()

    def onSceneStartClose(self, _caller: object, _event: object) -> None:
        """Let go of a scene that is about to be closed."""
        super().onSceneStartClose(_caller, _event)
        self.plot.show(None)
        self.maps.forget()
        for jobs in (self.inspection, self.jobs, self.retrospect.jobs):
            jobs.forget()

    def onSceneChanged(self, _caller: object, _event: object) -> None:
        """Show what a scene that was closed or read brought."""
        self.logic.forgetCohort()
        self.cohort.show(None)
        if self.parent.isEntered:
            self.initializeParameterNode()
        self.showRanking()
        qt.QTimer.singleShot(0, self.logic.ranking.tidy)  # once the scene is read

    def updateButtons(self) -> None:
        """Enable what can be done now; the tool tip of the others says why not."""
        if self._parameterNode is None:
            return
        parameters = self._parameterNode
        for jobs in (self.inspection, self.jobs, self.retrospect.jobs):
            jobs.follow([parameters.cohortPath])
        self.maps.follow(parameters)
        isInspected = self.logic.isInspected(parameters.cohortPath)
        self.retrospect.follow(parameters, self.logic.nLabelled if isInspected else None)
        row = self.cases.row(self.cases.currentCase())
        busy = _("A job is running. Wait, or press Cancel.") if self.jobs.isBusy else ""
        missing = self.setupSection.problem
        problems = self.logic.problems(parameters, row, busy=busy, missing=missing)
        if self.inspection.isBusy:
            text = _("The cohort is being inspected. Wait, or press Cancel.")
            problems |= dict.fromkeys(("inspectButton", "resetNamesButton"), text)
        problems["recentButton"] = self.recent.problem
        problems["leastFitButton"] = self.maps.problem
        problems["offeredStrategyButton"] = self.notes.problem(parameters)
        problems |= self.retrospect.problems(parameters, missing=missing)
        self.showProblems(problems)
        self.ui.currentCaseLabel.text = self.logic.openText()

    def _chosenCase(self) -> ChosenCase | None:
        return self.logic.chosenCase(self.cases.row(self.cases.currentCase()))

    def _connect(self) -> None:
        handlers = {
            "recentButton": self.recent.show,
            "manifestButton": self.onManifestButton,
            "inspectButton": self.onInspectButton,
            "resetNamesButton": self.onResetNamesButton,
            "startButton": self.onStartButton,
            "offeredStrategyButton": self.notes.onOfferedStrategyButton,
            "loadCaseButton": self.onLoadCase,
            "closeCaseButton": self.onCloseCaseButton,
            "segmentEditorButton": self.onSegmentEditorButton,
            "saveLabelButton": self.onSaveLabelButton,
            "acceptPairingButton": self.onAcceptPairing,
            "leastFitButton": self.logic.overlay.jumpToLeastFit,
            "retrospectButton": self.retrospect.onStartButton,
            "useStrategyButton": self.retrospect.onUseStrategyButton,
            "retrospectPageButton": self.retrospect.onPageButton,
            "openReportButton": self.onOpenReportButton,
            "exportButton": self.onExportButton,
        }
        self.connectPanel(handlers)
        self.cohort.corrected.connect(self.onNamesCorrected)
        self.cases.currentChanged.connect(self.onCaseSelected)
        calls = CaseCalls(
            self.onLoadCase, self.onOpenResult, self.onAcceptPairing, self.onStateChanged
        )
        self.menu = CaseMenu(self.ui.casesTableView, self._chosenCase, calls)
        self.cases.activated.connect(self.onLoadCase)
        self.cases.counted.connect(self.onCasesCounted)
        self.ui.labelStartComboBox.connect("activated(int)", self.onLabelStartChosen)
        self.ui.deviceComboBox.connect("activated(int)", self.onDeviceChosen)
        self.plot.picked.connect(self.cases.selectCase)
        for section in (self.inspection, self.maps, self.retrospect):
            section.changed.connect(self.updateButtons)
        self.logic.case.aboutToClose.append(self.logic.overlay.remove)


class MDALSelectorLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel.

    Attributes:
        ranking: The ranking of the scene.
        case: The open case, which the other module may have opened.
        overlay: The local PMI map over it.
        nLabelled: Number of labeled cases of the cohort that was inspected.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.ranking = RankingNodes(slicer.mrmlScene)
        self.case = openCaseOf(slicer.mrmlScene)
        self.overlay = PMIOverlay(slicer.mrmlScene)
        self._report: CohortReport | None = None
        self._reportedPath = ""
        self.nLabelled = 0

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
        self._report, self._reportedPath = read_report(job.result or {}), job.arguments[2]
        files = self._files()
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
        rows = rows_from_selection(selection, found=found, states=self._files().states())
        cohort = self.getParameterNode().cohortPath
        self.ranking.write(rows, runFacts(run, cohort, selection, evidence))

    def rows(self) -> list[CaseRow]:
        """Return the ranking of the scene, or the cases that were found before there is one."""
        ranked = self.ranking.rows()
        if ranked or self._report is None:
            return ranked
        return rows_from_found(self._report.cases, self._states(self._report))

    def draw(self, selected: str = "") -> slicer.vtkMRMLPlotChartNode | None:
        """Draw the ranking and return the chart; `None` if there is nothing to draw."""
        return self.ranking.draw(self.ranking.rows(), selected)

    def plotHint(self) -> str:
        """Say what the plot does not show; empty if it shows all."""
        hasRun = self._report is not None and self._files().latest_run() is not None
        return self.ranking.plotHint(hasRun=hasRun)

    def openCase(self, caseID: str) -> None:
        """Open the images of a case in one linked view each, with the labels as outline.

        Raises:
            ValueError: If the case or its files are unknown or cannot be read.
        """
        row = self._row(caseID)
        openForLabeling(self.case, row, self._files(), self._start(row))

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
        if labels is None or not isDraft(labels):
            return _("Open: {case}").format(case=caseID)
        text = _("Open: {case}. Its labels are a draft of {model} until you edit or save them.")
        return text.format(case=caseID, model=labels.GetAttribute(DRAFT_ATTRIBUTE))

    def _start(self, row: CaseRow) -> Path | None:
        if self.getParameterNode().labelStart is LabelStart.EMPTY:
            return None
        return self._result(row)

    def _result(self, row: CaseRow) -> Path | None:
        files = self._files()
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

    def acceptPairing(self, caseID: str) -> CaseRow:
        """Note that the modalities of a case belong together, and return its new row.

        Raises:
            ValueError: If there is no such case.
            CohortError: If the record cannot be written.
        """
        row = self._row(caseID)
        acceptPairing(slicer.mrmlScene, self._files(), caseID)
        self.noteStates({caseID: CaseState.UNLABELLED})
        return replace(row, state=CaseState.UNLABELLED)

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
        files = self._files()
        return files.states() if self.ranking.run else files.case_states(report.cases)

    def chosenCase(self, row: CaseRow | None) -> ChosenCase | None:
        """Return what is known of the case of a row; `None` without one."""
        if row is None:
            return None
        return ChosenCase(row, row.state, self._files(), self._result(row))

    def isInspected(self, path: str) -> bool:
        """Tell whether a cohort is the one that was inspected last."""
        return self._report is not None and self._reportedPath == path

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
            "saveLabelButton": noOpen or self._nothingToSave(),
            "acceptPairingButton": noCase or noDoubt,
            "openReportButton": noRun,
            "exportButton": noReport if noRun else "",
        }

    def _nothingToSave(self) -> str:
        labels = self.loader.segmentation()
        isEmpty = labels is None or not labels.GetSegmentation().GetNumberOfSegments()
        return _("The case has no labels yet. Open it in Segment Editor.") if isEmpty else ""

    def _row(self, caseID: str) -> CaseRow:
        row = next((row for row in self.rows() if row.case_id == caseID), None)
        if row is None:
            raise ValueError(_("No case is chosen. Choose one in the table."))
        return row

    def _files(self) -> CohortFiles:
        parameters = self.getParameterNode()
        return CohortFiles(parameters.cohortPath, parameters.recordPath)


class MDALSelectorTest(ModuleTest):
    """The tests of the module."""

    moduleFile, testFile = Path(__file__), "test_mdal_selector.py"
