"""A result in the scene: segments, tables and, on request, maps.

Must not import Qt. The segmentation node knows all the rest by references and one attribute, so
that a scene that was saved knows it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKey
from CIMLSegmentLib.results.segmentation_result import Contribution
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalSlicerLib.segment_nodes import segmentVolumesMl
from MultimodalSlicerLib.table_nodes import columnsOf, setColumns
from MultimodalSlicerLib.volume_nodes import (
    addVolume,
    placeBeside,
    placeInFolder,
    removeNode,
    subjectHierarchy,
)

if TYPE_CHECKING:
    from CIMLSegmentLib.results.segmentation_result import StoredResult

RESULT_ATTRIBUTE = "CIMLSegment.Result"
MAP_ATTRIBUTE = "CIMLSegment.Map"
IMAGE_ROLE, TABLE_ROLE, MAP_ROLE = "CIMLSegment.Image", "CIMLSegment.Table", "CIMLSegment.Maps"


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


def resultNodes(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLSegmentationNode]:
    """Yield the segmentations of a scene that are results."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode")
        if isResult(node):
            yield node


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
    except (TypeError, ValueError, KeyError) as error:
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
    """Return the modality contributions; empty if the user removed their table."""
    table = node.GetNthNodeReference(TABLE_ROLE, 0)
    if table is None:
        return []
    columns = columnsOf(table)
    rows = zip(*(columns[name] for name in _COLUMNS), strict=True)
    return [
        Contribution(region, primary, auxiliary, nats, None if math.isnan(share) else share)
        for region, primary, auxiliary, nats, share in rows
    ]


def mapNode(node: slicer.vtkMRMLSegmentationNode, key: MapKey) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume of a map, read from its file when it is wanted for the first time.

    Raises:
        ValueError: If the result has no such map, or its file is gone.
    """
    for existing in mapNodes(node):
        if existing.GetAttribute(MAP_ATTRIBUTE) == _keyText(key):
            return existing
    facts = resultFacts(node)
    name = next((name for name, _top, other in facts.files if other == key), None)
    if name is None:
        text = _("This result has no map '{title}'. Segment again with such maps.")
        raise ValueError(text.format(title=key.title()))
    path = Path(facts.folder) / name
    if not path.is_file():
        text = _(
            "The file of the map '{title}' is not there any more ({path}). Segment again,"
            " or choose a folder that keeps results."
        )
        raise ValueError(text.format(title=key.title(), path=path))
    return _addMap(node, key, path)


def mapNodes(node: slicer.vtkMRMLSegmentationNode) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the maps of a result that are in the scene."""
    count = node.GetNumberOfNodeReferences(MAP_ROLE)
    found = [node.GetNthNodeReference(MAP_ROLE, index) for index in range(count)]
    return [item for item in found if item is not None]


def keyOf(node: slicer.vtkMRMLScalarVolumeNode) -> MapKey:
    """Return which map a volume of `mapNodes` is."""
    return MapKey(**json.loads(node.GetAttribute(MAP_ATTRIBUTE)))


def scaleTop(node: slicer.vtkMRMLSegmentationNode, kind: str) -> float:
    """Return the upper end of the scale that all maps of a kind share."""
    fixed = MAP_KINDS[kind].top
    if fixed is not None:
        return fixed
    tops = [top for _name, top, key in resultFacts(node).files if key.kind == kind]
    return max(tops, default=1.0) or 1.0


def mapTop(node: slicer.vtkMRMLSegmentationNode, key: MapKey) -> float:
    """Return the largest value of a map; 0 if the result has no such map."""
    return next((top for _name, top, other in resultFacts(node).files if other == key), 0.0)


