"""The section Train: a model of the labeled cases of a cohort, and the end of a round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs
from CIMLSegmentPanelLib.nodes.command_lines import roundArguments
from CIMLSegmentPanelLib.nodes.model_summary import MODEL_FILE
from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
    TaskPreset,
)
from CIMLSegmentPanelLib.nodes.training_nodes import curvePoint
from CIMLSegmentPanelLib.widgets.model_menu import ModelMenu
from CIMLSegmentPanelLib.widgets.training_choice import TrainingChoice
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.case_plot import CasePlot
from MultimodalWidgetsLib.job_needs import JobNeeds
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.room import keepRoom
from MultimodalWidgetsLib.signal import Signal

if TYPE_CHECKING:
    from slicer_types import UiForm

CURVE_HEIGHT = 160  # pixels


class TrainSection:
    """Trains, and shows the course of it.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
        summarized: Emitted when there is more to be said about the training.
        modelChosen: Emits the folder of a model that shall be used.
        roundTrained: Emits the job that segments the rest of the cohort that was trained on, and
            the model.
        jobs: Shows the training.
        starts: Offers the models that come with the program to start from.
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
        self.changed, self.summarized = Signal(), Signal()
        self.modelChosen, self.roundTrained = Signal(), Signal()
        self._ui, self.work, self._parameters = ui, work, parameters
        self.jobs = JobSection(ui, "train")
        fields = {"taskPath": ui.taskPathLineEdit, "primary": ui.primaryLineEdit}
        self._toolTips = {name: field.toolTip for name, field in fields.items()}
        keepRoom(ui.curveWidget)
        layout = ui.curveWidget.layout()
        self.lossPlot = CasePlot(layout, "CIMLSegmentPlot", height=CURVE_HEIGHT)
        self.dicePlot = CasePlot(layout, "CIMLSegmentDicePlot", height=CURVE_HEIGHT)
        self.starts = ModelMenu(ui.startIncludedButton, self.onStartChosen)
        self._choice = TrainingChoice(ui, parameters)
        self.jobs.changed.connect(self.changed.emit)

    def follow(self, parameters: CIMLSegmentParameterNode) -> None:
        """Show what follows from the chosen cohort and task."""
        self.jobs.follow([parameters.cohortPath])
        self._choice.follow(parameters)
        isFile = parameters.taskPreset is TaskPreset.FILE
        isOpen = isFile or parameters.taskPreset.value == "single-target"
        for name, isUsed in (("taskPath", isFile), ("primary", isOpen)):
            field, unused = getattr(self._ui, f"{name}LineEdit"), _("The chosen task needs none.")
            field.setEnabled(isUsed)
            field.toolTip = self._toolTips[name] if isUsed else unused

    def showSummary(self, parameters: CIMLSegmentParameterNode, text: str) -> None:
        """Say what there is to train on, where the model is, and how long a training would take.

        Args:
            parameters: What the user chose.
            text: What there is to train on.
        """
        trained = _("The model is in {folder}.").format(folder=self.work.trained)
        sentences = [text, trained] if self.work.trained else [text]
        estimate = self.work.estimated(parameters)
        sentences += [_("{estimate}.").format(estimate=estimate)] if estimate else []
        self._ui.trainSummaryLabel.setText(" ".join(sentences))

    def onStartChosen(self, folder: str) -> None:
        """Begin the next training with the weights of a model."""
        self._ui.startPathLineEdit.currentPath = folder

    def onTrainButton(self) -> None:
        """Train on the labeled cases."""
        self._train(lambda _rest, _model: None)

    def onRoundButton(self) -> None:
        """Train on the labeled cases, then segment the others as drafts."""
        self._train(self.roundTrained.emit)

    def _train(self, then: Callable[[BackgroundProcess, Path], None]) -> None:
        """Train, and go on when that is done.

        Args:
            then: Gets the job that segments the rest of the cohort that was trained on, whichever
                is chosen by then, and the model.
        """
        with slicer.util.tryWithErrorDisplay(_("The training could not be started.")):
            parameters = self._parameters()
            needs = deviceNeeds(parameters)
            arguments, output = self.work.training(parameters)
            command = roundArguments(parameters, output)
            rest = cohortJob(command, _("Segment the rest of {name}"), needs)
            self.work.trained = ""
            self.work.curve.clear()
            self.showCurve()
            self.summarized.emit()
            job = cohortJob(arguments, _("Train on {name}"), needs)
            job.resulted.connect(self.onTrainingEvent)
            job.stateChanged.connect(lambda job: self.onTrainingState(job, output))
            about = [parameters.cohortPath]
            self.jobs.submit(job, lambda _job: then(rest, output), about=about)

    def onEstimateButton(self) -> None:
        """Make a few steps and say how long the training would take."""
        with slicer.util.tryWithErrorDisplay(_("The time cannot be estimated.")):
            parameters = self._parameters()
            arguments, _output = self.work.training(parameters)
            title = _("Estimate a training on {name}")
            job = cohortJob([*arguments, "--estimate"], title, deviceNeeds(parameters))
            self.jobs.submit(job, self.onEstimated)

    def onEstimated(self, job: BackgroundProcess) -> None:
        """Show how long it would take."""
        sentence = str((job.result or {}).get("estimate", ""))
        self.work.estimate = (sentence, [text for text in job.arguments if text != "--estimate"])
        self.summarized.emit()

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
            self.summarized.emit()
            self.changed.emit()

    def onUseModelButton(self) -> None:
        """Choose the trained model for segmentation."""
        self.modelChosen.emit(self.work.trained)

    def showCurve(self) -> None:
        """Show the course of a training."""
        charts = self.work.curve.draw()
        self._ui.curveStack.setCurrentIndex(int(charts != (None, None)))
        for plot, chart in zip((self.lossPlot, self.dicePlot), charts, strict=True):
            plot.show(chart)


def cohortJob(arguments: list[str], title: str, needs: JobNeeds) -> BackgroundProcess:
    """Return a job on a cohort.

    Args:
        arguments: Package, command, cohort, and the rest.
        title: What the user calls it; `{name}` stands for the name of the cohort.
        needs: What it needs.
    """
    title = title.format(name=Path(arguments[2]).name)
    return BackgroundProcess(arguments, title=title, owner="CIMLSegment", needs=needs)


def deviceNeeds(parameters: CIMLSegmentParameterNode) -> JobNeeds:
    """Return what a job on the chosen device needs."""
    return JobNeeds(device=parameters.device.value)
