"""Segment Editor through its node in the scene: works before its panel was ever opened."""

from __future__ import annotations

import slicer

TAG, CLASS_NAME = "SegmentEditor", "vtkMRMLSegmentEditorNode"


def chooseInSegmentEditor(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Let Segment Editor show a segmentation over an image when it is opened."""
    scene = segmentation.GetScene()
    node = scene.GetSingletonNode(TAG, CLASS_NAME)
    if node is None:
        node = scene.CreateNodeByClass(CLASS_NAME)
        node.UnRegister(None)
        node.SetSingletonTag(TAG)
        node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(segmentation)
    node.SetAndObserveSourceVolumeNode(volume)
