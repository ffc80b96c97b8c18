"""The sections Train and Batch: jobs on a whole cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs
from CIMLSegmentPanelLib.nodes.model_summary import MODEL_FILE
from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
    TaskPreset,
)
from CIMLSegmentPanelLib.nodes.training_nodes import curvePoint
from CIMLSegmentPanelLib.widgets.batch_table import BatchTable
from CIMLSegmentPanelLib.widgets.model_menu import ModelMenu
from CIMLSegmentPanelLib.widgets.portions import Portions
from CIMLSegmentPanelLib.widgets.training_choice import TrainingChoice
from MultimodalSlicerLib.case_results import ChosenCase
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.case_menu import CaseCalls, CaseMenu, showFolder
from MultimodalWidgetsLib.case_plot import CasePlot
from MultimodalWidgetsLib.job_needs import QUICK_LOOK, JobNeeds
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.recent_cohorts import RecentCohorts
from MultimodalWidgetsLib.remembered import RecentCohort, rememberCohort
from MultimodalWidgetsLib.room import keepRoom, reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import PathLabel, rememberPath

if TYPE_CHECKING:
    from slicer_types import UiForm


CURVE_HEIGHT = 160  # pixels


class CohortPanel:
    """Connects the two sections to the work.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
        modelChosen: Emits the folder of a model that shall be used.
        resultOpened: Emits the segmentation of a case that was opened.
        inspection: Shows the inspection.
        training: Shows the training.
        batch: Shows the batch.
        recent: Offers the cohorts that were inspected last.
        starts: Offers the models that come with the program to start from.
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
        fields = {"taskPath": ui.taskPathLineEdit, "primary": ui.primaryLineEdit}
        self._toolTips = {name: field.toolTip for name, field in fields.items()}
        keepRoom(ui.curveWidget)
        for label in (ui.trainSummaryLabel, ui.batchSummaryLabel):
            reserveLines(3, label)
        self.training, self.batch = JobSection(ui, "train"), JobSection(ui, "batch")
        layout = ui.curveWidget.layout()
        self.lossPlot = CasePlot(layout, "CIMLSegmentPlot", height=CURVE_HEIGHT)
        self.dicePlot = CasePlot(layout, "CIMLSegmentDicePlot", height=CURVE_HEIGHT)
        self.table = BatchTable(ui.batchView)
        self.recent = RecentCohorts(ui.recentButton, self.onRecentChosen)
        self.starts = ModelMenu(ui.startIncludedButton, self.onStartChosen)
        self.hints: Mapping[str, str] = {}
        self._place = PathLabel(ui.resultsLabel)
        self._search = Portions()
        self._choice = TrainingChoice(ui, parameters)
        calls = CaseCalls(
            self.onOpenCase,
            lambda case: self.onOpenResult(case.found.case_id),
            self._onAcceptPairing,
        )
        self.menu = CaseMenu(ui.batchView, self._chosenCase, calls, prefersResult=True)
        self.table.activated.connect(lambda _name: self.menu.openChosen())
        for section in (self.inspection, self.training, self.batch):
            section.changed.connect(self.changed.emit)
        self.show()

    def cleanup(self) -> None:
        """Let go of the jobs; they go on."""
        self._search.stop()
        self.inspection.cleanup()
        self.training.cleanup()
        self.batch.cleanup()

    def show(self) -> None:
        """Show what is known of the cohort, and the course of the training."""
        self.showCases()
        self.showCurve()
        self.follow(self._parameters())

    def forgetJobs(self) -> None:
        """Say no more how jobs of a scene that was closed ended."""
        for jobs in (self.inspection, self.training, self.batch):
            jobs.forget()

    def showCases(self) -> None:
        """Show the cases and what became of them."""
        cases = () if self.work.cases is None else tuple(self.work.cases.cases.values())
        self.table.show(cases)
        self.showSummary(self._parameters())

    def follow(self, parameters: CIMLSegmentParameterNode) -> None:
        """Show what follows from the chosen cohort, model and task."""
        for jobs in (self.inspection, self.training):
            jobs.follow([parameters.cohortPath])
        self.batch.follow([parameters.cohortPath, parameters.modelPath])
        self.showSummary(parameters)
        steps = self.work.search(parameters)
        if steps is not None:
            self._search.start(steps, self._onSearched)
        self._choice.follow(parameters)
        isFile = parameters.taskPreset is TaskPreset.FILE
        isOpen = isFile or parameters.taskPreset.value == "single-target"
        for name, isUsed in (("taskPath", isFile), ("primary", isOpen)):
            field, unused = getattr(self._ui, f"{name}LineEdit"), _("The chosen task needs none.")
            field.setEnabled(isUsed)
            field.toolTip = self._toolTips[name] if isUsed else unused

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
        trained = _("The model is in {folder}.").format(folder=self.work.trained)
        sentences = [text, trained] if self.work.trained else [text]
        estimate = self.work.estimated(parameters)
        sentences += [_("{estimate}.").format(estimate=estimate)] if estimate else []
        self._ui.trainSummaryLabel.setText(" ".join(sentences))

    def onInspectButton(self) -> None:
        """Find the cases of the cohort."""
        with slicer.util.tryWithErrorDisplay(_("The cohort could not be inspected.")):
            rememberPath(self._ui.cohortPathLineEdit)
            arguments = self.work.inspection(self._parameters())
            job = self._job(arguments, _("Inspect {name}"), QUICK_LOOK)
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

    def onStartChosen(self, folder: str) -> None:
        """Begin the next training with the weights of a model."""
        self._ui.startPathLineEdit.currentPath = folder

    def beginRound(self, files: CohortFiles) -> None:
        """Show a cohort in the section Train, to train on its labels and segment the rest."""
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

    def onTrainButton(self) -> None:
        """Train on the labeled cases."""
        self._train(lambda _model: None)

    def onRoundButton(self) -> None:
        """Train on the labeled cases, then segment the others as drafts."""
        self._train(self._segmentRest)

    def _train(self, then: Callable[[Path], None]) -> None:
        """Train, and go on with the model when that is done."""
        with slicer.util.tryWithErrorDisplay(_("The training could not be started.")):
            arguments, output = self.work.training(self._parameters())
            self.work.trained = ""
            self.work.curve.clear()
            self.showCurve()
            self.showSummary(self._parameters())
            job = self._job(arguments, _("Train on {name}"), self._needs())
            job.resulted.connect(self.onTrainingEvent)
            job.stateChanged.connect(lambda job: self.onTrainingState(job, output))
            about = [self._parameters().cohortPath]
            self.training.submit(job, lambda _job: then(output), about=about)

    def _segmentRest(self, model: Path) -> None:
        self.modelChosen.emit(str(model))
        with slicer.util.tryWithErrorDisplay(_("The cases cannot be segmented.")):
            parameters = self._parameters()
            arguments = self.work.round(parameters, model)
            job = self._job(arguments, _("Segment the rest of {name}"), self._needs())
            job.resulted.connect(self.onBatchEvent)
            about = [parameters.cohortPath, parameters.modelPath]
            self.batch.submit(job, self.onBatchEvent, about=about)

    def onEstimateButton(self) -> None:
        """Make a few steps and say how long the training would take."""
        with slicer.util.tryWithErrorDisplay(_("The time cannot be estimated.")):
            arguments, _output = self.work.training(self._parameters())
            title = _("Estimate a training on {name}")
            job = self._job([*arguments, "--estimate"], title, self._needs())
            self.training.submit(job, self.onEstimated)

    def onEstimated(self, job: BackgroundProcess) -> None:
        """Show how long it would take."""
        sentence = str((job.result or {}).get("estimate", ""))
        self.work.estimate = (sentence, [text for text in job.arguments if text != "--estimate"])
        self.showSummary(self._parameters())

    def onTrainingEvent(self, job: BackgroundProcess) -> None:
        """Draw one more point of the curve."""
        point = curvePoint(job.result or {})
        if point is not None:
            self.work.curve.add(point)
            self.showCurve()

    def onTrainingState(self, job: BackgroundProcess, output: Path) -> None:
        """Offer the best model when the training is over, also if it was cancelled."""
        if job.state.isOver and (output / MODEL_FILE).is_file():
            self.work.trained = str(output)
            self.follow(self._parameters())
            self.changed.emit()

    def onUseModelButton(self) -> None:
        """Choose the trained model for segmentation."""
        self.modelChosen.emit(self.work.trained)

    def onBatchButton(self) -> None:
        """Segment all unlabeled cases."""
        with slicer.util.tryWithErrorDisplay(_("The cases cannot be segmented.")):
            arguments = self.work.batch(self._parameters())
            job = self._job(arguments, _("Segment the cases of {name}"), self._needs())
            job.resulted.connect(self.onBatchEvent)
            about = [self._parameters().cohortPath, self._parameters().modelPath]
            self.batch.submit(job, self.onBatchEvent, about=about)

    def onBatchEvent(self, job: BackgroundProcess) -> None:
        """Show a case that is finished."""
        if self.work.takeEvent(job.result or {}):
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
        sections = (self.inspection, self.training, self.batch)
        inspection, training, batch = (busy if job.isBusy else "" for job in sections)
        return {
            **problems,
            "recentButton": self.recent.problem,
            "startIncludedButton": self.starts.problem,
            "inspectButton": inspection or problems["inspectButton"],
            "trainButton": setupProblem or training or problems["trainButton"],
            "estimateButton": setupProblem or training or problems["estimateButton"],
            "roundButton": setupProblem or training or batch or problems["roundButton"],
            "batchButton": setupProblem or batch or problems["batchButton"],
        }

    def showCurve(self) -> None:
        """Show the course of a training."""
        charts = self.work.curve.draw()
        self._ui.curveStack.setCurrentIndex(int(charts != (None, None)))
        for plot, chart in zip((self.lossPlot, self.dicePlot), charts, strict=True):
            plot.show(chart)

    def _needs(self) -> JobNeeds:
        return JobNeeds(device=self._parameters().device.value)

    def _job(self, arguments: list[str], title: str, needs: JobNeeds) -> BackgroundProcess:
        name = Path(self._parameters().cohortPath).name
        title = title.format(name=name)
        return BackgroundProcess(arguments, title=title, owner="CIMLSegment", needs=needs)
