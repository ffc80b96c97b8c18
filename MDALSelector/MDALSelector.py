"""Panel and logic of MDALSelector: which cases of a multimodal cohort to label next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
)

from MDALSelectorPanelLib.nodes.case_rows import CaseRow, with_states, write_case_table
from MDALSelectorPanelLib.nodes.pmi_overlay import MAP_ATTRIBUTE
from MDALSelectorPanelLib.selector_logic import MODULE, MDALSelectorLogic
from MDALSelectorPanelLib.widgets.case_table import CaseTable
from MDALSelectorPanelLib.widgets.cohort_section import CohortSection
from MDALSelectorPanelLib.widgets.cohort_sources import CohortSources
from MDALSelectorPanelLib.widgets.labeling_section import LabelingSection
from MDALSelectorPanelLib.widgets.map_section import MapSection
from MDALSelectorPanelLib.widgets.neighbour_menu import NeighbourMenu
from MDALSelectorPanelLib.widgets.ranking_notes import RankingNotes
from MDALSelectorPanelLib.widgets.readers_section import ReadersSection
from MDALSelectorPanelLib.widgets.retrospect_section import RetrospectSection
from MDALSelectorPanelLib.widgets.within_choice import WithinChoice
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.case_results import ChosenCase
from MultimodalSlicerLib.cohort_nodes import isOpened
from MultimodalSlicerLib.plurals import byNumber
from MultimodalSlicerLib.selection_parameters import (
    Device,
    MDALSelectorParameterNode,
)
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.case_keeper import caseKeeper
from MultimodalWidgetsLib.case_menu import CaseCalls, CaseMenu
from MultimodalWidgetsLib.case_plot import CasePlot
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.module_base import ModuleTest, ModuleWidget
from MultimodalWidgetsLib.remembered import (
    recallCohort,
    recalled,
    remember,
    rememberCohort,
)
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.sample_data import registerSampleData
from MultimodalWidgetsLib.scene_reading import onceRead
from MultimodalWidgetsLib.widget_additions import rememberPath, showText

DEVICE = "MDALSelector/Device"
LINES = {
    "strategyHintLabel": 3,
    "reasonLabel": 4,
    "plotHintLabel": 2,
    "currentCaseLabel": 2,
    "caseFactsLabel": 3,
    "roundLabel": 3,
}


class MDALSelector(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Case Selector (MDAL)")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["CrossModal contributors"]
        self.parent.helpText = _(
            "Estimates for every case of a multimodal cohort how much information its modalities"
            " share, and suggests which cases to label next. No label is needed."
        )
        self.parent.acknowledgementText = _(
            "The method follows Wang et al., MDAL: Modality-difference-based active learning,"
            " Computerized Medical Imaging and Graphics, 2025,"
            " https://doi.org/10.1016/j.compmedimag.2025.102544."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


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
        self.readers = ReadersSection(self.ui, logic)
        self.within = WithinChoice(self.ui.withinComboBox, logic.getParameterNode)
        self.notes = RankingNotes(self.ui, logic.ranking, logic.getParameterNode)
        self.neighbours = NeighbourMenu(self.ui.neighbourButton, self.onNeighbourChosen)
        self.sources = CohortSources(
            self.ui, self.cohort, self.inspection, logic.getParameterNode, self.onInspectButton
        )
        self.labeling = LabelingSection(self.ui, logic, self)
        self._connect()
        self.initializeParameterNode()
        self.showRanking()

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self.inspection.cleanup()
        self.retrospect.jobs.cleanup()
        self.labeling.cleanup()
        self.readers.jobs.cleanup()
        caseKeeper().kept.disconnect(self.onKept)
        self.logic.case.aboutToClose.remove(self.logic.overlay.remove)
        super().cleanup()

    def enter(self) -> None:
        """Show what has become of the cases while another module was shown."""
        super().enter()
        self.labeling.enter()
        self.showRecord()

    def exit(self) -> None:
        """Give the keys back, and keep unsaved work, while another module is shown."""
        self.labeling.exit()
        super().exit()

    def sceneParameters(self) -> MDALSelectorParameterNode:
        """Return the parameters of the scene."""
        return self.logic.getParameterNode()

    def showParameters(self, parameters: MDALSelectorParameterNode) -> None:
        """Show what is not bound by itself."""
        self.ui.strategyHintLabel.text = parameters.strategy.hint()
        self.ui.tryButton.setAutoRaise(bool(parameters.cohortPath))
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

    def onDeviceChosen(self, _index: int) -> None:
        """Remember the device."""
        remember(DEVICE, self.logic.getParameterNode().device.value)

    def onInspectButton(self) -> None:
        """Find the cases of the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The cohort could not be inspected.")):
            rememberPath(self.ui.cohortPathLineEdit)
            job = self.logic.inspection(self.logic.getParameterNode())
            self.inspection.submit(job, self.onInspected, about=job.arguments[2:3])

    def onInspected(self, job: BackgroundProcess) -> None:
        """Show the cohort, unless another one was chosen meanwhile."""
        if job.arguments[2] != self.logic.getParameterNode().cohortPath:
            text = _("Done. The cohort was changed meanwhile; inspect {cohort} to see its cases.")
            self.inspection.say(text.format(cohort=job.arguments[2]))
            return
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
            self.jobs.say(text.format(cohort=job.arguments[2]))
            return
        with slicer.util.tryWithErrorDisplay(_("The ranking cannot be shown.")):
            self.logic.finishSelection(job)
            self.showRanking()

    def showRanking(self) -> None:
        """Show the ranking of the scene, or the cases of the cohort before there is one."""
        self.labeling.labelSet.follow(self.logic.modalities)
        pictures = self.logic.ranking.pictureFolder
        rows = self.logic.rows()
        facts = self.logic.facts([row.case_id for row in rows])
        self.cases.setRows(rows, facts=facts, pictureFolder=pictures)
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
        """Open a case in place of the one before; one that is read again stays so."""
        if mayLeave(self.logic.case):
            caseID = caseID or self.cases.currentCase()
            self.openCase(caseID, isBlinded=self.labeling.isReadAgain(caseID))

    def openCase(self, caseID: str, *, isBlinded: bool = False) -> bool:
        """Open a case without asking about the one before, and return whether that was meant."""
        with slicer.util.tryWithErrorDisplay(_("The case cannot be opened."), waitCursor=True):
            if not self.labeling.mayOpen(caseID):
                return False
            self.ui.currentCaseLabel.text = _("Opening {case}...").format(case=caseID)
            try:
                self.logic.openCase(caseID, isBlinded=isBlinded)
            finally:
                self._showOpened(caseID)
        return True

    def _showOpened(self, caseID: str) -> None:
        """Show the case if it is open, also without a draft that could not be read."""
        if self.logic.loader.caseID == caseID:
            self.labeling.noteOpened(caseID)
            self.showRecord()
            self.cases.selectCase(caseID)
            qt.QTimer.singleShot(0, self.logic.layout.settle)
        self.updateButtons()

    def onCloseCaseButton(self) -> None:
        """Remove the open case and bring the former layout back."""
        if mayLeave(self.logic.case):
            self.logic.case.close()
            self.showRecord()
            self.updateButtons()

    def onSegmentEditorButton(self) -> None:
        """Edit the labels of the open case."""
        with slicer.util.tryWithErrorDisplay(_("Segment Editor cannot be opened.")):
            self.logic.openSegmentEditor()

    def onNeighbourChosen(self, name: str) -> None:
        """Go on with the open case in another module."""
        with slicer.util.tryWithErrorDisplay(_("The module cannot be opened.")):
            self.logic.openNeighbour(name)

    def onLabelStartChosen(self, _index: int) -> None:
        """Begin the labels of the open case otherwise, if nobody has made any."""
        message = _("The labels cannot begin with the result.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            self.logic.changeStart()
            self.updateButtons()

    def onSaveLabelButton(self) -> None:
        """Save the labels of the open case, also a draft that is right as it is."""
        if self.labeling.isMeant():
            self.saveLabels()

    def saveLabels(self) -> bool:
        """Save the labels of the open case, and return whether that worked."""
        with slicer.util.tryWithErrorDisplay(_("The labels were not saved."), waitCursor=True):
            self.logic.case.save()
            self.showRecord()
            self.updateButtons()
        return True

    def onAcceptPairing(self, caseID: str = "") -> None:
        """Let the next selection suggest a case whose modalities seemed not to fit."""
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            row = self.logic.acceptPairing(caseID or self.cases.currentCase())
            self.logic.labeling.noteConfirmed(row.case_id)
            self.showStates({row.case_id: row.state})
            self.updateButtons()

    def onStateChanged(self, caseID: str, state: CaseState) -> None:
        """Show that a case was skipped, or is not any more."""
        self.showStates({caseID: state})

    def showStates(self, states: Mapping[str, CaseState]) -> None:
        """Show that cases have another state now, or another class."""
        if states:
            self._showRows(with_states(self.cases.rows, states), states)

    def showRecord(self) -> None:
        """Show what has become of the cases, also by others or in another module."""
        self._showRows(self.cases.rows, [row.case_id for row in self.cases.rows])

    def onKept(self) -> None:
        """Show that the open case is in progress, once its work is kept."""
        if self.parent.isEntered:
            self.showRecord()

    def _showRows(self, rows: Sequence[CaseRow], classesOf: Collection[str]) -> None:
        now = self.logic.asRecorded(rows, classesOf)
        new = [row for row in now if row != self.cases.row(row.case_id)]
        if new:
            self.logic.noteStates({row.case_id: row.state for row in new})
            self.cases.updateRows(new)
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
                write_case_table(Path(path), self.cases.rows)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller: object, _event: object, node: slicer.vtkMRMLNode) -> None:
        """Look a moment later at what the panel lacks without a node that somebody deletes."""
        super().onNodeRemoved(_caller, _event, node)
        isOfCase = isOpened(node) and not self.logic.case.isOpening
        if (node.GetAttribute(MAP_ATTRIBUTE) or isOfCase) and not slicer.mrmlScene.IsClosing():
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
        self.labeling.leaveScene()
        self.maps.forget()
        for jobs in (self.inspection, self.jobs, self.retrospect.jobs, self.readers.jobs):
            jobs.forget()

    def onSceneChanged(self, _caller: object, _event: object) -> None:
        """Show what a scene that was closed or read brought."""
        self.logic.forgetCohort()
        self.cohort.show(None)
        if self.parent.isEntered:
            self.initializeParameterNode()
        self.showRanking()
        onceRead(self.logic.ranking.tidy)

    def updateButtons(self) -> None:
        """Enable what can be done now; the tool tip of the others says why not."""
        if self._parameterNode is None:
            return
        parameters = self._parameterNode
        for jobs in (self.inspection, self.jobs, self.retrospect.jobs):
            jobs.follow([parameters.cohortPath])
        self.maps.follow(parameters)
        self.readers.follow(parameters)
        isInspected = self.logic.isInspected(parameters.cohortPath)
        self.retrospect.follow(parameters, self.logic.nLabelled if isInspected else None)
        row = self.cases.row(self.cases.currentCase())
        busy = _("A job is running. Wait, or press Cancel.") if self.jobs.isBusy else ""
        missing = self.setupSection.problem
        problems = self.logic.problems(parameters, row, busy=busy, missing=missing)
        problems |= self.sources.problems()
        if self.inspection.isBusy:
            text = _("The cohort is being inspected. Wait, or press Cancel.")
            problems |= dict.fromkeys(("inspectButton", "resetNamesButton", "dicomButton"), text)
        self.neighbours.update()
        problems["leastFitButton"] = self.maps.problem
        problems["offeredStrategyButton"] = self.notes.problem(parameters)
        problems |= self.retrospect.problems(parameters, missing=missing)
        problems["acceptPairingButton"] = (
            self.labeling.noCohort() or problems["acceptPairingButton"]
        )
        problems |= self.labeling.problems(nothingToSave=self.logic.nothingToSave())
        problems |= self.readers.problems(parameters, missing=missing)
        self.showProblems(problems)
        self.labeling.update()
        self.ui.currentCaseLabel.text = self.logic.openText()

    def _chosenCase(self) -> ChosenCase | None:
        """Return the case of the current row; none if the list is not of the chosen cohort."""
        if self.labeling.noCohort():
            return None
        return self.logic.chosenCase(self.cases.row(self.cases.currentCase()))

    def _connect(self) -> None:
        handlers: dict[str, Callable[..., None]] = {
            "inspectButton": self.onInspectButton,
            "resetNamesButton": self.onResetNamesButton,
            "startButton": self.onStartButton,
            "offeredStrategyButton": self.notes.onOfferedStrategyButton,
            "loadCaseButton": self.onLoadCase,
            "closeCaseButton": self.onCloseCaseButton,
            "segmentEditorButton": self.onSegmentEditorButton,
            "neighbourButton": self.neighbours.show,
            "saveLabelButton": self.onSaveLabelButton,
            "acceptPairingButton": self.onAcceptPairing,
            "leastFitButton": self.logic.overlay.jumpToLeastFit,
            "retrospectButton": self.retrospect.onStartButton,
            "useStrategyButton": self.retrospect.onUseStrategyButton,
            "retrospectPageButton": self.retrospect.onPageButton,
            "openReportButton": self.onOpenReportButton,
            "exportButton": self.onExportButton,
        }
        handlers |= self.sources.handlers() | self.labeling.handlers() | self.readers.handlers()
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
        for section in (self.inspection, self.maps, self.retrospect, self.readers):
            section.changed.connect(self.updateButtons)
        self.readers.noted.connect(self.showRecord)
        caseKeeper().kept.connect(self.onKept)
        self.logic.case.aboutToClose.append(self.logic.overlay.remove)


class MDALSelectorTest(ModuleTest):
    """The tests of the module."""

    moduleFile, testFile = Path(__file__), "test_mdal_selector.py"
