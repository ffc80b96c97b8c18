"""Where slice views are: fitted to an image, and never outside the one that they show.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import vtk

from MultimodalSlicerLib.patience import Breathe
from MultimodalSlicerLib.volume_nodes import nodesOf

MARGIN = 1.05  # of the view around the image
Point = tuple[float, float, float]


def centerOf(volume: slicer.vtkMRMLVolumeNode) -> Point:
    """Return the middle of an image, RAS in mm."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    r, a, s = ((bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3))
    return r, a, s


def isInside(sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a view sees some of an image; if it does not, it is black."""
    bounds = [0.0] * 6
    volume.GetSliceBounds(bounds, _rasToSlice(sliceNode))
    right, top = (length / 2 for length in sliceNode.GetFieldOfView()[:2])
    isBeside = bounds[0] > right or bounds[1] < -right or bounds[2] > top or bounds[3] < -top
    return bounds[4] < 0 < bounds[5] and not isBeside


def sharedMiddle(
    sliceNode: slicer.vtkMRMLSliceNode,
    volumes: Sequence[slicer.vtkMRMLVolumeNode],
    focus: Point | None,
) -> Point:
    """Return a position through which the slices of all images are seen, if there is one.

    Args:
        sliceNode: Has the orientation of the slices.
        volumes: The images, the first one is the most important.
        focus: The position to take if it is in all images, RAS in mm; `None` for the middle of the
            first one.

    Returns:
        RAS in mm: the focus, or the middle of what the images share along the slices' normal.
    """
    center = centerOf(volumes[0])
    point = focus or center
    matrix = sliceNode.GetSliceToRAS()
    normal = [matrix.GetElement(row, 2) for row in range(3)]
    origin = [matrix.GetElement(row, 3) for row in range(3)]
    depth = sum(n * (p - o) for n, p, o in zip(normal, point, origin, strict=True))
    ranges = [_depths(sliceNode, volume) for volume in volumes]
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    if low >= high or low < depth < high:
        return point
    r, a, s = (p + ((low + high) / 2 - depth) * n for p, n in zip(point, normal, strict=True))
    return r, a, s


def fitSlice(
    sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode, point: Point
) -> None:
    """Zoom so that an image fills a view, around its middle; go to the slice through a point."""
    bounds = [0.0] * 6
    volume.GetSliceBounds(bounds, _rasToSlice(sliceNode))
    width, height, depth = sliceNode.GetFieldOfView()
    scale = MARGIN * max((bounds[1] - bounds[0]) / width, (bounds[3] - bounds[2]) / height)
    with slicer.util.NodeModify(sliceNode):
        sliceNode.SetFieldOfView(width * scale, height * scale, depth)
        sliceNode.JumpSliceByCentering(*centerOf(volume))
        sliceNode.JumpSliceByOffsetting(*point)
        sliceNode.UpdateMatrices()


def showEverywhere(volume: slicer.vtkMRMLVolumeNode, breathe: Breathe) -> None:
    """Show an image alone in all slice views, one after the other, until it leaves its scene."""
    scene = volume.GetScene()
    sliceNodes = {node.GetLayoutName(): node for node in nodesOf(scene, "vtkMRMLSliceNode")}
    for composite in nodesOf(scene, "vtkMRMLSliceCompositeNode"):
        if volume.GetScene() is not scene:
            return
        with slicer.util.NodeModify(composite):
            composite.SetBackgroundVolumeID(volume.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)
        sliceNode = sliceNodes.get(composite.GetLayoutName())
        if sliceNode is not None:
            fitSlice(sliceNode, volume, centerOf(volume))
        breathe()


def bringInside(scene: slicer.vtkMRMLScene) -> None:
    """Move every slice that misses the image of its view to the middle of that image."""
    composites = {
        node.GetLayoutName(): node for node in nodesOf(scene, "vtkMRMLSliceCompositeNode")
    }
    for sliceNode in nodesOf(scene, "vtkMRMLSliceNode"):
        composite = composites.get(sliceNode.GetLayoutName())
        identity = None if composite is None else composite.GetBackgroundVolumeID()
        volume = scene.GetNodeByID(identity) if identity else None
        hasVoxels = volume is not None and volume.GetImageData() is not None
        if hasVoxels and not isInside(sliceNode, volume):
            fitSlice(sliceNode, volume, centerOf(volume))


def _depths(
    sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode
) -> tuple[float, float]:
    """Where an image begins and ends along the normal of a slice, mm from the slice."""
    bounds = [0.0] * 6
    volume.GetSliceBounds(bounds, _rasToSlice(sliceNode))
    return bounds[4], bounds[5]


def _rasToSlice(sliceNode: slicer.vtkMRMLSliceNode) -> vtk.vtkMatrix4x4:
    rasToSlice = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(sliceNode.GetSliceToRAS(), rasToSlice)
    return rasToSlice
