"""Volumes and overlays of the scene, to arrays and back; where nodes lie in its hierarchy.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalImagingLib.images.geometry import Grid, Volume, grid_from_affine_ras

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class OverlayStyle:
    """How the values of an overlay are shown; the same for maps that are to be compared.

    Attributes:
        low: Value at the lower end of the color table.
        high: Value at its upper end.
        threshold: Values below it are transparent; minus infinity for none.
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
        return _("No volume is chosen. Choose one.")
    name = node.GetName()
    if node.IsA("vtkMRMLSequenceNode"):
        return _("'{name}' is a sequence of volumes. Choose one volume of it.").format(name=name)
    if not node.IsA("vtkMRMLVolumeNode"):
        return _("'{name}' is not a volume. Choose a volume.").format(name=name)
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        text = _("'{name}' is a label map, not an image. Choose the image.")
        return text.format(name=name)
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
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    return grid_from_affine_ras(affine, tuple(node.GetImageData().GetDimensions()))


def addVolume(
    scene: slicer.vtkMRMLScene,
    volume: Volume,
    name: str,
    window: tuple[float, float] | None = None,
    *,
    isHelper: bool = False,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a volume into the scene, with the usual display.

    Args:
        scene: The scene.
        volume: The volume.
        name: Name of the node.
        window: Lowest and highest value that are told apart; `None` lets the display count all
            voxels to choose them, which takes its time with large volumes.
        isHelper: Whether it is hidden from the first moment on; see `hideHelper`.
    """
    node = scene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
    node.UnRegister(None)
    node.SetName(name)
    if isHelper:
        hideHelper(node)
    scene.AddNode(node)
    if window is not None:
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevelMinMax(*window)
    setVolume(node, volume)
    node.CreateDefaultDisplayNodes()
    if isHelper:
        hideHelper(node.GetDisplayNode())
    return node


def hideHelper(node: slicer.vtkMRMLNode) -> None:
    """Keep a node that is made anew at any time out of the lists of nodes and out of files."""
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)


def setVolume(node: slicer.vtkMRMLScalarVolumeNode, volume: Volume) -> None:
    """Replace voxels and grid of a node."""
    matrix = slicer.util.vtkMatrixFromArray(volume.grid.affine_ras)
    with slicer.util.NodeModify(node):
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, _forVTK(volume.array))


def markAsRead(node: slicer.vtkMRMLScalarVolumeNode, file: Path) -> None:
    """Tell a node the file that its voxels were read from, as if the scene had read it itself.

    A storage node knows when its file was read or written, and cannot be told: it writes one voxel
    to a file that goes, then is given the file.
    """
    storage = node.GetScene().AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    voxel = slicer.vtkMRMLScalarVolumeNode()
    slicer.util.updateVolumeFromArray(voxel, np.zeros((1, 1, 1), dtype=np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        storage.SetFileName(str(Path(folder) / "voxel.nrrd"))
        storage.WriteData(voxel)
    storage.SetFileName(str(file))
    node.SetAndObserveStorageNodeID(storage.GetID())


def styleOverlay(node: slicer.vtkMRMLScalarVolumeNode, style: OverlayStyle) -> None:
    """Set color table, scale and threshold of an overlay; its display is made if it is gone."""
    node.CreateDefaultDisplayNodes()
    display = node.GetScalarVolumeDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(style.colorNodeID)
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(style.low, style.high)
        display.SetApplyThreshold(math.isfinite(style.threshold))
        if math.isfinite(style.threshold):
            display.SetThreshold(style.threshold, max(style.high, style.threshold))
            display.SetUpperThreshold(float(np.finfo(np.float32).max))
        display.SetInterpolate(int(style.isInterpolated))


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


def nodesOf(scene: slicer.vtkMRMLScene, className: str) -> list[slicer.vtkMRMLNode]:
    """Return the nodes of a class; unlike `slicer.util.getNodesByClass`, of any scene."""
    count = scene.GetNumberOfNodesByClass(className)
    return [scene.GetNthNodeByClass(index, className) for index in range(count)]


def layersOf(view: slicer.vtkMRMLSliceCompositeNode) -> list[Any]:
    """Note what a slice view shows; can be kept as JSON."""
    volumes = [view.GetBackgroundVolumeID(), view.GetForegroundVolumeID(), view.GetLabelVolumeID()]
    return [*volumes, view.GetForegroundOpacity(), view.GetCompositing()]


def setLayers(view: slicer.vtkMRMLSliceCompositeNode, layers: Sequence[Any]) -> None:
    """Show what was noted, as far as it is still in the scene."""
    scene, (*identities, opacity, compositing) = view.GetScene(), layers
    background, foreground, label = (
        identity if identity and scene.GetNodeByID(identity) else None for identity in identities
    )
    with slicer.util.NodeModify(view):
        view.SetBackgroundVolumeID(background)
        view.SetForegroundVolumeID(foreground)
        view.SetLabelVolumeID(label)
        view.SetForegroundOpacity(opacity)
        view.SetCompositing(compositing)


def subjectHierarchy(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode:
    """Return the subject hierarchy of a scene."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _imageProblem(node: slicer.vtkMRMLVolumeNode, name: str) -> str | None:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        text = _("'{name}' has no voxels. Load it again, or choose another volume.")
        return text.format(name=name)
    nValues = image.GetNumberOfScalarComponents()
    if nValues != 1:
        text = _("'{name}' has {n} values per voxel. Choose a volume with one.")
        return text.format(name=name, n=nValues)
    if min(image.GetDimensions()) < 2:
        size = " x ".join(map(str, image.GetDimensions()))
        text = _("'{name}' has {size} voxels, which is not a 3-D image. Choose another volume.")
        return text.format(name=name, size=size)
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
