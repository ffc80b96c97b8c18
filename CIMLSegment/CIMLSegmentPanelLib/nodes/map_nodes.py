"""The maps of a result: read into the scene on request, and removed again. Must not import Qt."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKey
from CIMLSegmentPanelLib.nodes.result_facts import MAP_ATTRIBUTE, MAP_ROLE, resultFacts
from CIMLSegmentPanelLib.nodes.result_folder import addToResult, nodesOfResult, removeFromResult
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalSlicerLib.patience import inThread
from MultimodalSlicerLib.volume_nodes import addVolume


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
    return nodesOfResult(node, MAP_ROLE)


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
    """Return the largest value of a map, whatever its sign; 0 if the result has no such map."""
    return next((top for _name, top, other in resultFacts(node).files if other == key), 0.0)


def removeMaps(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove the maps of a result from the scene; they can be read again."""
    removeFromResult(node, (MAP_ROLE,))


def _keyText(key: MapKey) -> str:
    return json.dumps(asdict(key))


def _addMap(
    node: slicer.vtkMRMLSegmentationNode, key: MapKey, path: Path
) -> slicer.vtkMRMLScalarVolumeNode:
    region = node.GetSegmentation().GetSegment(key.region or "")
    title = key.title(region.GetName() if region else "")
    scene = node.GetScene()
    read = inThread(partial(read_volume, ImageFile(path)), openCaseOf(scene).breathe)
    if node.GetScene() is not scene:
        text = _("The result was removed while its map '{title}' was read. Open it again.")
        raise ValueError(text.format(title=title))
    top = scaleTop(node, key.kind)
    window = (-top if MAP_KINDS[key.kind].is_signed else 0.0, top)
    volume = addVolume(scene, read, scene.GenerateUniqueName(title), window)
    volume.SetAttribute(MAP_ATTRIBUTE, _keyText(key))
    addToResult(node, MAP_ROLE, volume)
    return volume
