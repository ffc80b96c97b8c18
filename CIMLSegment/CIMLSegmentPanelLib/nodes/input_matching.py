"""Finds in the scene the volume of every modality of a model, by name and DICOM attributes.

Must not import Qt. Nothing is guessed: where two volumes could be meant, none is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.task.task import Task
from CIMLSegmentPanelLib.nodes.result_nodes import MAP_ATTRIBUTE
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    ModalityPattern,
    ModalityPatterns,
    normalized_name,
)
from MultimodalSlicerLib.volume_nodes import subjectHierarchy, volumeProblem

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
    """Find the volume of every modality of a task among the images of a scene."""
    candidates = _candidates(scene, task)
    nodes = {name: found[0] for name, found in candidates.items() if len(found) == 1}
    notes = {
        name: _note(name, found, isPrimary=name in task.primaries)
        for name, found in candidates.items()
        if len(found) != 1
    }
    return InputMatch(nodes, notes)


def modalityOfName(name: str, task: Task) -> str | None:
    """Return the modality that a name says; `None` if it says none, or several."""
    return _patterns(task).match(name).target


def imageNodes(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLVolumeNode]:
    """Yield the images of a scene that can be segmented; maps of results are none."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")
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
        modality = modalityOfName(node.GetName(), task)
        if modality in byName:
            byName[modality].append(node)
        elif modality is None:
            silent.append(node)
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
        names = ", ".join(f"'{node.GetName()}'" for node in found)
        text = _("These could be {modality}: {names}. Choose one.")
        return text.format(names=names, modality=modality)
    if isPrimary:
        text = _("No volume is named like {modality}. Choose one.")
    else:
        text = _("No volume is named like {modality}. Choose one, or go on without it.")
    return text.format(modality=modality)
