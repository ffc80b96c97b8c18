"""What is known of a result in the scene: facts, images and contributions. Must not import Qt.

The segmentation node knows all the rest by references and one attribute, so that a scene that was
saved knows it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.segmentation_result import Contribution, Influence
from MultimodalSlicerLib.table_nodes import columnsOf
from MultimodalSlicerLib.volume_nodes import nodesOf

RESULT_ATTRIBUTE = "CIMLSegment.Result"
MAP_ATTRIBUTE, TABLE_ATTRIBUTE = "CIMLSegment.Map", "CIMLSegment.Table"
IMAGE_ROLE, TABLE_ROLE, MAP_ROLE = "CIMLSegment.Image", "CIMLSegment.Table", "CIMLSegment.Maps"
CONTRIBUTION_COLUMNS = ("region", "primary", "auxiliary", "information (nats)", "share")

INFLUENCE_COLUMNS = ("region", "primary", "auxiliary", "added (ml)", "removed (ml)", "share")
CHANGED_COLUMN = "changed (voxels)"  # scenes of before lack it


@dataclass(frozen=True)
class ResultFacts:
    """What a result is, kept with its segmentation.

    Attributes:
        case: The case.
        folder: Where its files were.
        primary: The modality whose grid it has.
        modalities: Modalities with an image, in the order of the references.
        missing: Auxiliaries that the case lacked.
        resolution: Finest detail of the maps, as text in mm; may be empty.
        files: File name, largest value and key of every map.
        warnings: What the user should know.
    """

    case: str
    folder: str
    primary: str
    modalities: tuple[str, ...]
    missing: tuple[str, ...]
    resolution: str
    files: tuple[tuple[str, float, MapKey], ...]
    warnings: tuple[str, ...]


def resultNodes(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLSegmentationNode]:
    """Return the segmentations of a scene that are results."""
    nodes = nodesOf(scene, "vtkMRMLSegmentationNode")
    return [node for node in nodes if isResult(node)]


def isResult(node: slicer.vtkMRMLNode | None) -> bool:
    """Tell whether a node is the segmentation of a result."""
    return node is not None and bool(node.GetAttribute(RESULT_ATTRIBUTE))


def resultFacts(node: slicer.vtkMRMLSegmentationNode) -> ResultFacts:
    """Return what a result is.

    Raises:
        ValueError: If the attribute was edited and cannot be read.
    """
    try:
        data = json.loads(node.GetAttribute(RESULT_ATTRIBUTE))
        files = tuple((name, top, MapKey(**key)) for name, top, key in data.pop("files"))
        texts: dict[str, Any] = {
            name: tuple(data.pop(name)) for name in ("modalities", "missing", "warnings")
        }
        return ResultFacts(files=files, **texts, **data)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        text = _("The notes of the result '{name}' cannot be read. Segment again.")
        raise ValueError(text.format(name=node.GetName())) from error


def resultImages(
    node: slicer.vtkMRMLSegmentationNode,
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Return the images of a result that are still in the scene, by modality."""
    found = {
        modality: node.GetNodeReference(f"{IMAGE_ROLE}{index}")
        for index, modality in enumerate(resultFacts(node).modalities)
    }
    return {modality: image for modality, image in found.items() if image is not None}


def resultContributions(node: slicer.vtkMRMLSegmentationNode) -> list[Contribution]:
    """Return the modality contributions; empty if there are none, or their table was deleted."""
    return [
        Contribution(region, primary, auxiliary, nats, _known(share))
        for region, primary, auxiliary, nats, share in _tableRows(node, CONTRIBUTION_COLUMNS)
    ]


def resultInfluences(node: slicer.vtkMRMLSegmentationNode) -> list[Influence]:
    """Return what changed in the prediction; empty if unknown, or if the table was deleted."""
    rows = list(_tableRows(node, (*INFLUENCE_COLUMNS, CHANGED_COLUMN)))
    rows = rows or [(*row, math.nan) for row in _tableRows(node, INFLUENCE_COLUMNS)]
    return [
        Influence(
            region,
            primary,
            auxiliary,
            added,
            removed,
            _known(share),
            None if math.isnan(changed) else round(changed),
        )
        for region, primary, auxiliary, added, removed, share, changed in rows
    ]


def _tableRows(
    node: slicer.vtkMRMLSegmentationNode, columns: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the table of a result that has some columns."""
    count = node.GetNumberOfNodeReferences(TABLE_ROLE)
    tables = [node.GetNthNodeReference(TABLE_ROLE, index) for index in range(count)]
    found = [columnsOf(table) for table in tables if table is not None]
    own = next((item for item in found if set(columns) <= set(item)), None)
    if own is not None:
        yield from zip(*(own[name] for name in columns), strict=True)


def _known(share: float) -> float | None:
    return None if math.isnan(share) else share
