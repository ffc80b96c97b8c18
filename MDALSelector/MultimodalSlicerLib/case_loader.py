"""Opens the images and labels of one case, and removes what it opened before.

Must not import Qt. Own nodes carry an attribute, so that they are known again in a scene that was
saved; everything else in the scene is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_stored_volume, read_volume
from MultimodalImagingLib.record.series_file import is_series_file
from MultimodalSlicerLib.cohort_nodes import (
    CASE_ATTRIBUTE,
    FILE_ATTRIBUTE,
    MODALITY_ATTRIBUTE,
    isOpened,
    labelFile,
    markAsOpened,
    nameAfterFile,
    placeLabel,
    setLabelFile,
)
from MultimodalSlicerLib.patience import Breathe, inThread, noBreath
from MultimodalSlicerLib.segment_nodes import (
    PreparedLabels,
    importLabelMap,
    prepareLabels,
    showOutline,
)
from MultimodalSlicerLib.volume_nodes import (
    addVolume,
    markAsRead,
    nodesOf,
    placeInFolder,
    removeNode,
    subjectHierarchy,
)

CT_WINDOW_HU = (-160.0, 240.0)
MAX_COUNTED_VOXELS = 2**24  # above, the window is taken from a sample
N_SAMPLED_VOXELS = 2**21
SLICER_PERCENTILES = (0.1, 99.9)  # of the voxels: where Slicer's automatic window begins and ends


class CaseLoader:
    """Knows the nodes of the case of a cohort that is open in a scene.

    Attributes:
        breathe: Handles events, but none of the user's; called while files are read.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self.breathe: Breathe = noBreath

    @property
    def caseID(self) -> str:
        """The case that is open; empty if there is none."""
        nodes = self.nodes()
        return nodes[0].GetAttribute(CASE_ATTRIBUTE) if nodes else ""

    def nodes(self) -> list[slicer.vtkMRMLNode]:
        """Return images and labels of the open case."""
        classes = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
        nodes = [n for name in classes for n in nodesOf(self._scene, name)]
        return [node for node in nodes if isOpened(node)]

    def volumes(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return the images of the open case by modality."""
        nodes = (node for node in self.nodes() if node.IsA("vtkMRMLScalarVolumeNode"))
        return {node.GetAttribute(MODALITY_ATTRIBUTE): node for node in nodes}

    def segmentation(self) -> slicer.vtkMRMLSegmentationNode | None:
        """Return the labels of the open case; `None` if it has none yet."""
        nodes = (node for node in self.nodes() if node.IsA("vtkMRMLSegmentationNode"))
        return next(nodes, None)

    def open(
        self,
        caseID: str,
        images: Mapping[str, ImageFile],
        label: ImageFile | None = None,
        *,
        place: Path | None = None,
        beforeClosing: Callable[[], None] = lambda: None,
    ) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Open a case in place of the one before.

        Args:
            caseID: The case.
            images: File per modality.
            label: Its labels, if there are any: a segmentation or a label map.
            place: The file in which its labels are to be saved; `None` if there is no place.
            beforeClosing: Called before the nodes of the former case go, when nothing can fail.

        Returns:
            The images by modality.

        Raises:
            ValueError: If a file is absent or cannot be read. The scene is then unchanged.
        """
        _checkFiles(caseID, images, label)
        added: list[slicer.vtkMRMLNode] = []
        try:
            for modality, file in images.items():
                added.append(self._addImage(caseID, modality, file))
                self.breathe()
            if label is not None:
                added.append(self._addLabel(caseID, label, added))
                self.breathe()
            if any(node.GetScene() is not self._scene for node in added):
                text = _("The scene was closed while case {case} was opened. Open it again.")
                raise ValueError(text.format(case=caseID))
        except BaseException:
            for node in added:
                if node.GetScene() is self._scene:
                    removeNode(node)
            raise
        beforeClosing()
        self.close()
        self._adopt(caseID, added, place)
        return self.volumes()

    def close(self) -> None:
        """Remove the nodes of the open case, and its folder if nothing else is in it."""
        hierarchy = subjectHierarchy(self._scene)
        nodes = self.nodes()
        folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes}
        for node in nodes:
            if node.GetScene() is self._scene:  # events are handled in between
                removeNode(node)
            self.breathe()
        for folder in folders:
            isOurs = bool(folder) and hierarchy.GetItemAttribute(folder, CASE_ATTRIBUTE)
            if isOurs and hierarchy.GetNumberOfItemChildren(folder) == 0:
                hierarchy.RemoveItem(folder)

    def segmentationForEditing(self) -> slicer.vtkMRMLSegmentationNode:
        """Return the labels of the open case, made on the grid of its first image if needed.

        Raises:
            ValueError: If no case is open.
        """
        volumes = self.volumes()
        if not volumes:
            raise ValueError(_("No case is open. Load a case first."))
        existing = self.segmentation()
        if existing is not None:
            return existing
        caseID, first = self.caseID, next(iter(volumes.values()))
        node = self._newSegmentation(caseID)
        node.SetReferenceImageGeometryParameterFromVolumeNode(first)
        markAsOpened(node, caseID)
        hierarchy = subjectHierarchy(self._scene)
        placeInFolder(node, hierarchy.GetItemParent(hierarchy.GetItemByDataNode(first)))
        placeLabel(node, labelFile(first))
        return node

    def _addImage(
        self, caseID: str, modality: str, file: ImageFile
    ) -> slicer.vtkMRMLScalarVolumeNode:
        node = addImage(self._scene, f"{caseID} {modality}", modality, file, breathe=self.breathe)
        node.SetAttribute(FILE_ATTRIBUTE, str(file.path))
        return node

    def _addLabel(
        self, caseID: str, file: ImageFile, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]
    ) -> slicer.vtkMRMLSegmentationNode:
        if file.path.name.lower().endswith(".seg.nrrd"):
            node = _loadSegmentation(file.path, f"{caseID} labels")
        else:
            labels = inThread(partial(_readLabels, file), self.breathe)
            node = self._newSegmentation(caseID)
            importLabelMap(labels, node, volumes)
        showOutline(node)
        return node

    def _newSegmentation(self, caseID: str) -> slicer.vtkMRMLSegmentationNode:
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{caseID} labels")
        node.CreateDefaultDisplayNodes()
        return node

    def _adopt(self, caseID: str, nodes: list[slicer.vtkMRMLNode], place: Path | None) -> None:
        hierarchy = subjectHierarchy(self._scene)
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), caseID)
        hierarchy.SetItemAttribute(folder, CASE_ATTRIBUTE, caseID)
        for node in nodes:
            markAsOpened(node, caseID)
            placeInFolder(node, folder)
            if node.IsA("vtkMRMLSegmentationNode"):
                placeLabel(node, place)
            else:
                nameAfterFile(node, f"{caseID} {node.GetAttribute(MODALITY_ATTRIBUTE)}")
                setLabelFile(node, place)


