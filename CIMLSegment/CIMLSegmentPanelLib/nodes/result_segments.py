"""The segments of a result: measured, shown over their images and in 3-D, edited.

Must not import Qt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.result_facts import resultFacts, resultImages, resultNodes
from MultimodalSlicerLib.case_opening import beginWithResult
from MultimodalSlicerLib.cohort_nodes import sourceFile
from MultimodalSlicerLib.drafts import beginsFreely, isDraft
from MultimodalSlicerLib.map_display import COMPOSITE, jumpSlices
from MultimodalSlicerLib.open_case import OpenCase, openCaseOf
from MultimodalSlicerLib.segment_editor import openSegmentEditor
from MultimodalSlicerLib.segment_nodes import segmentVolumesMl, setShown
from MultimodalSlicerLib.volume_nodes import nodesOf


@dataclass(frozen=True)
class SegmentRow:
    """One segment.

    Attributes:
        segmentID: Its ID.
        name: Display name.
        color: Red, green, blue, 0 to 1.
        volumeMl: Volume in ml.
        code: Standard code in words; empty if it has none.
    """

    segmentID: str
    name: str
    color: tuple[float, float, float]
    volumeMl: float
    code: str


def segmentRows(node: slicer.vtkMRMLSegmentationNode | None) -> list[SegmentRow]:
    """Measure the segments of a segmentation as they are now; empty without one."""
    if node is None:
        return []
    segments = node.GetSegmentation()
    return [
        SegmentRow(identity, segment.GetName(), segment.GetColor(), volumeMl, codeInWords(segment))
        for identity, volumeMl in segmentVolumesMl(node).items()
        for segment in (segments.GetSegment(identity),)
    ]


def codeInWords(segment: slicer.vtkSegment) -> str:
    """Return type and anatomic region of a segment's standard code, for example `Mass, Brain`.

    The tag is seven parts with `~` between them: context, category, type, modifier, context,
    region, modifier; a part is scheme, value and meaning with `^` between them.
    """
    tag = vtk.reference("")
    if not segment.GetTag(segment.GetTerminologyEntryTagName(), tag):
        return ""
    parts = str(tag).split("~")
    codes = [parts[index].split("^") for index in (2, 5) if index < len(parts)]
    return ", ".join(code[2] for code in codes if len(code) == 3 and code[2])


def isShown3D(node: slicer.vtkMRMLSegmentationNode | None) -> bool:
    """Tell whether the segments have surfaces that are shown."""
    if node is None or node.GetDisplayNode() is None:
        return False
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    isMade = node.GetSegmentation().ContainsRepresentation(name)
    return bool(isMade and node.GetDisplayNode().GetVisibility3D())


def toggle3D(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Show the segments in 3-D views, or hide them there."""
    isShown = isShown3D(node)
    if not isShown:
        node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetVisibility3D(not isShown)


def editSegments(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Edit the segments in Segment Editor, over the primary image.

    Of the open case of a cohort, its labels are edited: a draft of this result where nobody has
    made any. The result stays as it is.

    Raises:
        ValueError: If the image is gone, or the files of the result cannot be read.
    """
    images = resultImages(node)
    image = images.get(resultFacts(node).primary) or next(iter(images.values()), None)
    if image is None:
        raise ValueError(_("The images of this result are not in the scene any more."))
    labels = _labelsOfCase(node)
    if labels is not None:
        setShown(node, False)
    openSegmentEditor(labels or node, image, images.values())


def offerResult(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Let the labels of the open case begin with a result, if it is one of that case."""
    opened = openCaseOf(node.GetScene())
    if _isOfOpenCase(node, opened):
        images = map(sourceFile, opened.loader.volumes().values())
        opened.offered |= dict.fromkeys(images, Path(resultFacts(node).folder))


def _labelsOfCase(
    node: slicer.vtkMRMLSegmentationNode,
) -> slicer.vtkMRMLSegmentationNode | None:
    """Return the labels of the open case that a result is of; `None` if it is of none."""
    opened, folder = openCaseOf(node.GetScene()), Path(resultFacts(node).folder)
    if not _isOfOpenCase(node, opened):
        return None
    labels = opened.loader.segmentation()
    if beginsFreely(labels) and not isDraft(labels) and folder.is_dir():
        beginWithResult(opened, folder)
    labels = opened.loader.segmentation()
    isEmpty = labels is None or labels.GetSegmentation().GetNumberOfSegments() == 0
    return None if isEmpty else labels


def _isOfOpenCase(node: slicer.vtkMRMLSegmentationNode, opened: OpenCase) -> bool:
    own = list(opened.loader.volumes().values())
    images = list(resultImages(node).values())
    return bool(images) and all(image in own for image in images)


def showOverOwnImages(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Show a result over an image of its case, and no result of another case in the same views.

    Views that show an image of the case already stay as they are.
    """
    scene, images = node.GetScene(), resultImages(node)
    own = {image.GetID() for image in images.values()}
    backgrounds = {view.GetBackgroundVolumeID() for view in nodesOf(scene, COMPOSITE)}
    primary = images.get(resultFacts(node).primary)
    if primary is not None and not backgrounds & own:
        slicer.util.setSliceViewerLayers(background=primary, foreground=None, label=None, fit=True)
    for other in resultNodes(scene):
        foreign = {image.GetID() for image in resultImages(other).values()}
        if other is not node and not foreign & own and other.GetDisplayNode() is not None:
            other.GetDisplayNode().SetVisibility(False)


def jumpToSegments(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Move the slices to the first segment that has voxels."""
    centers = (node.GetSegmentCenterRAS(item) for item in node.GetSegmentation().GetSegmentIDs())
    center = next((found for found in centers if found is not None), None)
    if center is not None:
        jumpSlices(node.GetScene(), center)
