"""Label maps to segmentations of the scene: names, colors, terminology, volumes, outlines.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util import numpy_support

from MultimodalImagingLib.images.geometry import Volume, is_same_grid
from MultimodalSlicerLib.volume_nodes import gridFromNode


@dataclass(frozen=True)
class SegmentStyle:
    """How one label becomes a segment.

    Attributes:
        value: Label value in the label map, at least 1.
        name: Name of the segment.
        color: Red, green, blue, 0 to 1.
        terminology: Serialized terminology entry of Slicer, or empty.
    """

    value: int
    name: str
    color: tuple[float, float, float]
    terminology: str = ""


def importLabelMap(
    labelMap: Volume,
    styles: Sequence[SegmentStyle],
    segmentation: slicer.vtkMRMLSegmentationNode,
    *,
    reference: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> None:
    """Replace the segments of a node by the labels of a map.

    A label without voxels becomes an empty segment, a value without a style `Label <value>`.

    Args:
        labelMap: Integer labels, 0 is background; in world coordinates.
        styles: Names, colors and terminology.
        segmentation: Receives the segments.
        reference: Image that the labels belong to: its grid becomes the reference geometry.

    Raises:
        ValueError: If the labels are not integers or not on the grid of an untransformed
            reference. The scene is then unchanged.
    """
    _checkLabels(labelMap, reference)
    image = _orientedImage(labelMap)
    segments = segmentation.GetSegmentation()
    with slicer.util.NodeModify(segmentation):
        segments.RemoveAllSegments()
        segmentation.CreateDefaultDisplayNodes()
        if reference is not None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(reference)
        if labelMap.array.any():
            _importImage(image, segmentation)
        _applyStyles(segments, styles)


def segmentVolumesMl(segmentation: slicer.vtkMRMLSegmentationNode) -> dict[str, float]:
    """Measure the segments.

    Returns:
        Volume in ml of each segment, by segment ID.
    """
    volumes = {}
    for segmentID in segmentation.GetSegmentation().GetSegmentIDs():
        image = slicer.vtkOrientedImageData()
        segmentation.GetBinaryLabelmapRepresentation(segmentID, image)
        if image.GetNumberOfPoints() == 0:
            volumes[segmentID] = 0.0
            continue
        values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        voxelMl = float(np.prod(image.GetSpacing())) / 1000.0
        volumes[segmentID] = float(np.count_nonzero(values)) * voxelMl
    return volumes


def showOutline(segmentation: slicer.vtkMRMLSegmentationNode, *, opacity: float = 1.0) -> None:
    """Draw the segments as outlines in slice views, so that the image below stays visible."""
    display = segmentation.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetOpacity2DOutline(opacity)


def _checkLabels(labelMap: Volume, reference: slicer.vtkMRMLScalarVolumeNode | None) -> None:
    if labelMap.array.dtype.kind not in "bui":
        text = _("Expected integer labels, got values of type {type}.")
        raise ValueError(text.format(type=labelMap.array.dtype))
    if reference is None or reference.GetParentTransformNode() is not None:
        return
    grid = gridFromNode(reference)
    if not is_same_grid(grid, labelMap.grid, tolerance_mm=0.01):
        text = _(
            "Expected labels on the grid of '{image}' ({size} voxels), got {found} voxels"
            " elsewhere. Resample the labels onto that image."
        )
        found = labelMap.grid.size
        raise ValueError(text.format(image=reference.GetName(), size=grid.size, found=found))


def _orientedImage(labelMap: Volume) -> slicer.vtkOrientedImageData:
    largest = int(labelMap.array.max())
    kind = np.uint8 if largest < 256 else np.int16
    scalars = numpy_support.numpy_to_vtk(labelMap.array.astype(kind).ravel(), deep=True)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*labelMap.grid.size)
    image.GetPointData().SetScalars(scalars)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(labelMap.grid.affine_ras.ravel().tolist())
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _importImage(
    image: slicer.vtkOrientedImageData, segmentation: slicer.vtkMRMLSegmentationNode
) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.ImportLabelmapToSegmentationNode(image, segmentation):
        text = _("The labels could not be put into '{name}'. See the error log.")
        raise RuntimeError(text.format(name=segmentation.GetName()))


def _applyStyles(segments: slicer.vtkSegmentation, styles: Sequence[SegmentStyle]) -> None:
    segmentByValue = {
        segment.GetLabelValue(): segment
        for segment in (segments.GetNthSegment(i) for i in range(segments.GetNumberOfSegments()))
    }
    for value, segment in segmentByValue.items():
        segment.SetName(f"Label {value}")
    for style in styles:
        segment = segmentByValue.get(style.value) or _emptySegment(segments, style)
        segment.SetName(style.name)
        segment.SetColor(*style.color)
        if style.terminology:
            _setTerminology(segment, style.terminology)


def _emptySegment(segments: slicer.vtkSegmentation, style: SegmentStyle) -> slicer.vtkSegment:
    segmentID = segments.AddEmptySegment("", style.name, list(style.color))
    return segments.GetSegment(segmentID)


def _setTerminology(segment: slicer.vtkSegment, entry: str) -> None:
    if hasattr(segment, "SetTerminology"):
        segment.SetTerminology(entry)
    else:
        segment.SetTag(segment.GetTerminologyEntryTagName(), entry)
