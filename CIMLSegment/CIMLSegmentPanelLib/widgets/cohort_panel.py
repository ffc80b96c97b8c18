"""The cohort that is trained on and segmented, and the section Batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs
from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
)
from CIMLSegmentPanelLib.widgets.batch_table import BatchTable
from CIMLSegmentPanelLib.widgets.portions import Portions
from CIMLSegmentPanelLib.widgets.train_section import TrainSection, cohortJob, deviceNeeds
from MultimodalSlicerLib.case_results import ChosenCase
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.case_menu import CaseCalls, CaseMenu, showFolder
from MultimodalWidgetsLib.job_needs import QUICK_LOOK
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.recent_cohorts import RecentCohorts
from MultimodalWidgetsLib.remembered import RecentCohort, rememberCohort
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import PathLabel, rememberPath

if TYPE_CHECKING:
    from slicer_types import UiForm


class CohortPanel:
    """Connects the two sections to the work.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
        modelChosen: Emits the folder of a model that shall be used.
        resultOpened: Emits the segmentation of a case that was opened.
        inspection: Shows the inspection.
        train: Trains.
        batch: Shows the batch.
        recent: Offers the cohorts that were inspected last.
        hints: Why a path of the last time was not taken over, by parameter.
    """

    def __init__(
        self, ui: UiForm, work: CohortJobs, parameters: Callable[[], CIMLSegmentParameterNode]
    ) -> None:
        """Connect the widgets.

        Args:
            ui: Holds the widgets of the `.ui` file by name.
            work: Does the work.
            parameters: Returns what the user chose in the present scene.
        """
        self.changed, self.modelChosen, self.resultOpened = Signal(), Signal(), Signal()
        self._ui, self.work, self._parameters = ui, work, parameters
        self.inspection = JobSection(ui, "inspect")
        for label in (ui.trainSummaryLabel, ui.batchSummaryLabel):
            reserveLines(3, label)
        self.train, self.batch = TrainSection(ui, work, parameters), JobSection(ui, "batch")
        self.table = BatchTable(ui.batchView)
        self.recent = RecentCohorts(ui.recentButton, self.onRecentChosen)
        self.hints: Mapping[str, str] = {}
        self._timeWantedOf: CohortFiles | None = None  # the cohort to be trained on
        self._place = PathLabel(ui.resultsLabel)
        self._search = Portions()
        calls = CaseCalls(
            self.onOpenCase,
            lambda case: self.onOpenResult(case.found.case_id),
            self._onAcceptPairing,
        )
        self.menu = CaseMenu(ui.batchView, self._chosenCase, calls, prefersResult=True)
        self.table.activated.connect(lambda _name: self.menu.openChosen())
        for section in (self.inspection, self.train, self.batch):
            section.changed.connect(self.changed.emit)
        self.train.summarized.connect(lambda: self.follow(self._parameters()))
        self.train.modelChosen.connect(self.modelChosen.emit)
        self.train.roundTrained.connect(self._segmentRest)
        self.show()

    def cleanup(self) -> None:
        """Let go of the jobs; they go on."""
        self._search.stop()
        self.inspection.cleanup()
        self.train.jobs.cleanup()
        self.batch.cleanup()

    def show(self) -> None:
        """Show what is known of the cohort, and the course of the training."""
        self.showCases()
        self.train.showCurve()
        self.follow(self._parameters())

    def forgetJobs(self) -> None:
        """Say no more how jobs of a scene that was closed ended."""
        for jobs in (self.inspection, self.train.jobs, self.batch):
            jobs.forget()

    def showCases(self) -> None:
        """Show the cases and what became of them."""
        cases = () if self.work.cases is None else tuple(self.work.cases.cases.values())
        self.table.show(cases)
        self.showSummary(self._parameters())

    def follow(self, parameters: CIMLSegmentParameterNode) -> None:
        """Show what follows from the chosen cohort, model and task."""
        self.inspection.follow([parameters.cohortPath])
        self.batch.follow([parameters.cohortPath, parameters.modelPath])
        self.showSummary(parameters)
        steps = self.work.search(parameters)
        if steps is not None:
            self._search.start(steps, self._onSearched)
        self.train.follow(parameters)

    def showSummary(self, parameters: CIMLSegmentParameterNode) -> None:
        """Say what there is to train on and to segment."""
        text = self.work.summary(parameters)
        if not parameters.cohortPath:
            text = self.hints.get("cohortPath", text)
        where = _("Choose the folder of a cohort in Train and press Inspect there.")
        batch = text if self.work.isInspected(parameters) else where
        gone = self.hints.get("batchPath", "")
        self._ui.batchSummaryLabel.setText(f"{batch}\n{gone}" if gone else batch)
        self._place.show(self.work.resultPlace(parameters))
        self.train.showSummary(parameters, text)

    def onInspectButton(self) -> None:
        """Find the cases of the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The cohort could not be inspected.")):
            rememberPath(self._ui.cohortPathLineEdit)
            arguments = self.work.inspection(self._parameters())
            job = cohortJob(arguments, _("Inspect {name}"), QUICK_LOOK)
            about = [self._parameters().cohortPath]
            self.inspection.submit(job, self.onInspected, about=about)

    def onInspected(self, job: BackgroundProcess) -> None:
        """Show the cases, unless another cohort was chosen meanwhile."""
        if job.arguments[2] != self._parameters().cohortPath:
            text = _("Done. The cohort was changed meanwhile; inspect {cohort} to see its cases.")
            self.inspection.say(text.format(cohort=job.arguments[2]))
            return
        with slicer.util.tryWithErrorDisplay(_("The cohort cannot be shown.")):
            self.work.finishInspection(job.result or {}, self._parameters())
            self.rememberCohort()
            self.show()
            self.changed.emit()
            wanted, self._timeWantedOf = self._timeWantedOf, None
            chosen = self._parameters()
            isWanted = wanted is not None and wanted.path == chosen.cohortPath
            if isWanted and self._ui.estimateButton.enabled:
                self.train.onEstimateButton()

    def rememberCohort(self) -> None:
        """Put the cohort first in the list of recent ones, with its folders."""
        chosen = self._parameters()
        rememberCohort(chosen.cohortPath, chosen.recordPath, chosen.batchPath)

    def onRecentChosen(self, cohort: RecentCohort) -> None:
        """Choose a cohort that was inspected before, with its folders."""
        chosen = self._parameters()
        with slicer.util.NodeModify(chosen):
            chosen.cohortPath, chosen.recordPath = cohort.path, cohort.record
            chosen.batchPath = cohort.results

    def beginRound(self, files: CohortFiles) -> None:
        """Show a cohort in Train, to train and segment the rest, and say how long that takes."""
        self._timeWantedOf = files
        chosen = self._parameters()
        with slicer.util.NodeModify(chosen):
            chosen.cohortPath, chosen.recordPath = files.path, files.record_path
        self._ui.trainCollapsibleButton.collapsed = False
        if not self.inspection.isBusy:
            self.onInspectButton()

    def onShowResultsButton(self) -> None:
        """Show the folder of the results in the file manager."""
        showFolder(self.work.resultPlace(self._parameters()))

    def _onSearched(self) -> None:
        self.showCases()
        self.changed.emit()

    def _segmentRest(self, job: BackgroundProcess, model: Path) -> None:
        """Segment what was not labeled in a cohort that was trained on."""
        cohort = job.arguments[2]
        if cohort == self._parameters().cohortPath:
            self.modelChosen.emit(str(model))
        with slicer.util.tryWithErrorDisplay(_("The cases cannot be segmented.")):
            job.resulted.connect(self.onBatchEvent)
            self.batch.submit(job, self.onBatchEvent, about=[cohort, str(model)])

    def onBatchButton(self) -> None:
        """Segment all unlabeled cases."""
        with slicer.util.tryWithErrorDisplay(_("The cases cannot be segmented.")):
            arguments = self.work.batch(self._parameters())
            needs = deviceNeeds(self._parameters())
            job = cohortJob(arguments, _("Segment the cases of {name}"), needs)
            job.resulted.connect(self.onBatchEvent)
            about = [self._parameters().cohortPath, self._parameters().modelPath]
            self.batch.submit(job, self.onBatchEvent, about=about)

    def onBatchEvent(self, job: BackgroundProcess) -> None:
        """Show a case that is finished, unless another cohort is shown by now."""
        if self.work.takeEvent(job.result or {}, job.arguments[2]):
            self.showCases()
        self.changed.emit()

    def onOpenResult(self, name: str) -> None:
        """Load a segmented case."""
        self._openResult(lambda: self.work.openResult(name))

    def openResult(self, case: FoundCase, files: CohortFiles, folder: Path) -> None:
        """Load a case with a result, whichever cohort the panel knows."""
        self._openResult(lambda: self.work.openFolder(case, files, folder))

    def _openResult(self, load: Callable[[], slicer.vtkMRMLSegmentationNode]) -> None:
        if not mayLeave(self.work.case):
            return
        message = _("The result cannot be opened.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            self.resultOpened.emit(load())

    def onOpenCase(self, name: str) -> None:
        """Open the images and labels of a case in place of the case before."""
        if mayLeave(self.work.case):
            message = _("The case cannot be opened.")
            with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
                self.work.openCase(name)
                qt.QTimer.singleShot(0, self.work.case.layout.settle)
            self.changed.emit()

    def _onAcceptPairing(self, name: str) -> None:
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            self.work.acceptPairing(name)

    def _chosenCase(self) -> ChosenCase | None:
        return self.work.chosenCase(self.table.currentCase())

    def problems(
        self, parameters: CIMLSegmentParameterNode, *, hasModel: bool, setupProblem: str
    ) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can."""
        problems = self.work.problems(parameters, hasModel=hasModel)
        busy = _("A job is running. Wait, or press Cancel.")
        sections = (self.inspection, self.train.jobs, self.batch)
        inspection, training, batch = (busy if job.isBusy else "" for job in sections)
        return {
            **problems,
            "recentButton": self.recent.problem,
            "startIncludedButton": self.train.starts.problem,
            "inspectButton": inspection or problems["inspectButton"],
            "trainButton": setupProblem or training or problems["trainButton"],
            "estimateButton": setupProblem or training or problems["estimateButton"],
            "roundButton": setupProblem or training or batch or problems["roundButton"],
            "batchButton": setupProblem or batch or problems["batchButton"],
        }
