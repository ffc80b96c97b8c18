"""What a segmentation holds, to be compared, and written to a file that is then read again.

Must not import Qt. Nothing here looks at `slicer.mrmlScene`: a node knows its scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util import numpy_support

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.nrrd_encoding import compress_nrrd
from MultimodalImagingLib.record.atomic_files import atomic_path, explained_writing
from MultimodalSlicerLib.patience import Breathe, inThread, noBreath
from MultimodalSlicerLib.segment_nodes import segmentationFromFile

_TOLERANCE_MM = 1e-3


@dataclass(frozen=True)
class SegmentContent:
    """One segment, cut to the box of its voxels.

    Attributes:
        name: Its name.
        voxels: Whether a voxel of the box belongs to it, indexed [k, j, i]; empty without voxels.
        ijkToWorld: Matrix from indices of the box to RAS, mm.
    """

    name: str
    voxels: npt.NDArray[np.bool_]
    ijkToWorld: npt.NDArray[np.float64]

    def isLike(self, other: SegmentContent) -> bool:
        """Tell whether another segment has the same name and the same voxels."""
        return (
            self.name == other.name
            and np.array_equal(self.voxels, other.voxels)
            and np.allclose(self.ijkToWorld, other.ijkToWorld, rtol=0.0, atol=_TOLERANCE_MM)
        )


def contentsOf(
    node: slicer.vtkMRMLSegmentationNode, breathe: Breathe = noBreath
) -> tuple[SegmentContent, ...]:
    """Return what the segments of a node are now, in their order."""
    segmentation = node.GetSegmentation()
    contents = []
    for segmentID in segmentation.GetSegmentIDs():
        contents.append(_content(node, segmentID, segmentation.GetSegment(segmentID).GetName()))
        breathe()
    return tuple(contents)


def isEmpty(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Tell whether nothing is drawn: there are no segments, or none of them has a voxel."""
    return not any(content.voxels.size for content in contentsOf(node))


def areAlike(one: tuple[SegmentContent, ...], other: tuple[SegmentContent, ...]) -> bool:
    """Tell whether two segmentations hold the same, wherever their images begin and end."""
    return len(one) == len(other) and all(
        first.isLike(second) for first, second in zip(one, other, strict=True)
    )


def readContents(
    scene: slicer.vtkMRMLScene, file: Path, breathe: Breathe = noBreath
) -> tuple[SegmentContent, ...]:
    """Return what a `.seg.nrrd` file holds; the scene stays as it is.

    Raises:
        CrossModalError: If the file cannot be read.
    """
    with segmentationFromFile(scene, file) as node:
        if node is None:
            text = _("The labels in {file} cannot be read. Check the file.")
            raise CrossModalError(text.format(file=file))
        breathe()
        return contentsOf(node, breathe)


def writeLabels(
    node: slicer.vtkMRMLSegmentationNode, file: Path, breathe: Breathe = noBreath
) -> tuple[SegmentContent, ...]:
    """Write labels to a `.seg.nrrd` file that is whole and read again, or else not touched.

    Afterwards the node knows that this is its file, and that it holds nothing else.

    Args:
        node: The labels.
        file: The file.
        breathe: Handles events, but none of the user's, so that the labels stay as they are.

    Returns:
        What it holds.

    Raises:
        CrossModalError: If the file cannot be written, or does not hold the labels. What was there
            before is then unchanged, and so is the node.
    """
    scene, contents = node.GetScene(), contentsOf(node, breathe)
    advice = _(
        "The labels are still in the scene. Free space or get permission to write there, or save"
        " them elsewhere with Slicer's Save."
    )
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    try:
        with explained_writing(str(file), advice), atomic_path(file) as temporary:
            isWritten = _write(storage, node, temporary, breathe)
            if not isWritten or not areAlike(contents, readContents(scene, temporary, breathe)):
                text = _("{file} cannot be written: it would not hold the labels. {advice}")
                raise CrossModalError(text.format(file=file, advice=advice))
    except BaseException:
        scene.RemoveNode(storage)
        raise
    storage.SetFileName(str(file))
    former = node.GetStorageNode()
    node.SetAndObserveStorageNodeID(storage.GetID())
    if former is not None:
        scene.RemoveNode(former)
    return contents


def writePlainly(
    node: slicer.vtkMRMLSegmentationNode, file: Path, breathe: Breathe = noBreath
) -> bool:
    """Write labels to a `.seg.nrrd` file that does not become theirs; return whether that worked.

    Args:
        node: The labels; what is known of their own file and their changes stays.
        file: The file.
        breathe: Handles events, but none of the user's.
    """
    scene = node.GetScene()
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    try:
        return _write(storage, node, file, breathe)
    finally:
        if storage.GetScene() is scene:  # events are handled in between
            scene.RemoveNode(storage)


def _write(
    storage: slicer.vtkMRMLSegmentationStorageNode,
    node: slicer.vtkMRMLSegmentationNode,
    file: Path,
    breathe: Breathe,
) -> bool:
    """Write labels, compressed in a thread; return whether that worked."""
    plain = file.with_name(f"{file.name.removesuffix('.seg.nrrd')}-plain.seg.nrrd")
    try:
        storage.SetUseCompression(False)
        storage.SetFileName(str(plain))
        if not storage.WriteData(node) or not plain.is_file():
            return False
        breathe()
        inThread(partial(compress_nrrd, plain, file), breathe)
        return True
    finally:
        storage.SetUseCompression(True)
        plain.unlink(missing_ok=True)


def _content(node: slicer.vtkMRMLSegmentationNode, segmentID: str, name: str) -> SegmentContent:
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segmentID, image)
    nothing = SegmentContent(name, np.zeros((0, 0, 0), dtype=np.bool_), np.eye(4))
    if image.GetNumberOfPoints() == 0:
        return nothing
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    voxels = values.reshape(image.GetDimensions()[::-1]) != 0
    others = ((1, 2), (0, 2), (0, 1))
    filled = [np.flatnonzero(voxels.any(axis=axes)) for axes in others]
    if not filled[0].size:
        return nothing
    k, j, i = (slice(int(found[0]), int(found[-1]) + 1) for found in filled)
    extent, matrix = image.GetExtent(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = np.array(slicer.util.arrayFromVTKMatrix(matrix), dtype=np.float64)
    corner = (extent[0] + i.start, extent[2] + j.start, extent[4] + k.start)
    affine[:3, 3] += affine[:3, :3] @ np.array(corner, dtype=np.float64)
    return SegmentContent(name, np.array(voxels[k, j, i]), affine)
