"""What slice views and a segmentation showed, kept as text, so that it comes back as it was.

Must not import Qt.
"""

from __future__ import annotations

import json
from typing import Any

import slicer

from MultimodalSlicerLib.map_display import COMPOSITE, SLICE
from MultimodalSlicerLib.volume_nodes import layersOf, nodesOf, setLayers


def viewState(
    scene: slicer.vtkMRMLScene, segmentation: slicer.vtkMRMLSegmentationNode | None
) -> str:
    """Note what all slice views show, and how a segmentation is drawn in them."""
    layout = _layoutNode(scene)
    state = {
        "layers": {node.GetID(): layersOf(node) for node in nodesOf(scene, COMPOSITE)},
        "places": {node.GetID(): _place(node) for node in nodesOf(scene, SLICE)},
        "segments": {},
        "arrangement": None if layout is None else layout.GetViewArrangement(),
    }
    if segmentation is not None:
        state["segments"] = {segmentation.GetID(): segmentsState(segmentation)}
    return json.dumps(state)


def restoreViewState(scene: slicer.vtkMRMLScene, text: str) -> None:
    """Bring back what was noted, as far as it is still in the scene."""
    state = json.loads(text)
    for node in nodesOf(scene, COMPOSITE):
        if node.GetID() in state["layers"]:
            setLayers(node, state["layers"][node.GetID()])
    for node in nodesOf(scene, SLICE):
        if node.GetID() in state["places"]:
            _setPlace(node, *state["places"][node.GetID()])
    for identity, segments in state["segments"].items():
        node = scene.GetNodeByID(identity)
        if node is not None:
            setSegmentsState(node, segments)
    layout, arrangement = _layoutNode(scene), state["arrangement"]
    if layout is not None and arrangement is not None and layout.IsLayoutDescription(arrangement):
        layout.SetViewArrangement(arrangement)


def formerArrangement(text: str) -> int:
    """Return the number of the layout that was noted; 0 if there was none."""
    return int(json.loads(text)["arrangement"] or 0)


def segmentsState(segmentation: slicer.vtkMRMLSegmentationNode) -> dict[str, Any]:
    """Note how a segmentation is drawn in slice views."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    segments = segmentation.GetSegmentation().GetSegmentIDs()
    return {
        "visible": bool(display.GetVisibility()),
        "fill": bool(display.GetVisibility2DFill()),
        "outline": bool(display.GetVisibility2DOutline()),
        "opacity": display.GetOpacity2DOutline(),
        "thickness": display.GetSliceIntersectionThickness(),
        "segments": {item: bool(display.GetSegmentVisibility(item)) for item in segments},
    }


def setSegmentsState(segmentation: slicer.vtkMRMLSegmentationNode, state: dict[str, Any]) -> None:
    """Draw a segmentation as it was noted."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetVisibility(state["visible"])
        display.SetVisibility2DFill(state["fill"])
        display.SetVisibility2DOutline(state["outline"])
        display.SetOpacity2DOutline(state["opacity"])
        display.SetSliceIntersectionThickness(state["thickness"])
        for item, isVisible in state["segments"].items():
            if segmentation.GetSegmentation().GetSegment(item) is not None:
                display.SetSegmentVisibility(item, isVisible)


def _layoutNode(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLLayoutNode | None:
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def _place(node: slicer.vtkMRMLSliceNode) -> list[list[float]]:
    values = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).ravel().tolist()
    return [values, list(node.GetFieldOfView()), list(node.GetXYZOrigin())]


def _setPlace(
    node: slicer.vtkMRMLSliceNode, values: list[float], field: list[float], origin: list[float]
) -> None:
    with slicer.util.NodeModify(node):
        node.GetSliceToRAS().DeepCopy(values)
        node.SetFieldOfView(*field)
        node.SetXYZOrigin(*origin)
        node.UpdateMatrices()
