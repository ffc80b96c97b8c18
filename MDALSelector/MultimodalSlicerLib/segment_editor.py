"""Segment Editor through its node in the scene: works before its panel was ever opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import slicer

from MultimodalSlicerLib.segment_nodes import setShown
from MultimodalSlicerLib.volume_nodes import layersOf, nodesOf, setLayers

TAG, CLASS_NAME = "SegmentEditor", "vtkMRMLSegmentEditorNode"


def openSegmentEditor(
    segmentation: slicer.vtkMRMLSegmentationNode,
    volume: slicer.vtkMRMLScalarVolumeNode,
    images: Iterable[slicer.vtkMRMLVolumeNode],
    *,
    module: str = TAG,
) -> None:
    """Edit a segmentation over an image; views that show an image of the case go on doing so.

    Segment Editor shows a new source volume in all views.

    Args:
        segmentation: What is edited.
        volume: The source volume.
        images: The images of the case.
        module: Segment Editor, or another module that uses its node in the scene.
    """
    own = {image.GetID() for image in images}
    views = nodesOf(segmentation.GetScene(), "vtkMRMLSliceCompositeNode")
    kept = {view: layersOf(view) for view in views if view.GetBackgroundVolumeID() in own}
    setShown(segmentation, True)
    chooseInSegmentEditor(segmentation, volume)
    slicer.util.selectModule(module)
    for view, layers in kept.items():
        setLayers(view, layers)


def chooseInSegmentEditor(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Let Segment Editor show a segmentation over an image when it is opened; no view changes."""
    scene = segmentation.GetScene()
    views = nodesOf(scene, "vtkMRMLSliceCompositeNode")
    kept = {view: layersOf(view) for view in views}
    node = scene.GetSingletonNode(TAG, CLASS_NAME)
    if node is None:
        node = scene.CreateNodeByClass(CLASS_NAME)
        node.UnRegister(None)
        node.SetSingletonTag(TAG)
        node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(segmentation)
    node.SetAndObserveSourceVolumeNode(volume)
    for view, layers in kept.items():
        setLayers(view, layers)


def leaveSegmentEditors(scene: slicer.vtkMRMLScene, nodes: Collection[slicer.vtkMRMLNode]) -> None:
    """Let all segment editors go of nodes that are about to be removed.

    They would take other images for the source volume by themselves, which Slicer logs as an error
    once there is no segmentation.

    Args:
        scene: The scene.
        nodes: The nodes.
    """
    for editor in nodesOf(scene, CLASS_NAME):
        if editor.GetSourceVolumeNode() in nodes:  # first: its list is not followed without labels
            editor.SetAndObserveSourceVolumeNode(None)
        if editor.GetSegmentationNode() in nodes:
            editor.SetAndObserveSegmentationNode(None)
