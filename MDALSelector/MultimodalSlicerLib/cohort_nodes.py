"""Images and labels of a cohort in the scene: what they are called, and what Slicer's Save does.

Must not import Qt. Slicer's Save (`qSlicerSaveDataDialog`) checks every node that was changed since
it was read, and it gives a node whose name differs from its file's another file beside that one. An
image of a cohort is therefore named like its file. It has no file in the cohort any more once the
user renames or changes it: it is the user's own then, and saved elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import slicer

from MultimodalImagingLib.cohorts.saved_copies import saved_name

CASE_ATTRIBUTE = "CrossModal.Case"
MODALITY_ATTRIBUTE = "CrossModal.Modality"
NAME_ATTRIBUTE = "CrossModal.Name"  # the node's name as it was given; the user may give another
LABEL_FILE_ATTRIBUTE = "CrossModal.LabelFile"
FILE_ATTRIBUTE = "CrossModal.File"
_SELF_ROLE = "CrossModal.Self"  # a copy that the user makes of a node refers to the node itself


def markAsOpened(node: slicer.vtkMRMLNode, caseID: str) -> None:
    """Mark a node as one of the open case."""
    node.SetAttribute(CASE_ATTRIBUTE, caseID)
    node.SetNodeReferenceID(_SELF_ROLE, node.GetID())


def isOpened(node: slicer.vtkMRMLNode) -> bool:
    """Tell whether a node is one of the open case, and no copy of one."""
    marked = node.GetNodeReference(_SELF_ROLE)
    return bool(node.GetAttribute(CASE_ATTRIBUTE)) and marked in (None, node)


def titleOf(node: slicer.vtkMRMLVolumeNode, modality: str = "") -> str:
    """Return what a view of an image is headed: its modality, or the name that the user gave.

    Args:
        node: The image.
        modality: Its modality; that of a cohort's image is known without.
    """
    name = node.GetAttribute(NAME_ATTRIBUTE)
    if name is not None and name != node.GetName():
        return str(node.GetName())
    return str(modality or node.GetAttribute(MODALITY_ATTRIBUTE) or node.GetName())


def fullName(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return what an image is: case and modality, or the name that the user gave."""
    modality = node.GetAttribute(MODALITY_ATTRIBUTE) if _isNamedAsGiven(node) else None
    return f"{node.GetAttribute(CASE_ATTRIBUTE)} {modality}" if modality else str(node.GetName())


def giveName(node: slicer.vtkMRMLNode, name: str) -> None:
    """Name a node, so that another name is known to be the user's."""
    node.SetName(name)
    node.SetAttribute(NAME_ATTRIBUTE, name)


def sourceFile(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return the file in a cohort that an image comes from; empty for other images."""
    return node.GetAttribute(FILE_ATTRIBUTE) or ""


def nameAfterFile(node: slicer.vtkMRMLVolumeNode, otherwise: str) -> None:
    """Name an image like the file that it was read from, so that Slicer's Save leaves it alone.

    An image that cannot have its file's name, because it is one of several in the file or because
    Slicer's Save would leave out some of the characters, is not saved by Slicer at all.

    Args:
        node: The image.
        otherwise: Its name if it cannot have its file's.
    """
    storage = node.GetStorageNode()
    name = "" if storage is None else storage.GetFileNameWithoutExtension()
    isKept = bool(name) and saved_name(name) == name
    giveName(node, name if isKept else otherwise)
    node.SetSaveWithScene(isKept)


def letGoOfFileIfChanged(node: slicer.vtkMRMLVolumeNode) -> None:
    """Forget the file in the cohort of an image that was renamed, or changed since it was read.

    Slicer's Save puts it where scenes go then, not into the cohort.
    """
    storage = node.GetStorageNode()
    isCohorts = storage is not None and _isFile(storage, Path(sourceFile(node)))
    isKept = bool(node.GetSaveWithScene())
    if _isNamedAsGiven(node) and not (isCohorts and node.GetModifiedSinceRead()):
        return
    if isCohorts:
        node.SetAndObserveStorageNodeID(None)
        node.GetScene().RemoveNode(storage)
    if not isKept:
        node.SetSaveWithScene(True)


def placeLabel(node: slicer.vtkMRMLSegmentationNode, file: Path | None) -> None:
    """Let Slicer's Save put labels into a file, whichever file they were read from.

    Args:
        node: The labels.
        file: The file; `None` if there is no place for them: Slicer's Save then puts them where
            scenes go.
    """
    setLabelFile(node, file)
    storage = node.GetStorageNode()
    if file is None:
        if storage is not None:
            node.SetAndObserveStorageNodeID(None)
            node.GetScene().RemoveNode(storage)
        return
    giveName(node, file.name.removesuffix(".seg.nrrd"))
    isThere = storage is not None and _isFile(storage, file)
    if not isThere:
        if storage is None:
            storage = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
            node.SetAndObserveStorageNodeID(storage.GetID())
        storage.SetFileName(str(file))
        if node.GetSegmentation().GetNumberOfSegments():
            node.StorableModified()  # that file does not hold them yet


def setLabelFile(node: slicer.vtkMRMLNode, file: Path | None) -> None:
    """Note with an image or labels of a case where its labels belong."""
    node.SetAttribute(LABEL_FILE_ATTRIBUTE, str(file) if file else "")


def labelFile(node: slicer.vtkMRMLNode) -> Path | None:
    """Return the file that the labels of a case belong in; `None` if there is no place for them."""
    path = node.GetAttribute(LABEL_FILE_ATTRIBUTE)
    return Path(path) if path else None


def _isFile(storage: slicer.vtkMRMLStorageNode, file: Path) -> bool:
    """Tell whether a storage node is that of a file, whichever way its path is written."""
    return Path(storage.GetFullNameFromFileName()) == file


def _isNamedAsGiven(node: slicer.vtkMRMLNode) -> bool:
    return bool(node.GetName() == node.GetAttribute(NAME_ATTRIBUTE))
