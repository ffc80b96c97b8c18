"""From chosen volumes to a job, and from its result files to the scene.

Must not import Qt. A run remembers nodes by ID: they may be gone when it is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import slicer

from CIMLSegmentPanelLib.nodes.command_lines import segmentArguments
from CIMLSegmentPanelLib.nodes.input_checks import checkInputs
from CIMLSegmentPanelLib.nodes.input_matching import chosenVolumes
from CIMLSegmentPanelLib.nodes.model_summary import ModelSummary, millimeters
from CIMLSegmentPanelLib.nodes.result_facts import isResult, resultFacts
from CIMLSegmentPanelLib.nodes.result_nodes import addResult
from CIMLSegmentPanelLib.nodes.run_files import ResultFolders, exportVolumes
from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode
from MultimodalImagingLib.record.ownership import check_apart
from MultimodalSlicerLib.cohort_nodes import fullName, sourceFile

_IMAGES = "images"


@dataclass(frozen=True)
class Run:
    """A case that is being segmented.

    Attributes:
        arguments: The command.
        case: Name of the case.
        folder: Temporary folder of the run.
        output: Receives the result's folder.
        images: ID of the volume of every modality.
        target: ID of the segmentation to be replaced; empty for a new one.
        name: Name of a new segmentation.
        resolution: Finest detail of the maps, as text.
    """

    arguments: tuple[str, ...]
    case: str
    folder: Path
    output: Path
    images: Mapping[str, str]
    target: str
    name: str
    resolution: str


class SegmentationRuns:
    """Prepares and finishes runs in a scene."""

    def __init__(self, scene: slicer.vtkMRMLScene, folders: ResultFolders) -> None:
        self._scene = scene
        self._folders = folders

    def prepare(self, parameters: CIMLSegmentParameterNode, model: ModelSummary) -> Run:
        """Check the volumes and write them to files.

        Raises:
            ValueError: If they cannot be segmented; nothing is left then.
            UsageError: If the chosen folder for results is, or holds, that of one of the images.
        """
        nodes = chosenVolumes(parameters, model)
        problem = checkInputs(model, nodes).problem
        if problem:
            raise ValueError(problem)
        chosen = {modality: node for modality, node in nodes.items() if node is not None}
        if parameters.outputPath:
            check_apart(Path(parameters.outputPath), storedFiles(chosen.values()))
        folder = self._folders.new()
        try:
            (folder / _IMAGES).mkdir()
            files = exportVolumes(chosen, folder / _IMAGES)
        except BaseException:
            self._folders.remove(folder)
            raise
        return _run(parameters, model, chosen, files=files, folder=folder)

    def finish(self, run: Run) -> slicer.vtkMRMLSegmentationNode:
        """Put the result of a finished run into the scene.

        Raises:
            CohortError: If its files cannot be read. The scene is then unchanged.
        """
        from CIMLSegmentLib.results.result_io import result_folder
        from CIMLSegmentLib.results.segmentation_result import read_result

        result = read_result(result_folder(run.output, run.case))
        for path in (run.folder / _IMAGES).glob("image_*"):
            path.unlink()
        found = {name: self._scene.GetNodeByID(identity) for name, identity in run.images.items()}
        images = {name: node for name, node in found.items() if node is not None}
        target = self._scene.GetNodeByID(run.target) if run.target else None
        isNew = target is None
        before = "" if isNew else self.temporaryFolder(target)
        node = target or self._newSegmentation(run.name)
        try:
            addResult(node, result, images, resolution=run.resolution)
        except BaseException:
            if isNew:
                self._scene.RemoveNode(node)
            raise
        if before:
            self._folders.remove(Path(before))
        return node

    def drop(self, run: Run) -> None:
        """Remove the files of a run that came to nothing."""
        self._folders.remove(run.folder)

    def temporaryFolder(self, node: slicer.vtkMRMLSegmentationNode) -> str:
        """Return the folder that a result's files are in; empty if none is known."""
        try:
            return resultFacts(node).folder if isResult(node) else ""
        except ValueError:  # edited notes must not keep a result from being replaced or removed
            return ""

    def _newSegmentation(self, name: str) -> slicer.vtkMRMLSegmentationNode:
        unique = self._scene.GenerateUniqueName(name)
        return self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", unique)


def storedFiles(nodes: Iterable[slicer.vtkMRMLVolumeNode]) -> list[Path]:
    """Return the files that volumes were loaded from; none for a volume that was not."""
    nodes = list(nodes)
    storages = [node.GetStorageNode() for node in nodes]
    names = [storage.GetFullNameFromFileName() for storage in storages if storage is not None]
    return [Path(name) for name in (*names, *map(sourceFile, nodes)) if name]


def _run(
    parameters: CIMLSegmentParameterNode,
    model: ModelSummary,
    chosen: Mapping[str, slicer.vtkMRMLVolumeNode],
    *,
    files: Mapping[str, Path],
    folder: Path,
) -> Run:
    primary = fullName(chosen[model.task.subtasks[0].primary])
    output = Path(parameters.outputPath) if parameters.outputPath else folder
    case = _freeName(output, primary.strip() or "case")
    return Run(
        arguments=tuple(segmentArguments(parameters, files, caseID=case, output=output)),
        case=case,
        folder=folder,
        output=output,
        images={modality: node.GetID() for modality, node in chosen.items()},
        target=parameters.target.GetID() if parameters.target else "",
        name=f"{primary} segmentation",
        resolution=millimeters(model.map_spacing_mm),
    )


def _freeName(output: Path, case: str) -> str:
    """A result is never replaced by another one."""
    from CIMLSegmentLib.results.result_io import has_result

    name, number = case, 2
    while has_result(output, name):
        name, number = f"{case} ({number})", number + 1
    return name
