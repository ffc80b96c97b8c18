"""Other modules that segment: which are installed, and how they get the open case.

They are known by their names alone; nothing of theirs is imported. Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Iterable

import slicer

from MultimodalSlicerLib.segment_editor import openSegmentEditor

TOTAL_SEGMENTATOR = "TotalSegmentator"
# nnInteractive works on what is chosen in Segment Editor, MONAI Label lists images of the scene.
TITLES = {
    "SlicerNNInteractive": "nnInteractive",
    "MONAILabel": "MONAI Label",
    TOTAL_SEGMENTATOR: "TotalSegmentator",
}
_INPUT = "InputVolume"  # the reference of TotalSegmentator's parameter node


def installedNeighbours() -> dict[str, str]:
    """Return the title of every module that is installed, by its name."""
    return {name: title for name, title in TITLES.items() if hasattr(slicer.modules, name.lower())}


def openNeighbour(
    name: str,
    segmentation: slicer.vtkMRMLSegmentationNode,
    volume: slicer.vtkMRMLScalarVolumeNode,
    images: Iterable[slicer.vtkMRMLVolumeNode],
) -> None:
    """Switch to a module with the labels of a case and an image chosen, as far as it can be told.

    TotalSegmentator gets the image only: what it writes into a segmentation would be mixed with the
    labels.

    Args:
        name: The module.
        segmentation: The labels of the case.
        volume: The image.
        images: All images of the case; their views stay as they are.
    """
    if name == TOTAL_SEGMENTATOR:
        node = slicer.util.getModuleLogic(name).getParameterNode()
        node.SetNodeReferenceID(_INPUT, volume.GetID())
    openSegmentEditor(segmentation, volume, images, module=name)
