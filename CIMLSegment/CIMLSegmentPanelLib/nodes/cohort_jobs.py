"""What training and batch do with a cohort and with the scene. Must not import Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.cohort_cases import (
    LABELLED,
    SEGMENTED,
    CohortCases,
    default_model_folder,
    default_result_folder,
)
from CIMLSegmentPanelLib.nodes.command_lines import batchArguments, trainArguments
from CIMLSegmentPanelLib.nodes.model_summary import MODEL_FILE
from CIMLSegmentPanelLib.nodes.result_opening import openWithResult
from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
    TaskPreset,
    nameCorrections,
)
from CIMLSegmentPanelLib.nodes.training_nodes import TrainingNodes
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.case_opening import openForLabeling
from MultimodalSlicerLib.case_results import ChosenCase
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalSlicerLib.cohort_report import CohortReport, inspect_arguments, read_report
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalSlicerLib.selection_parameters import acceptPairing


class CohortJobs:
    """Knows the cohort that was inspected.

    Attributes:
        cases: Its cases; `None` before it was inspected.
        curve: The course of the training.
        case: The case that is open, which the other module may have opened.
        trained: Folder of the model that was trained last; empty before.
        estimate: How long the training that was asked about would take, a sentence with the
            command that it is about; empty before.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self.cases: CohortCases | None = None
        self.curve = TrainingNodes(scene)
        self.case = openCaseOf(scene)
        self.trained = ""
        self.estimate: tuple[str, list[str]] = ("", [])
        self._report: CohortReport | None = None
        self._searched: Path | None = None
        self._isSearching = False

    def finishInspection(
        self, content: Mapping[str, object], parameters: CIMLSegmentParameterNode
    ) -> None:
        """Take over what was found in the cohort.

        Raises:
            ValueError: If the job said nothing useful.
            CohortError: If the record cannot be read.
        """
        report = read_report(content)
        files = CohortFiles(parameters.cohortPath, parameters.recordPath)
        self.cases = CohortCases(files, report.cases)
        self._report, self._searched, self._isSearching = report, None, False

    def search(self, parameters: CIMLSegmentParameterNode) -> Iterator[object] | None:
        """Return the steps that find the results of the chosen model that exist already.

        `None` if they are known, or being looked for.
        """
        isChosen = bool(parameters.modelPath or parameters.batchPath)
        cases = self.cases
        folder = self.resultFolder(parameters) if cases and isChosen else None
        if cases is None or not self.isInspected(parameters) or folder == self._searched:
            return None
        self._searched, self._isSearching = folder, True
        return self._search(cases, folder)

    def isInspected(self, parameters: CIMLSegmentParameterNode) -> bool:
        """Tell whether what is known is about the cohort that is chosen now."""
        chosen = CohortFiles(parameters.cohortPath, parameters.recordPath)
        return self.cases is not None and self.cases.files == chosen

    def summary(self, parameters: CIMLSegmentParameterNode) -> str:
        """Say what there is to train on and to segment."""
        cases, report = self.cases, self._report
        if cases is None or report is None or not self.isInspected(parameters):
            return _("Choose the folder of a cohort and press Inspect.")
        text = _("Labeled cases: {labelled}. Unlabeled cases: {unlabelled}. Modalities: {names}.")
        if parameters.modelPath or parameters.batchPath:
            text = _(
                "Labeled cases: {labelled}. To be segmented: {unlabelled}. Modalities: {names}."
            )
        tests = _("{n}, {tests} of them for testing") if cases.n_labelled_tests else "{n}"
        return text.format(
            labelled=tests.format(n=cases.n_labelled, tests=cases.n_labelled_tests),
            unlabelled=len(cases.unlabelled),
            names=", ".join(report.modalities),
        )

    def inspection(self, parameters: CIMLSegmentParameterNode) -> list[str]:
        """Return the command that finds the cases of the cohort."""
        return inspect_arguments(parameters.cohortPath, nameCorrections(parameters))

    def training(self, parameters: CIMLSegmentParameterNode) -> tuple[list[str], Path]:
        """Return the command that trains, and the folder that receives the model.

        Raises:
            UsageError: If the folder cannot be created.
        """
        name = parameters.taskPreset.value or Path(parameters.taskPath).stem
        files = self._inspected().files
        output = Path(parameters.trainedModelPath or default_model_folder(files, name))
        return trainArguments(parameters, output=output), output

    def estimated(self, parameters: CIMLSegmentParameterNode) -> str:
        """Say how long the training would take; empty if nobody asked about one like this."""
        sentence, arguments = self.estimate
        if not sentence or not self.isInspected(parameters):
            return ""
        return sentence if self.training(parameters)[0] == arguments else ""

    def batch(self, parameters: CIMLSegmentParameterNode) -> list[str]:
        """Return the command that segments all unlabeled cases."""
        output = self.resultFolder(parameters)
        return batchArguments(parameters, self._inspected().unlabelled, output=output)

    def resultFolder(self, parameters: CIMLSegmentParameterNode) -> Path:
        """Return where the results of the batch go."""
        if parameters.batchPath:
            return Path(parameters.batchPath)
        return default_result_folder(self._inspected().files, Path(parameters.modelPath))

    def resultPlace(self, parameters: CIMLSegmentParameterNode) -> Path | None:
        """Return where the results of the chosen model lie, or will; `None` if nothing says."""
        if parameters.batchPath:
            return Path(parameters.batchPath)
        isKnown = bool(parameters.modelPath) and self.isInspected(parameters)
        return self.resultFolder(parameters) if isKnown else None

    def takeEvent(self, content: Mapping[str, object], cohort: str) -> bool:
        """Take over a finished or failed case; return whether anything changed.

        Args:
            content: What the job said.
            cohort: The cohort of the job; cases of another one are not meant.
        """
        if self.cases is None or self.cases.files.path != cohort:
            return False
        if isinstance(content.get("folder"), str):
            self.cases.take(Path(str(content["folder"])))
            return True
        failed = content.get("failed")
        for name, reason in failed.items() if isinstance(failed, dict) else ():
            self.cases.fail(name, str(reason))
        return bool(failed)

    def openResult(self, name: str) -> slicer.vtkMRMLSegmentationNode:
        """Load a segmented case with its result in place of the case before.

        Raises:
            ValueError: If it has no result yet, or a file cannot be read.
        """
        cases = self.cases
        case = None if cases is None else cases.cases.get(name)
        if cases is None or case is None or case.state != SEGMENTED:
            raise ValueError(_("{name} has no result that could be opened.").format(name=name))
        return self.openFolder(case.found, cases.files, Path(case.folder))

    def openFolder(
        self, case: FoundCase, files: CohortFiles, folder: Path
    ) -> slicer.vtkMRMLSegmentationNode:
        """Load a case with a result in place of the case before; see `openWithResult`."""
        return openWithResult(self.case, case, files, folder, self._modalities(files))

    def openCase(self, name: str) -> None:
        """Open the images and labels of a case in place of the case before.

        Raises:
            ValueError: If there is no such case, or a file cannot be read.
        """
        cases = self._inspected()
        if name not in cases.cases:
            raise ValueError(_("No case is chosen. Choose one in the table."))
        case = cases.cases[name].found
        openForLabeling(self.case, case, cases.files, modalities=self._modalities(cases.files))

    def chosenCase(self, name: str) -> ChosenCase | None:
        """Return what is known of a case; `None` if there is no such case."""
        cases = self.cases
        if cases is None or name not in cases.cases:
            return None
        case = cases.cases[name]
        state = CaseState.LABELLED if case.state == LABELLED else CaseState.UNLABELLED
        result = Path(case.folder) if case.folder else None
        return ChosenCase(case.found, state, cases.files, result)

    def acceptPairing(self, name: str) -> None:
        """Note that the modalities of a case belong together.

        Raises:
            CohortError: If the record cannot be written.
        """
        acceptPairing(self._scene, self._inspected().files, name)

    def problems(self, parameters: CIMLSegmentParameterNode, *, hasModel: bool) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can."""
        noPath = "" if parameters.cohortPath else _("Choose the folder of a cohort.")
        isKnown = self.isInspected(parameters)
        notKnown = noPath or ("" if isKnown else _("Press Inspect first."))
        noModel = "" if hasModel else _("Choose the folder of a trained model above.")
        return {
            "inspectButton": noPath,
            "trainButton": notKnown or self._trainingProblem(parameters),
            "estimateButton": notKnown or self._trainingProblem(parameters),
            "roundButton": notKnown or self._trainingProblem(parameters),
            "useModelButton": "" if self.trained else _("Train a model first."),
            "batchButton": noModel or notKnown or self._batchProblem(),
            "showResultsButton": self._placeProblem(parameters),
        }

    def forgetScene(self) -> None:
        """Forget what belonged to another scene, and take over the training of a new one."""
        self.trained, self.estimate = "", ("", [])
        self.cases, self._report, self._searched = None, None, None
        self._isSearching = False
        self.curve.takeOver()

    def _modalities(self, files: CohortFiles) -> tuple[str, ...]:
        """Return the modalities of a cohort; none if another one was inspected."""
        isKnown = self.cases is not None and self.cases.files == files
        return self._report.modalities if isKnown and self._report is not None else ()

    def _inspected(self) -> CohortCases:
        """The cases, where there must be some.

        Raises:
            ValueError: If no cohort was inspected.
        """
        if self.cases is None:
            raise ValueError(_("Press Inspect first."))
        return self.cases

    def _search(self, cases: CohortCases, folder: Path | None) -> Iterator[object]:
        try:
            yield from cases.find(folder)
        finally:
            if cases is self.cases and folder == self._searched:
                self._isSearching = False

    def _trainingProblem(self, parameters: CIMLSegmentParameterNode) -> str:
        cases = self._inspected()
        if not cases.n_labelled:
            return _("The cohort has no labeled case. Label some first.")
        if cases.n_labelled == cases.n_labelled_tests:
            return _("All labeled cases are set aside for testing. Label others first.")
        if parameters.taskPreset is TaskPreset.FILE and not parameters.taskPath:
            return _("Choose the task file.")
        start = parameters.startPath
        if start and not (Path(start) / MODEL_FILE).is_file():
            return _("{folder} holds no model to start from. Choose another one, or none.").format(
                folder=start
            )
        return ""

    def _placeProblem(self, parameters: CIMLSegmentParameterNode) -> str:
        place = self.resultPlace(parameters)
        if place is None:
            return _("Choose a model and inspect a cohort first.")
        return "" if place.is_dir() else _("There is no result yet.")

    def _batchProblem(self) -> str:
        if self._isSearching:
            return _("Looking for existing results…")
        return "" if self._inspected().unlabelled else _("All cases are labeled or segmented.")
