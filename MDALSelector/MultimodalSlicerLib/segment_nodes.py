"""Label maps to segmentations of the scene: names, colors, volumes, outlines.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import slicer
from slicer.i18n import tr as _
from vtk.util import numpy_support

from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid
from MultimodalSlicerLib.volume_nodes import gridFromNode, removeNode

LABEL_COLORS = (
    *((0.90, 0.62, 0.00), (0.34, 0.71, 0.91), (0.00, 0.62, 0.45), (0.94, 0.89, 0.26)),
    *((0.84, 0.37, 0.00), (0.80, 0.47, 0.65)),
)


@dataclass(frozen=True)
class PreparedLabels:
    """A label map cut to the box of its labels; made without a scene, so in any thread.

    Attributes:
        voxels: Labels in the box, indexed [k, j, i]; empty if there is none.
        start: Index of its first voxel in the label map, (k, j, i).
        grid: Grid of the label map.
    """

    voxels: npt.NDArray[np.integer]
    start: tuple[int, int, int]
    grid: Grid


def prepareLabels(labelMap: Volume) -> PreparedLabels:
    """Cut a label map to the box of its labels.

    Raises:
        ValueError: If the labels are not integers.
    """
    array = labelMap.array
    if array.dtype.kind not in "bui":
        text = _("Expected integer labels, got values of type {type}.")
        raise ValueError(text.format(type=array.dtype))
    start = [0, 0, 0]
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(array.any(axis=others))
        start[axis], end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
        array = array[(slice(None),) * axis + (slice(start[axis], end),)]
    largest = int(array.max()) if array.size else 0
    kind = np.uint8 if largest < 256 else np.int16
    k, j, i = start
    return PreparedLabels(np.ascontiguousarray(array.astype(kind)), (k, j, i), labelMap.grid)


def importLabelMap(
    labelMap: Volume | PreparedLabels,
    segmentation: slicer.vtkMRMLSegmentationNode,
    images: Sequence[slicer.vtkMRMLScalarVolumeNode] = (),
) -> None:
    """Replace the segments of a node by the labels of a map, named `Label <value>`.

    Args:
        labelMap: Integer labels, 0 is background; in world coordinates.
        segmentation: Receives the segments.
        images: The first one that is on the grid of the labels gives the reference geometry.

    Raises:
        ValueError: If the labels are not integers. The scene is then unchanged.
    """
    prepared = labelMap if isinstance(labelMap, PreparedLabels) else prepareLabels(labelMap)
    segments = segmentation.GetSegmentation()
    with slicer.util.NodeModify(segmentation):
        segments.RemoveAllSegments()
        segmentation.CreateDefaultDisplayNodes()
        for node in images:
            if is_same_grid(gridFromNode(node), prepared.grid):
                segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
                break
        if prepared.voxels.size:
            _importImage(_orientedImage(prepared), segmentation)
        for index in range(segments.GetNumberOfSegments()):
            segment = segments.GetNthSegment(index)
            segment.SetName(f"Label {segment.GetLabelValue()}")
            segment.SetColor(*LABEL_COLORS[index % len(LABEL_COLORS)])


@contextmanager
def segmentationFromFile(
    scene: slicer.vtkMRMLScene, file: Path
) -> Iterator[slicer.vtkMRMLSegmentationNode | None]:
    """Read a `.seg.nrrd` file into a node that is gone afterwards; `None` if it cannot be read."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    try:
        storage.SetFileName(str(file))
        yield node if storage.ReadData(node) else None
    finally:
        removeNode(node)
        if storage.GetScene() is scene:
            scene.RemoveNode(storage)


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


def setShown(segmentation: slicer.vtkMRMLSegmentationNode, isShown: bool) -> None:
    """Show or hide a segmentation in all views."""
    segmentation.CreateDefaultDisplayNodes()
    segmentation.GetDisplayNode().SetVisibility(isShown)


def showOutline(segmentation: slicer.vtkMRMLSegmentationNode) -> None:
    """Draw the segments as outlines in slice views, so that the image below stays visible."""
    display = segmentation.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetOpacity2DOutline(1.0)


def _orientedImage(labels: PreparedLabels) -> slicer.vtkOrientedImageData:
    scalars = numpy_support.numpy_to_vtk(labels.voxels.ravel(), deep=True)
    image = slicer.vtkOrientedImageData()
    ends = zip(labels.start, labels.voxels.shape, strict=True)
    k, j, i = ((start, start + length - 1) for start, length in ends)
    image.SetExtent(*i, *j, *k)
    image.GetPointData().SetScalars(scalars)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(labels.grid.affine_ras))
    return image


def _importImage(
    image: slicer.vtkOrientedImageData, segmentation: slicer.vtkMRMLSegmentationNode
) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.ImportLabelmapToSegmentationNode(image, segmentation):
        text = _("The labels could not be put into '{name}'. See the error log.")
        raise RuntimeError(text.format(name=segmentation.GetName()))
