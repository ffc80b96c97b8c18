"""Volumes, overlays and segmentations of the scene, to arrays and back.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from MultimodalImagingLib.geometry import Grid, Volume, grid_from_affine_ras, is_same_grid

if TYPE_CHECKING:
    import numpy.typing as npt


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


@dataclass(frozen=True)
class OverlayStyle:
    """How the values of an overlay are shown; the same for maps that are to be compared.

    Attributes:
        low: Value at the lower end of the color table.
        high: Value at its upper end.
        threshold: Values below it are transparent.
        colorNodeID: Color table, for example `vtkMRMLColorTableNodeFileInferno.txt`.
        isInterpolated: Whether voxels are blended on the screen.
    """

    low: float
    high: float
    threshold: float
    colorNodeID: str = "vtkMRMLColorTableNodeFileInferno.txt"
    isInterpolated: bool = False


def volumeProblem(node: slicer.vtkMRMLNode | None) -> str | None:
    """Say why a node cannot be used as a 3-D image; `None` if it can.

    Returns:
        One sentence that ends with what to do.
    """
    if node is None:
        return "No volume is chosen. Choose one."
    name = node.GetName()
    if node.IsA("vtkMRMLSequenceNode"):
        return f"'{name}' is a sequence of volumes. Choose one volume of it."
    if not node.IsA("vtkMRMLVolumeNode"):
        return f"'{name}' is not a volume. Choose a volume."
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return f"'{name}' is a label map, not an image. Choose the image."
    return _imageProblem(node, name)


def volumeFromNode(node: slicer.vtkMRMLVolumeNode) -> Volume:
    """Copy a volume out of the scene, where its parent transforms put it.

    Linear transforms change the grid only; others resample a copy. The node stays as it is.

    Raises:
        ValueError: If the node has no voxels, or more than one value per voxel.
    """
    problem = _imageProblem(node, node.GetName())
    if problem is not None:
        raise ValueError(problem)
    hardened = _hardenedCopy(node) if node.GetParentTransformNode() else node
    array = slicer.util.arrayFromVolume(hardened)
    return Volume(np.array(array), gridFromNode(hardened))


def gridFromNode(node: slicer.vtkMRMLVolumeNode) -> Grid:
    """Return the grid of a volume without its parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    affine = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    return grid_from_affine_ras(affine, tuple(node.GetImageData().GetDimensions()))


def addVolume(
    scene: slicer.vtkMRMLScene, volume: Volume, name: str
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a volume into the scene, with the usual display."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    setVolume(node, volume)
    node.CreateDefaultDisplayNodes()
    return node


def setVolume(node: slicer.vtkMRMLScalarVolumeNode, volume: Volume) -> None:
    """Replace voxels and grid of a node."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(volume.grid.affine_ras.ravel().tolist())
    with slicer.util.NodeModify(node):
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, _forVTK(volume.array))


def addScalarOverlay(
    scene: slicer.vtkMRMLScene, volume: Volume, name: str, *, style: OverlayStyle
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a map into the scene that lies over an image, on a fixed scale.

    Returns:
        The volume; hidden until somebody puts it into a view.
    """
    node = addVolume(scene, volume, name)
    styleOverlay(node, style)
    return node


def styleOverlay(node: slicer.vtkMRMLScalarVolumeNode, style: OverlayStyle) -> None:
    """Set color table, scale and threshold of an overlay."""
    display = node.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(style.colorNodeID)
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(style.low, style.high)
        display.SetThreshold(style.threshold, max(style.high, style.threshold))
        display.SetUpperThreshold(float(np.finfo(np.float32).max))
        display.SetApplyThreshold(1)
        display.SetInterpolate(int(style.isInterpolated))


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


def placeBeside(node: slicer.vtkMRMLNode, neighbor: slicer.vtkMRMLNode) -> None:
    """Put a node into the study or folder of the subject hierarchy that another node is in."""
    hierarchy = subjectHierarchy(node.GetScene())
    placeInFolder(node, hierarchy.GetItemParent(hierarchy.GetItemByDataNode(neighbor)))


def placeInFolder(node: slicer.vtkMRMLNode, folderItem: int) -> None:
    """Put a node under an item of the subject hierarchy; 0 or invalid is the top."""
    hierarchy = subjectHierarchy(node.GetScene())
    parent = folderItem or hierarchy.GetSceneItemID()
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def removeNode(node: slicer.vtkMRMLNode) -> None:
    """Remove a node with its display and storage nodes, which the scene would keep."""
    scene = node.GetScene()
    count = node.GetNumberOfDisplayNodes() if node.IsA("vtkMRMLDisplayableNode") else 0
    displays = [node.GetNthDisplayNode(index) for index in range(count)]
    storage = node.GetStorageNode()
    scene.RemoveNode(node)
    for other in (*displays, storage):
        if other is not None and other.GetScene() is scene:
            scene.RemoveNode(other)
    hierarchy = subjectHierarchy(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:  # only where the application does not do it by itself
        hierarchy.RemoveItem(item, False, False)


def subjectHierarchy(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode:
    """Return the subject hierarchy of a scene."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _imageProblem(node: slicer.vtkMRMLVolumeNode, name: str) -> str | None:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        return f"'{name}' has no voxels. Load it again, or choose another volume."
    nValues = image.GetNumberOfScalarComponents()
    if nValues != 1:
        return f"'{name}' has {nValues} values per voxel. Choose a volume with one."
    if min(image.GetDimensions()) < 2:
        size = " x ".join(map(str, image.GetDimensions()))
        return f"'{name}' has {size} voxels, which is not a 3-D image. Choose another volume."
    return None


def _hardenedCopy(node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLVolumeNode:
    """What `HardenTransform` would do, on a node that is in no scene."""
    transform = node.GetParentTransformNode()
    copy = node.NewInstance()
    copy.UnRegister(None)
    copy.CopyOrientation(node)
    copy.SetAndObserveImageData(node.GetImageData())
    if transform.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(matrix)
        copy.ApplyTransformMatrix(matrix)
    else:
        toWorld = vtk.vtkGeneralTransform()
        transform.GetTransformToWorld(toWorld)
        copy.ApplyTransform(toWorld)
    return copy


def _forVTK(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if array.dtype == bool:
        return array.astype(np.uint8)
    return np.ascontiguousarray(array)


def _checkLabels(labelMap: Volume, reference: slicer.vtkMRMLScalarVolumeNode | None) -> None:
    if labelMap.array.dtype.kind not in "bui":
        msg = f"Expected integer labels, got values of type {labelMap.array.dtype}."
        raise ValueError(msg)
    if reference is None or reference.GetParentTransformNode() is not None:
        return
    grid = gridFromNode(reference)
    if not is_same_grid(grid, labelMap.grid, tolerance_mm=0.01):
        msg = (
            f"Expected labels on the grid of '{reference.GetName()}' ({grid.size} voxels), got"
            f" {labelMap.grid.size} voxels elsewhere. Resample the labels onto that image."
        )
        raise ValueError(msg)


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
        msg = f"The labels could not be put into '{segmentation.GetName()}'. See the error log."
        raise RuntimeError(msg)


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
