"""Panel and logic of CIMLSegment: segments multimodal images, shows which modality contributed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
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

from CIMLSegmentLib.model.shipped_models import CARD_NAME
from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs
from CIMLSegmentPanelLib.nodes.input_checks import InputVerdict, judgeVolumes
from CIMLSegmentPanelLib.nodes.input_matching import fillVolumes
from CIMLSegmentPanelLib.nodes.map_browser import MapBrowser
from CIMLSegmentPanelLib.nodes.model_summary import ModelSummary, millimeters, read_model_summary
from CIMLSegmentPanelLib.nodes.result_facts import (
    MAP_ATTRIBUTE,
    RESULT_ATTRIBUTE,
    TABLE_ATTRIBUTE,
    isResult,
)
from CIMLSegmentPanelLib.nodes.result_nodes import removeResult
from CIMLSegmentPanelLib.nodes.result_segments import (
    jumpToSegments,
    offerResult,
    showOverOwnImages,
)
from CIMLSegmentPanelLib.nodes.run_files import ResultFolders
from CIMLSegmentPanelLib.nodes.sample_case import cellOfSample, chooseSample
from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode, adoptCohort
from CIMLSegmentPanelLib.nodes.segmentation_runs import Run, SegmentationRuns
from CIMLSegmentPanelLib.widgets.cohort_panel import CohortPanel
from CIMLSegmentPanelLib.widgets.contribution_section import ContributionSection
from CIMLSegmentPanelLib.widgets.input_section import InputSection
from CIMLSegmentPanelLib.widgets.last_choices import CHOICES, recallChoices
from CIMLSegmentPanelLib.widgets.model_menu import ModelMenu
from CIMLSegmentPanelLib.widgets.result_section import ResultSection
from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.plurals import byNumber
from MultimodalSlicerLib.sample_nodes import Sample, addPatient, samplePlaces
from MultimodalSlicerLib.slice_views import bringInside
from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_needs import JobNeeds
from MultimodalWidgetsLib.module_base import ModuleTest, ModuleWidget
from MultimodalWidgetsLib.remembered import remember
from MultimodalWidgetsLib.sample_data import sampleJob
from MultimodalWidgetsLib.scene_reading import onceRead
from MultimodalWidgetsLib.widget_additions import handleEvents, rememberPath, showText

MODULE = "CIMLSegment"


class CIMLSegment(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Multimodal Segmentation (CIML)")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["MDALSelector"]
        self.parent.contributors = ["CrossModal contributors"]
        self.parent.helpText = _(
            "Segments the volumes of a patient with a network that was trained on labeled cases,"
            " and shows which modality contributed to each target, where, and how much."
        )
        self.parent.acknowledgementText = _(
            "An implementation of the idea of Shen et al., Complementary information mutual"
            " learning for multimodality medical image segmentation, Neural Networks, 2024,"
            " https://arxiv.org/abs/2401.02717."
        )


class CIMLSegmentWidget(ModuleWidget[CIMLSegmentParameterNode]):
    """Connects the panel to the logic; computes nothing."""

    restingTable = "shareTable"
    paths = (
        *("modelPath", "outputPath", "cohortPath", "recordPath"),
        *("taskPath", "startPath", "trainedModelPath", "batchPath"),
    )

    def __init__(self, parent: object = None) -> None:
        super().__init__(parent)
        self._newVolumes: list[str] = []
        self.hints: dict[str, str] = {}

    def setup(self) -> None:
        """Load the panel and connect it."""
        self.loadPanel()
        self.logic = CIMLSegmentLogic()
        self._makeSections()
        self._connect()
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self.logic.work.case.aboutToClose.remove(self.onCaseCloses)
        self.cohort.cleanup()
        super().cleanup()

    def sceneParameters(self) -> CIMLSegmentParameterNode:
        """Return the parameters of the scene, with the cohort of MDALSelector if none is chosen."""
        parameterNode = self.logic.getParameterNode()
        adoptCohort(parameterNode)
        return parameterNode

    def showParameters(self, parameters: CIMLSegmentParameterNode) -> None:
        """Show what is not bound by itself."""
        self.showModel()
        self.showResult()
        self.ui.tryButton.setAutoRaise(bool(parameters.modelPath))
        self.contributions.follow(parameters)
        self.cohort.follow(parameters)
        self.updateButtons()

    def recallChoices(self, parameters: CIMLSegmentParameterNode) -> None:
        """Take over cohort, model, folders and device of the last time."""
        self.hints = recallChoices(parameters)
        self.cohort.hints = self.hints

    def onPathChosen(self, name: str) -> None:
        """Remember a path that the user chose, and say no more that the last one is gone."""
        parameters = self.logic.getParameterNode()
        self.hints.pop(name, None)
        if name == "outputPath" or (name == "modelPath" and self.logic.model is not None):
            remember(CHOICES[name], getattr(parameters, name))
        if name in ("recordPath", "batchPath") and self.logic.work.isInspected(parameters):
            self.cohort.rememberCohort()
        self.onParametersChanged()

    def onDeviceChosen(self, _index: int) -> None:
        """Remember the device."""
        remember(CHOICES["device"], self.logic.getParameterNode().device.value)

    def showModel(self) -> None:
        """Show the rows of another model, and choose volumes by name where none is chosen."""
        parameters = self._parameterNode
        if parameters is None:
            return
        isOther = self.logic.openModel(parameters.modelPath)
        gone = (self.hints.get(name, "") for name in ("modelPath", "outputPath"))
        sentences = (self.logic.modelText(), *gone)
        showText(self.ui.modelSummaryLabel, "\n".join(filter(None, sentences)))
        if not isOther:
            return
        model = self.logic.model
        self.inputs.showTask(None if model is None else model.task)
        if model is not None:
            self.logic.match(parameters, replaces=False)

    def onTryButton(self) -> None:
        """Make the synthetic patient."""
        with slicer.util.tryWithErrorDisplay(_("The sample patient could not be made.")):
            self.jobs.submit(sampleJob(Sample.PATIENT, MODULE), self.onSampleMade)

    def onSampleMade(self, job: BackgroundProcess) -> None:
        """Load the synthetic patient once the signals of the job are over: that handles events."""
        with slicer.util.tryWithErrorDisplay(_("The sample patient could not be made.")):
            qt.QTimer.singleShot(0, partial(self.loadSample, samplePlaces(job.result)))

    def loadSample(self, files: Mapping[str, str]) -> None:
        """Load the synthetic patient, and choose a model that comes with CrossModal for it."""
        message = _("The sample patient cannot be loaded.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            volumes = addPatient(slicer.mrmlScene, files, breathe=handleEvents)
            chooseSample(self.logic.getParameterNode(), volumes)
            self.hints.pop("modelPath", None)
            self.onParametersChanged()

    def onMatchButton(self) -> None:
        """Choose all volumes anew by their names."""
        with slicer.util.tryWithErrorDisplay(_("The volumes cannot be matched.")):
            self.logic.match(self.logic.getParameterNode(), replaces=True)
            self.updateButtons()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, _caller: object, _event: object, node: slicer.vtkMRMLNode) -> None:
        """Choose a volume that was just loaded, once it has its name and voxels."""
        isImage = node.IsA("vtkMRMLVolumeNode") and not node.GetAttribute(MAP_ATTRIBUTE)
        if isImage and self._parameterNode is not None:
            self._newVolumes.append(node.GetID())
            onceRead(self.onVolumesAdded)

    def onVolumesAdded(self) -> None:
        """Choose the new volumes where none is chosen."""
        only, self._newVolumes = self._newVolumes, []
        if only and self._parameterNode is not None and self.logic.model is not None:
            self.logic.match(self._parameterNode, replaces=False, only=only)
            self.updateButtons()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller: object, _event: object, node: slicer.vtkMRMLNode) -> None:
        """Remove what belongs to a result that is about to go, and what shows a map that goes."""
        super().onNodeRemoved(_caller, _event, node)
        if slicer.mrmlScene.IsClosing():
            return
        if isResult(node):
            self.logic.forgetResult(node)
            self.onMapShown()
        elif node.GetAttribute(MAP_ATTRIBUTE) or node.GetAttribute(TABLE_ATTRIBUTE):
            onceRead(self.contributions.onNodesDeleted)

    def showHelpers(self) -> None:
        """Draw the course of the training anew, or show none without its table."""
        self.cohort.train.showCurve()

    def onSegmentButton(self) -> None:
        """Segment the chosen volumes."""
        message = _("The volumes cannot be segmented.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            rememberPath(self.ui.modelPathLineEdit)
            job = self.logic.segmentation(self.logic.getParameterNode())
            job.stateChanged.connect(self.logic.onJobState)
            about = [self.logic.getParameterNode().modelPath]
            self.jobs.submit(job, self.onSegmented, about=about)

    def onSegmented(self, job: BackgroundProcess) -> None:
        """Show the segments."""
        with slicer.util.tryWithErrorDisplay(_("The result cannot be shown."), waitCursor=True):
            node = self.logic.finishSegmentation(job)
            offerResult(node)
            self.onResult(node)
            cell = cellOfSample(node)
            if cell is not None:  # reading a map handles events: not within the signals of the job
                show = self.contributions.onCellPicked
                route = (cell.region, cell.primary, cell.auxiliary)
                qt.QTimer.singleShot(0, partial(show, *route))

    def onResult(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Show a result that is new in the scene."""
        self.results.forget()
        self.logic.getParameterNode().result = node
        self.contributions.onOtherResult(node)
        showOverOwnImages(node)
        jumpToSegments(node)
        onceRead(partial(bringInside, slicer.mrmlScene))
        self.onParametersChanged()

    def onCaseCloses(self) -> None:
        """Take the map away that lies over the images of the case that goes."""
        if self.logic.browser.overlay.former:
            self.contributions.onRemoveOverlayButton()

    def onModelChosen(self, folder: str) -> None:
        """Use another model."""
        self.ui.modelPathLineEdit.currentPath = folder

    def showResult(self) -> None:
        """Show segments and matrix of the chosen result."""
        parameters = self._parameterNode
        if parameters is not None and self.results.show(parameters.result):
            self.contributions.show(parameters.result)

    def onSceneChanged(self, _caller: object, _event: object) -> None:
        """Show what a scene that was closed or read brought."""
        self.logic.forgetScene()
        self.results.forget()
        self.jobs.forget()
        self.cohort.forgetJobs()
        self.cohort.show()
        if self.parent.isEntered:
            self.initializeParameterNode()
            self.showResult()
        onceRead(self.logic.work.curve.tidy)

    def updateButtons(self) -> None:
        """Enable what can be done now; the tool tip of the others says why not."""
        if self._parameterNode is None:
            return
        self.jobs.follow([self._parameterNode.modelPath])
        verdict = self.logic.verdict(self._parameterNode)
        self.inputs.showNotes(verdict.notes)
        self.ui.verdictLabel.text = verdict.problem or verdict.sentence
        problems = self.logic.problems(self._parameterNode, verdict, isBusy=self.jobs.isBusy)
        problems["segmentButton"] = self.setupSection.problem or problems["segmentButton"]
        problems["includedButton"] = self.models.problem
        hasModel, missing = self.logic.model is not None, self.setupSection.problem
        problems |= self.cohort.problems(
            self._parameterNode, hasModel=hasModel, setupProblem=missing
        )
        self.showProblems(problems)
        self.results.follow(self._parameterNode.result)

    def onMapShown(self) -> None:
        """Keep with the scene what the views showed, so that a reopened one can go back."""
        if self._parameterNode is not None:
            self._parameterNode.formerViews = self.logic.browser.overlay.former
            self.updateButtons()

    def _makeSections(self) -> None:
        ui = self.ui
        self.inputs = InputSection(ui)
        self.models = ModelMenu(ui.includedButton, self.onModelChosen)
        self.cohort = CohortPanel(ui, self.logic.work, self.logic.getParameterNode)
        self.results = ResultSection(ui, lambda: self._parameterNode)
        self.contributions = ContributionSection(
            ui, self.logic.browser, lambda: self._parameterNode
        )
        ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", RESULT_ATTRIBUTE)

    def _connect(self) -> None:
        handlers = {
            "matchButton": self.onMatchButton,
            "tryButton": self.onTryButton,
            "segmentButton": self.onSegmentButton,
            "show3DButton": self.results.onShow3DButton,
            "measureButton": self.results.measure,
            "segmentEditorButton": self.results.onSegmentEditorButton,
            "removeOverlayButton": self.contributions.onRemoveOverlayButton,
            "loadMapsButton": self.contributions.onLoadMapsButton,
            "deleteMapsButton": self.contributions.onDeleteMapsButton,
            "inspectButton": self.cohort.onInspectButton,
            "trainButton": self.cohort.train.onTrainButton,
            "estimateButton": self.cohort.train.onEstimateButton,
            "roundButton": self.cohort.train.onRoundButton,
            "useModelButton": self.cohort.train.onUseModelButton,
            "batchButton": self.cohort.onBatchButton,
            "recentButton": self.cohort.recent.show,
            "includedButton": self.models.show,
            "startIncludedButton": self.cohort.train.starts.show,
            "showResultsButton": self.cohort.onShowResultsButton,
        }
        self.connectPanel(handlers)
        self.ui.deviceComboBox.connect("activated(int)", self.onDeviceChosen)
        self.contributions.changed.connect(self.onMapShown)
        self.results.changed.connect(self.updateButtons)
        self.cohort.changed.connect(self.updateButtons)
        self.cohort.modelChosen.connect(self.onModelChosen)
        self.cohort.resultOpened.connect(self.onResult)
        self.logic.work.case.aboutToClose.append(self.onCaseCloses)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)


class CIMLSegmentLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel.

    Attributes:
        model: The chosen model; `None` if none can be used.
        browser: The map that is shown.
        work: Training and batch.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.model: ModelSummary | None = None
        self.browser = MapBrowser(slicer.mrmlScene)
        self.work = CohortJobs(slicer.mrmlScene)
        self._modelPath: str | None = None
        self._modelProblem = ""
        self._folders = ResultFolders()
        self._runs = SegmentationRuns(slicer.mrmlScene, self._folders)
        self._running: dict[BackgroundProcess, Run] = {}

    def getParameterNode(self) -> CIMLSegmentParameterNode:
        """Return what the user chose in this scene."""
        return CIMLSegmentParameterNode(super().getParameterNode())

    def openModel(self, path: str) -> bool:
        """Look at a model folder; return whether it has changed."""
        if path == self._modelPath:
            return False
        self._modelPath, self._modelProblem, self.model = path, "", None
        try:
            self.model = read_model_summary(Path(path)) if path else None
        except CrossModalError as error:
            self._modelProblem = str(error)
        return True

    def modelText(self) -> str:
        """Describe the model; empty if there is none."""
        if self.model is None:
            return ""
        task = self.model.task
        regions = ", ".join(region.title for region in task.regions)
        sentences = [_("{task}: {regions}.").format(task=task.name, regions=regions)]
        size = millimeters(self.model.spacing_mm)
        if size:
            sentences.append(_("Voxel size: {size}.").format(size=size))
        sentences += self._diceSentences(self.model)
        if self.model.started_from:
            sentences.append(_("Started from {name}.").format(name=self.model.started_from))
        if (self.model.folder / CARD_NAME).is_file():
            sentences.append(_("Research only: read {file} in its folder.").format(file=CARD_NAME))
        return " ".join(sentences)

    def _diceSentences(self, model: ModelSummary) -> list[str]:
        """Say which cases each Dice of a model comes from."""
        sentences = []
        if model.evaluation_dice is not None:
            dice, count = f"{model.evaluation_dice:.2f}", model.n_evaluation_cases
            one, more = (
                _("Dice {dice} in {n} case of the evaluation set."),
                _("Dice {dice} in {n} cases of the evaluation set."),
            )
            sentences.append(byNumber(count, one, more).format(dice=dice, n=count))
        if model.dice is not None:
            dice, count = f"{model.dice:.2f}", model.n_validation_cases
            one, more = (
                _("Validation Dice {dice} in {n} case, which chose its state."),
                _("Validation Dice {dice} in {n} cases, which chose its state."),
            )
            sentences.append(byNumber(count, one, more).format(dice=dice, n=count))
        return sentences

    def match(
        self, parameters: CIMLSegmentParameterNode, *, replaces: bool, only: list[str] | None = None
    ) -> None:
        """Choose volumes by name.

        Raises:
            ValueError: If there is no model.
        """
        if self.model is None:
            raise ValueError(_("Choose the folder of a model first."))
        fillVolumes(parameters, self.model, replaces=replaces, only=only)

    def verdict(self, parameters: CIMLSegmentParameterNode) -> InputVerdict:
        """Return remarks on the chosen volumes."""
        if self.model is None:
            text = self._modelProblem or _(
                "Choose the folder of a trained model. 'Try it' takes one that comes with"
                " CrossModal, and a synthetic patient."
            )
            return InputVerdict(text, "", {})
        try:
            return judgeVolumes(parameters, self.model)
        except ValueError as error:
            return InputVerdict(str(error), "", {})

    def segmentation(self, parameters: CIMLSegmentParameterNode) -> BackgroundProcess:
        """Return the job that segments the chosen volumes.

        Raises:
            ValueError: If they cannot be segmented.
        """
        if self.model is None:
            raise ValueError(self.verdict(parameters).problem)
        run = self._runs.prepare(parameters, self.model)
        title = _("Segment {case}").format(case=run.case)
        needs = JobNeeds(isShort=True, device=parameters.device.value)
        job = BackgroundProcess(run.arguments, title=title, owner=MODULE, needs=needs)
        self._running[job] = run
        return job

    def finishSegmentation(self, job: BackgroundProcess) -> slicer.vtkMRMLSegmentationNode:
        """Put the result of a finished job into the scene and return its segmentation.

        Raises:
            ValueError: If the scene that it belongs to was closed.
            CohortError: If the result cannot be read.
        """
        run = self._running.pop(job, None)
        if run is None:
            raise ValueError(_("The scene was closed while its volumes were segmented."))
        return self._runs.finish(run)

    def onJobState(self, job: BackgroundProcess) -> None:
        """Remove the files of a job that failed or was cancelled."""
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            run = self._running.pop(job, None)
            if run is not None:
                self._runs.drop(run)

    def forgetResult(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Remove maps, tables and temporary files of a result."""
        if self.browser.shown is not None and self.browser.shown[0] is node:
            self.browser.remove()
        folder = self._runs.temporaryFolder(node)
        removeResult(node)
        self._folders.remove(Path(folder))

    def forgetScene(self) -> None:
        """Forget what belonged to a scene that was closed, and take over from one that was read."""
        for job in list(self._running):
            self._runs.drop(self._running.pop(job))
        self.browser.overlay.former = self.getParameterNode().formerViews
        self.browser.shown = None
        self.work.forgetScene()

    def problems(
        self, parameters: CIMLSegmentParameterNode, verdict: InputVerdict, *, isBusy: bool
    ) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can."""
        busy = _("A job is running. Wait, or press Cancel.") if isBusy else ""
        noModel = "" if self.model is not None else _("Choose the folder of a trained model first.")
        noResult = "" if isResult(parameters.result) else _("Segment a case, or choose a result.")
        noOverlay = "" if self.browser.overlay.former else _("No map is shown.")
        return {
            "matchButton": noModel,
            "tryButton": busy,
            "segmentButton": busy or verdict.problem,
            "show3DButton": noResult,
            "measureButton": noResult,
            "segmentEditorButton": noResult,
            "removeOverlayButton": noOverlay,
            "loadMapsButton": noResult,
            "deleteMapsButton": noResult,
        }


class CIMLSegmentTest(ModuleTest):
    """The tests of the module."""

    moduleFile, testFile = Path(__file__), "test_ciml_segment.py"
