"""What is to be said about the volumes that a model gets, before they are segmented.

Must not import Qt. Nothing here changes the scene.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from CIMLSegmentLib.task.task import Task
from CIMLSegmentPanelLib.nodes.input_matching import chosenVolumes, matchVolumes, modalityOfName
from CIMLSegmentPanelLib.nodes.model_summary import ModelSummary, millimeters
from MultimodalImagingLib.images.geometry import (
    Grid,
    grid_from_affine_ras,
)
from MultimodalImagingLib.images.geometry_checks import (
    Verdict,
    case_verdict,
    image_mismatch,
    mismatch_text,
)
from MultimodalSlicerLib.cohort_nodes import fullName
from MultimodalSlicerLib.volume_nodes import gridFromNode, volumeProblem

if TYPE_CHECKING:
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode

Nodes = Mapping[str, slicer.vtkMRMLNode | None]


@dataclass(frozen=True)
class InputVerdict:
    """What is to be said about the volumes before they are segmented.

    Attributes:
        problem: Why nothing can be done, one sentence with what to do; empty if it can.
        sentence: How the volumes lie to each other, and what will happen.
        notes: Remark per modality, empty if there is none.
    """

    problem: str
    sentence: str
    notes: Mapping[str, str]


def checkInputs(model: ModelSummary, nodes: Nodes) -> InputVerdict:
    """Look at the chosen volumes.

    Args:
        model: The model that gets them.
        nodes: Volume per modality of the model; `None` where none is chosen.
    """
    task = model.task
    notes = {name: _problem(name, node, task) for name, node in nodes.items()}
    problem = next((text for text in notes.values() if text), "") or _duplicate(nodes)
    if problem:
        return InputVerdict(problem, "", notes)
    chosen = {name: node for name, node in nodes.items() if node is not None}
    grids = {name: worldGrid(node) for name, node in chosen.items()}
    verdict, overlap = case_verdict(grids)
    place = _misplaced(grids, chosen)
    remarks = {name: _remark(name, node, task) for name, node in nodes.items()}
    if verdict is Verdict.APART:
        return InputVerdict(" ".join([_apart(chosen), *place]), "", remarks)
    sentence = _sentence(verdict, overlap, model, chosen)
    return InputVerdict("", " ".join([sentence, *place]), remarks)


def judgeVolumes(parameters: CIMLSegmentParameterNode, model: ModelSummary) -> InputVerdict:
    """Say what is to be said about the chosen volumes, and why none is chosen where none is.

    Raises:
        ValueError: If the model has more modalities than the panel has rows.
    """
    nodes = chosenVolumes(parameters, model)
    verdict = checkInputs(model, nodes)
    hints = matchVolumes(parameters.parameterNode.GetScene(), model.task).notes
    missing = {name: hints[name] for name in hints if nodes[name] is None}
    return replace(verdict, notes={**verdict.notes, **missing})


def worldGrid(node: slicer.vtkMRMLVolumeNode) -> Grid:
    """Return the grid where parent transforms put a volume; its bounding box if they bend it."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return gridFromNode(node)
    if not transform.IsTransformToWorldLinear():
        return _boundingGrid(node)
    toWorld = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(toWorld)
    grid = gridFromNode(node)
    affine = slicer.util.arrayFromVTKMatrix(toWorld) @ grid.affine_ras
    return grid_from_affine_ras(affine, grid.size)


def _problem(modality: str, node: slicer.vtkMRMLNode | None, task: Task) -> str:
    if node is not None:
        return volumeProblem(node) or ""
    if modality in task.primaries:
        text = _("Choose the volume of {modality}: the model cannot segment without it.")
        return text.format(modality=modality)
    return ""


def _duplicate(nodes: Nodes) -> str:
    seen: dict[str, str] = {}
    for modality, node in nodes.items():
        if node is None:
            continue
        other = seen.setdefault(node.GetID(), modality)
        if other != modality:
            text = _("'{name}' is chosen for {one} and for {other}. Choose another volume.")
            return text.format(name=fullName(node), one=other, other=modality)
    return ""


def _remark(modality: str, node: slicer.vtkMRMLNode | None, task: Task) -> str:
    if node is None:
        return _("Without {modality} the result may be worse.").format(modality=modality)
    said = modalityOfName(fullName(node), task)
    if said is not None and said != modality:
        text = _("'{name}' is named like {said}, not like {modality}. Is it right?")
        return text.format(name=fullName(node), said=said, modality=modality)
    return ""


def _apart(chosen: Mapping[str, slicer.vtkMRMLVolumeNode]) -> str:
    names = ", ".join(f"'{fullName(node)}'" for node in chosen.values())
    text = _(
        "These do not overlap in space: {names}. Choose volumes of the same patient, or register"
        " them first."
    )
    return text.format(names=names)


def _misplaced(
    grids: Mapping[str, Grid], chosen: Mapping[str, slicer.vtkMRMLVolumeNode]
) -> list[str]:
    """Say which volumes could belong exactly on another one, and lie elsewhere."""
    sentences = []
    for first, second in combinations(grids, 2):
        found = image_mismatch(grids[second], grids[first])
        if found is not None:
            one, other = fullName(chosen[second]), fullName(chosen[first])
            text = _("'{one}' has the size of '{other}', but {how}; it may belong exactly there.")
            sentences.append(text.format(one=one, other=other, how=mismatch_text(found)))
    return sentences


def _sentence(
    verdict: Verdict,
    overlap: float,
    model: ModelSummary,
    chosen: Mapping[str, slicer.vtkMRMLVolumeNode],
) -> str:
    texts = {
        Verdict.SAME_GRID: _("All volumes have the same grid."),
        Verdict.SAME_SPACE: _("The volumes have different grids in the same space."),
        Verdict.PARTIAL: _("The volumes overlap in part only ({share} of the smaller one)."),
    }
    sentences = [texts[verdict].format(share=f"{overlap:.0%}")]
    if model.spacing_mm:
        size = millimeters(model.spacing_mm)
        sentences.append(_("They are resampled to {size} on the fly.").format(size=size))
    moved = [fullName(node) for node in chosen.values() if node.GetParentTransformNode()]
    if moved:
        names = ", ".join(moved)
        sentences.append(_("Parent transforms are honored: {names}.").format(names=names))
    return " ".join(sentences)


def _boundingGrid(node: slicer.vtkMRMLVolumeNode) -> Grid:
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    size = np.asarray(node.GetImageData().GetDimensions())
    affine = np.diag([*((high - low) / size), 1.0])
    affine[:3, 3] = low + (high - low) / size / 2
    return grid_from_affine_ras(affine, (int(size[0]), int(size[1]), int(size[2])))