def addImage(
    scene: slicer.vtkMRMLScene, name: str, modality: str, file: ImageFile, *, breathe: Breathe
) -> slicer.vtkMRMLScalarVolumeNode:
    """Read an image beside the window and put it into the scene, shown as its modality usually is.

    Args:
        scene: The scene.
        name: Name of the node.
        modality: What the image shows; it heads the views.
        file: The image.
        breathe: Handles events meanwhile.

    Raises:
        CohortError: If the file is one of several images and cannot be read.
        ValueError: If Slicer cannot read it either.
    """
    try:
        volume, window = inThread(partial(_readImage, file, modality), breathe)
    except CohortError:
        if file.component is not None or is_series_file(file.path):
            raise
        node = _loadVolume(file.path, name)  # Slicer may know more formats
    else:
        breathe()
        node = addVolume(scene, volume, name, window)
        if file.component is None and not is_series_file(file.path):
            markAsRead(node, file.path)
    node.SetAttribute(MODALITY_ATTRIBUTE, modality)
    _showAsUsual(node, modality)
    return node


def labelCenter(node: slicer.vtkMRMLSegmentationNode) -> tuple[float, float, float] | None:
    """Return a RAS position in mm where there is most to see; `None` if no voxel is labeled."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    if bounds[0] > bounds[1]:
        return None
    r, a, s = ((bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3))
    return r, a, s


def _checkFiles(caseID: str, images: Mapping[str, ImageFile], label: ImageFile | None) -> None:
    if not images:
        text = _("No image file of case {case} is known. Inspect the cohort again.")
        raise ValueError(text.format(case=caseID))
    files = [*images.values(), *([] if label is None else [label])]
    absent = [str(file.path) for file in files if not file.path.is_file()]
    if absent:
        text = _(
            "Expected the files of case {case} where they were when the cohort was inspected,"
            " but these are gone: {files}. Inspect the cohort again."
        )
        raise ValueError(text.format(case=caseID, files=", ".join(absent)))


def _readImage(file: ImageFile, modality: str) -> tuple[Volume, tuple[float, float] | None]:
    """Read an image, and the window that it is shown with unless its display is to choose one."""
    stored = read_stored_volume(file)
    volume = Volume(np.ascontiguousarray(stored.array), stored.grid)
    if modality == "CT":
        return volume, CT_WINDOW_HU
    return volume, _sampledWindow(volume) if volume.array.size > MAX_COUNTED_VOXELS else None


def _sampledWindow(volume: Volume) -> tuple[float, float] | None:
    """Return the window that Slicer would choose, from every n-th voxel along every axis."""
    step = math.ceil((volume.array.size / N_SAMPLED_VOXELS) ** (1 / 3))
    sample = volume.array[::step, ::step, ::step]
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return None
    low, high = np.percentile(finite.astype(np.float64), SLICER_PERCENTILES).tolist()
    return low, high


def _readLabels(file: ImageFile) -> PreparedLabels:
    return prepareLabels(read_volume(file))


def _loadVolume(path: Path, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    properties = {"name": name, "show": False, "singleFile": True}
    try:
        return slicer.util.loadVolume(str(path), properties)
    except RuntimeError as error:
        text = _("The image {path} cannot be read ({error}). Check the file.")
        raise ValueError(text.format(path=path, error=error)) from error


def _loadSegmentation(path: Path, name: str) -> slicer.vtkMRMLSegmentationNode:
    try:
        return slicer.util.loadSegmentation(str(path), {"name": name})
    except RuntimeError as error:
        text = _("The segmentation {path} cannot be read ({error}). Check the file.")
        raise ValueError(text.format(path=path, error=error)) from error


def _showAsUsual(node: slicer.vtkMRMLScalarVolumeNode, modality: str) -> None:
    """Show soft tissue in CT, and PET in dark on light, as the pictures of the cases do."""
    display = node.GetDisplayNode()
    if modality == "CT":
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(*CT_WINDOW_HU)
    elif modality == "PET":
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")
