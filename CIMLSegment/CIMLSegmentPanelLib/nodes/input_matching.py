"""The volume of every modality of a model: chosen by the user, or found in the scene.

Found by name and DICOM attributes.

Must not import Qt. Nothing is guessed: where two volumes could be meant, none is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.task.task import Task
from CIMLSegmentPanelLib.nodes.model_summary import ModelSummary
from CIMLSegmentPanelLib.nodes.result_facts import MAP_ATTRIBUTE
from MultimodalImagingLib.cohorts.file_names import plain_one
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    ModalityPattern,
    ModalityPatterns,
    normalized_name,
)
from MultimodalSlicerLib.cohort_nodes import fullName
from MultimodalSlicerLib.volume_nodes import nodesOf, subjectHierarchy, volumeProblem

if TYPE_CHECKING:
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode

MAX_INPUTS = 8  # rows of the panel
DICOM_KINDS = {"MR": "MR", "CT": "CT", "PT": "PET"}


@dataclass(frozen=True)
class InputMatch:
    """What was found.

    Attributes:
        nodes: The one volume per modality that it can be.
        notes: Why none was chosen, one sentence per other modality.
    """

    nodes: Mapping[str, slicer.vtkMRMLVolumeNode]
    notes: Mapping[str, str]


def matchVolumes(scene: slicer.vtkMRMLScene, task: Task) -> InputMatch:
    """Find the volume of every modality of a task among the images of a scene.

    Beside `T1_bias` the plain `T1` is the one, as in cohorts.
    """
    candidates = _candidates(scene, task)
    nodes = {name: found[0] for name, found in candidates.items() if len(found) == 1}
    notes = {
        name: _note(name, found, isPrimary=name in task.primaries)
        for name, found in candidates.items()
        if len(found) != 1
    }
    return InputMatch(nodes, notes)


def chosenVolumes(
    parameters: CIMLSegmentParameterNode, model: ModelSummary
) -> dict[str, slicer.vtkMRMLNode | None]:
    """Return the chosen volume of every modality of a model.

    Raises:
        ValueError: If the model has more modalities than the panel has rows.
    """
    if len(model.modalities) > MAX_INPUTS:
        text = _(
            "The model has {n} modalities, this panel has room for {most}. Use the command line"
            " for it."
        )
        raise ValueError(text.format(n=len(model.modalities), most=MAX_INPUTS))
    return {
        name: getattr(parameters, f"volume{n}") for n, name in enumerate(model.modalities, start=1)
    }


def fillVolumes(
    parameters: CIMLSegmentParameterNode,
    model: ModelSummary,
    *,
    replaces: bool,
    only: Sequence[str] | None = None,
) -> InputMatch:
    """Choose volumes by name.

    Args:
        parameters: Receives the volumes.
        model: The model that gets them.
        replaces: Whether chosen volumes may be replaced.
        only: IDs of the volumes that may be chosen now; all by default.
    """
    match = matchVolumes(parameters.parameterNode.GetScene(), model.task)
    with slicer.util.NodeModify(parameters):
        for index, modality in enumerate(model.modalities[:MAX_INPUTS], start=1):
            node = match.nodes.get(modality)
            isAllowed = only is None or (node is not None and node.GetID() in only)
            if isAllowed and (replaces or getattr(parameters, f"volume{index}") is None):
                setattr(parameters, f"volume{index}", node)
    return match


def modalityOfName(name: str, task: Task) -> str | None:
    """Return the modality that a name says; `None` if it says none, or several."""
    return _patterns(task).match(name).target


def imageNodes(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLVolumeNode]:
    """Yield the images of a scene that can be segmented; maps of results are none."""
    for node in nodesOf(scene, "vtkMRMLScalarVolumeNode"):
        isOwn = node.GetAttribute(MAP_ATTRIBUTE) is not None
        if not isOwn and not node.GetHideFromEditors() and volumeProblem(node) is None:
            yield node


def _candidates(
    scene: slicer.vtkMRMLScene, task: Task
) -> dict[str, list[slicer.vtkMRMLVolumeNode]]:
    images = list(imageNodes(scene))
    byName: dict[str, list[slicer.vtkMRMLVolumeNode]] = {name: [] for name in task.modalities}
    silent = []
    for node in images:
        modality = modalityOfName(fullName(node), task)
        if modality in byName:
            byName[modality].append(node)
        elif modality is None:
            silent.append(node)
    for modality, found in byName.items():
        plain = plain_one([fullName(node) for node in found]) if len(found) > 1 else None
        if plain is not None:
            byName[modality] = [found[plain]]
    for modality, found in byName.items():
        kind = task.modalities[modality]
        isOnlyOne = list(task.modalities.values()).count(kind) == 1
        if not found and isOnlyOne:
            found += [node for node in silent if _dicomKind(node) == kind]
    return byName


def _patterns(task: Task) -> ModalityPatterns:
    """The usual table; names that it does not know stand for themselves."""
    known = {row.target for row in DEFAULT_PATTERNS.rows}
    own = [name for name in task.modalities if name not in known]
    rows = [ModalityPattern(re.escape(normalized_name(name)), name) for name in own]
    return DEFAULT_PATTERNS.with_first(rows)


def _dicomKind(node: slicer.vtkMRMLVolumeNode) -> str | None:
    hierarchy = subjectHierarchy(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    modality = hierarchy.GetItemAttribute(item, name) if item else ""
    return DICOM_KINDS.get(modality or node.GetAttribute(name) or "")


def _note(modality: str, found: Sequence[slicer.vtkMRMLVolumeNode], *, isPrimary: bool) -> str:
    if found:
        names = ", ".join(f"'{fullName(node)}'" for node in found)
        text = _("These could be {modality}: {names}. Choose one.")
        return text.format(names=names, modality=modality)
    if isPrimary:
        text = _("No volume is named like {modality}. Choose one.")
    else:
        text = _("No volume is named like {modality}. Choose one, or go on without it.")
    return text.format(modality=modality)