def removeMaps(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove the maps of a result from the scene; they can be read again."""
    hierarchy = subjectHierarchy(node.GetScene())
    folder = _mapFolder(node)
    for item in mapNodes(node):
        removeNode(item)
    node.RemoveNodeReferenceIDs(MAP_ROLE)
    if folder and hierarchy.GetNumberOfItemChildren(folder) == 0:
        hierarchy.RemoveItem(folder)


def removeResult(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove what belongs to a result, but not its segmentation."""
    if not isResult(node):
        return
    removeMaps(node)
    count = node.GetNumberOfNodeReferences(TABLE_ROLE)
    tables = [node.GetNthNodeReference(TABLE_ROLE, index) for index in range(count)]
    for table in tables:
        if table is not None:
            removeNode(table)
    for index in range(len(resultFacts(node).modalities)):
        node.RemoveNodeReferenceIDs(f"{IMAGE_ROLE}{index}")
    node.RemoveNodeReferenceIDs(TABLE_ROLE)
    node.RemoveAttribute(RESULT_ATTRIBUTE)


_COLUMNS = ("region", "primary", "auxiliary", "information (nats)", "share")


def _readSegmentation(scene: slicer.vtkMRMLScene, path: Path) -> slicer.vtkSegmentation:
    """Read the segments without leaving a node, so that the scene's file has its own copy."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    try:
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            text = _("The segmentation {path} cannot be read. Segment the case again.")
            raise ValueError(text.format(path=path))
        segmentation = slicer.vtkSegmentation()
        segmentation.DeepCopy(node.GetSegmentation())
        return segmentation
    finally:
        scene.RemoveNode(storage)
        removeNode(node)


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


def _keyText(key: MapKey) -> str:
    return json.dumps(asdict(key))


def _addTables(target: slicer.vtkMRMLSegmentationNode, result: StoredResult) -> None:
    contributions = result.contributions
    shares = [math.nan if item.share is None else item.share for item in contributions]
    values: Sequence[Sequence[str | float]] = (
        [item.region for item in contributions],
        [item.primary for item in contributions],
        [item.auxiliary for item in contributions],
        [item.nats for item in contributions],
        shares,
    )
    _addTable(target, f"{result.case_id} contributions", dict(zip(_COLUMNS, values, strict=True)))
    volumes = segmentVolumesMl(target)
    segments = target.GetSegmentation()
    columns = {
        "segment": [segments.GetSegment(item).GetName() for item in volumes],
        "volume (ml)": list(volumes.values()),
    }
    _addTable(target, f"{result.case_id} volumes", columns)


def _addTable(
    target: slicer.vtkMRMLSegmentationNode,
    name: str,
    columns: Mapping[str, Sequence[str | float]],
) -> None:
    scene = target.GetScene()
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(name))
    setColumns(table, columns)
    target.AddNodeReferenceID(TABLE_ROLE, table.GetID())
    placeBeside(table, target)


def _addMap(
    node: slicer.vtkMRMLSegmentationNode, key: MapKey, path: Path
) -> slicer.vtkMRMLScalarVolumeNode:
    region = node.GetSegmentation().GetSegment(key.region or "")
    title = key.title(region.GetName() if region else "")
    scene = node.GetScene()
    volume = addVolume(scene, read_volume(ImageFile(path)), scene.GenerateUniqueName(title))
    volume.SetAttribute(MAP_ATTRIBUTE, _keyText(key))
    placeInFolder(volume, _mapFolder(node) or _newMapFolder(node))
    node.AddNodeReferenceID(MAP_ROLE, volume.GetID())
    return volume


def _mapFolder(node: slicer.vtkMRMLSegmentationNode) -> int:
    """Item of the folder that holds the maps of a result; 0 if none is in the scene."""
    hierarchy = subjectHierarchy(node.GetScene())
    parents = (hierarchy.GetItemParent(hierarchy.GetItemByDataNode(m)) for m in mapNodes(node))
    return next((item for item in parents if hierarchy.GetItemAttribute(item, MAP_ATTRIBUTE)), 0)


def _newMapFolder(node: slicer.vtkMRMLSegmentationNode) -> int:
    hierarchy = subjectHierarchy(node.GetScene())
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    folder = hierarchy.CreateFolderItem(parent, f"{node.GetName()} maps")
    hierarchy.SetItemAttribute(folder, MAP_ATTRIBUTE, "1")
    return int(folder)
