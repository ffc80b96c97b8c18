"""A result put into the scene: segments and tables; and what is removed with it.

Must not import Qt.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.result_facts import (
    CHANGED_COLUMN,
    CONTRIBUTION_COLUMNS,
    IMAGE_ROLE,
    INFLUENCE_COLUMNS,
    MAP_ROLE,
    RESULT_ATTRIBUTE,
    TABLE_ATTRIBUTE,
    TABLE_ROLE,
    ResultFacts,
    isResult,
)
from CIMLSegmentPanelLib.nodes.result_folder import addToResult, removeFromResult
from MultimodalSlicerLib.segment_nodes import segmentationFromFile, segmentVolumesMl
from MultimodalSlicerLib.table_nodes import setColumns
from MultimodalSlicerLib.volume_nodes import placeBeside

if TYPE_CHECKING:
    from CIMLSegmentLib.results.segmentation_result import StoredResult


def addResult(
    target: slicer.vtkMRMLSegmentationNode,
    result: StoredResult,
    images: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
    *,
    resolution: str = "",
) -> None:
    """Put a result into a segmentation, with its tables beside it.

    Args:
        target: Receives the segments in place of those that it has.
        result: The result.
        images: Image per modality that is in the scene.
        resolution: Finest detail of the maps, as text.

    Raises:
        ValueError: If the file cannot be read. The scene is then unchanged.
    """
    scene = target.GetScene()
    loaded = _readSegmentation(scene, result.segmentation)
    removeResult(target)
    with slicer.util.NodeModify(target):
        target.GetSegmentation().DeepCopy(loaded)
        target.CreateDefaultDisplayNodes()
        _setReference(target, images.get(result.primary))
        _setFacts(target, result, tuple(images), resolution)
        for index, node in enumerate(images.values()):
            target.SetNodeReferenceID(f"{IMAGE_ROLE}{index}", node.GetID())
    if result.primary in images:
        placeBeside(target, images[result.primary])
    _addTables(target, result)


def removeResult(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove what belongs to a result, but not its segmentation."""
    if not isResult(node):
        return
    removeFromResult(node, (MAP_ROLE, TABLE_ROLE))
    for role in _imageRoles(node):
        node.RemoveNodeReferenceIDs(role)
    node.RemoveAttribute(RESULT_ATTRIBUTE)


def _imageRoles(node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Return the roles of the images, whatever the notes of the result say."""
    roles = [
        node.GetNthNodeReferenceRole(index) for index in range(node.GetNumberOfNodeReferenceRoles())
    ]
    return [role for role in roles if role.startswith(IMAGE_ROLE)]


def _readSegmentation(scene: slicer.vtkMRMLScene, path: Path) -> slicer.vtkSegmentation:
    """Read the segments without leaving a node, so that the scene's file has its own copy."""
    with segmentationFromFile(scene, path) as node:
        if node is None:
            text = _("The segmentation {path} cannot be read. Segment the case again.")
            raise ValueError(text.format(path=path))
        segmentation = slicer.vtkSegmentation()
        segmentation.DeepCopy(node.GetSegmentation())
        return segmentation


def _setReference(
    target: slicer.vtkMRMLSegmentationNode, primary: slicer.vtkMRMLScalarVolumeNode | None
) -> None:
    """The file brought the geometry; where the image was not bent, its node may give it."""
    if primary is None:
        return
    transform = primary.GetParentTransformNode()
    if transform is None or transform.IsTransformToWorldLinear():
        target.SetReferenceImageGeometryParameterFromVolumeNode(primary)
    else:
        role = target.GetReferenceImageGeometryReferenceRole()
        target.SetNodeReferenceID(role, primary.GetID())


def _setFacts(
    target: slicer.vtkMRMLSegmentationNode,
    result: StoredResult,
    modalities: tuple[str, ...],
    resolution: str,
) -> None:
    facts = ResultFacts(
        case=result.case_id,
        folder=str(result.folder),
        primary=result.primary,
        modalities=modalities,
        missing=result.missing,
        resolution=resolution,
        files=tuple((item.path.name, item.maximum, item.key) for item in result.maps),
        warnings=result.warnings,
    )
    target.SetAttribute(RESULT_ATTRIBUTE, json.dumps(asdict(facts)))


def _addTables(target: slicer.vtkMRMLSegmentationNode, result: StoredResult) -> None:
    rows = [
        (item.region, item.primary, item.auxiliary, item.nats, _number(item.share))
        for item in result.contributions
    ]
    _addTable(target, f"{result.case_id} contributions", _columns(CONTRIBUTION_COLUMNS, rows))
    if result.influences:
        changes = [
            (
                *(e.region, e.primary, e.auxiliary, e.added_ml, e.removed_ml),
                *(_number(e.share), _number(e.changed_voxels)),
            )
            for e in result.influences
        ]
        names = (*INFLUENCE_COLUMNS, CHANGED_COLUMN)
        _addTable(target, f"{result.case_id} influence", _columns(names, changes))
    volumes = segmentVolumesMl(target)
    segments = target.GetSegmentation()
    columns = {
        "segment": [segments.GetSegment(item).GetName() for item in volumes],
        "volume (ml)": list(volumes.values()),
    }
    _addTable(target, f"{result.case_id} volumes", columns)


def _columns(
    names: Sequence[str], rows: Sequence[Sequence[str | float]]
) -> dict[str, Sequence[str | float]]:
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _addTable(
    target: slicer.vtkMRMLSegmentationNode,
    name: str,
    columns: Mapping[str, Sequence[str | float]],
) -> None:
    table = target.GetScene().AddNewNodeByClass("vtkMRMLTableNode", name)
    table.SetAttribute(TABLE_ATTRIBUTE, "1")
    setColumns(table, columns)
    addToResult(target, TABLE_ROLE, table)
