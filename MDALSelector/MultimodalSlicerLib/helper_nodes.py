"""Nodes that the modules make for themselves: one per role, hidden or in one folder of Data.

Must not import Qt. A node is found again by its role, an attribute that the scene's file keeps, so
its name stays as it is. What can be made anew at any time is hidden, and not saved. A table that a
saved scene has to keep is seen in the folder: Slicer's Save leaves the content of hidden nodes out.
Slicer's hierarchy of data asks whether a node is hidden only when it is added.
"""

from __future__ import annotations

import slicer

from MultimodalSlicerLib.volume_nodes import (
    hideHelper,
    nodesOf,
    placeInFolder,
    removeNode,
    subjectHierarchy,
)

ROLE_ATTRIBUTE = "CrossModal.Role"
FOLDER = "CrossModal"
_FOLDER_ATTRIBUTE = "CrossModal.Folder"


def roleOf(node: slicer.vtkMRMLNode) -> str:
    """Return the role of a node that the modules made; empty for all others."""
    return node.GetAttribute(ROLE_ATTRIBUTE) or ""


def findNodes(scene: slicer.vtkMRMLScene, className: str, role: str) -> list[slicer.vtkMRMLNode]:
    """Return the nodes of a class that have a role; several after a scene was added to another."""
    return [node for node in nodesOf(scene, className) if roleOf(node) == role]


def findNode(scene: slicer.vtkMRMLScene, className: str, role: str) -> slicer.vtkMRMLNode | None:
    """Return the node of a class that has a role, the latest; `None` if there is none."""
    return next(reversed(findNodes(scene, className, role)), None)


def findOrAddNode(
    scene: slicer.vtkMRMLScene, className: str, role: str, *, name: str, isSaved: bool = False
) -> slicer.vtkMRMLNode:
    """Return the node of a class that has a role, made if there is none.

    Args:
        scene: The scene.
        className: The class.
        role: The role.
        name: Name of a new node.
        isSaved: Whether a saved scene has to keep it; it is then in the folder, else hidden.
    """
    return findNode(scene, className, role) or addHelper(
        scene, className, role, name=name, isSaved=isSaved
    )


def addHelper(
    scene: slicer.vtkMRMLScene, className: str, role: str, *, name: str, isSaved: bool = False
) -> slicer.vtkMRMLNode:
    """Add a node with a role; see `findOrAddNode`."""
    node = scene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetAttribute(ROLE_ATTRIBUTE, role)
    if not isSaved:
        hideHelper(node)
    node = scene.AddNode(node)
    if isSaved:
        placeInFolder(node, _folder(scene) or _newFolder(scene))
    return node


def removeHelper(node: slicer.vtkMRMLNode) -> None:
    """Remove a node, and the folder if nothing else is in it.

    It has no role any more when it goes, so that it is known from one that the user deletes.
    """
    scene = node.GetScene()
    node.RemoveAttribute(ROLE_ATTRIBUTE)
    if node.IsA("vtkMRMLStorableNode"):
        removeNode(node)
    else:
        scene.RemoveNode(node)
    removeEmptyFolder(scene)


def removeEmptyFolder(scene: slicer.vtkMRMLScene) -> None:
    """Remove the folder if nothing is in it any more, and that of a scene that was added."""
    hierarchy = subjectHierarchy(scene)
    for folder in _folders(scene):
        if hierarchy.GetNumberOfItemChildren(folder) == 0:
            hierarchy.RemoveItem(folder)


def keepOneFolder(scene: slicer.vtkMRMLScene) -> None:
    """Put what lies in several folders of the modules into the first of them.

    While a scene is read, its folder may come after the nodes that belong in it.
    """
    hierarchy = subjectHierarchy(scene)
    for other in _folders(scene)[1:]:
        while hierarchy.GetNumberOfItemChildren(other):
            item = hierarchy.GetItemByPositionUnderParent(other, 0)
            hierarchy.SetItemParent(item, _folder(scene))
    removeEmptyFolder(scene)


def keepLatest(scene: slicer.vtkMRMLScene, className: str, role: str) -> None:
    """Leave one node of a role, the latest, in the folder: a scene was added to another.

    A node of a scene that was read may lie in its folder and, another time, at the top.
    """
    *former, latest = findNodes(scene, className, role) or [None]
    for node in former:
        removeHelper(node)
    if latest is None:
        return
    hierarchy = subjectHierarchy(scene)
    for item in _topItems(scene):
        if hierarchy.GetItemDataNode(item) is latest:
            hierarchy.RemoveItem(item, False, False)
    placeInFolder(latest, _folder(scene) or _newFolder(scene))
    removeEmptyFolder(scene)


def _folder(scene: slicer.vtkMRMLScene) -> int:
    """Item of the folder, whatever its name is now; 0 if there is none."""
    return next(iter(_folders(scene)), 0)


def _folders(scene: slicer.vtkMRMLScene) -> list[int]:
    hierarchy = subjectHierarchy(scene)
    items = _topItems(scene)
    return [item for item in items if hierarchy.GetItemAttribute(item, _FOLDER_ATTRIBUTE)]


def _topItems(scene: slicer.vtkMRMLScene) -> list[int]:
    hierarchy = subjectHierarchy(scene)
    top = hierarchy.GetSceneItemID()
    count = hierarchy.GetNumberOfItemChildren(top)
    return [hierarchy.GetItemByPositionUnderParent(top, index) for index in range(count)]


def _newFolder(scene: slicer.vtkMRMLScene) -> int:
    hierarchy = subjectHierarchy(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), FOLDER)
    hierarchy.SetItemAttribute(folder, _FOLDER_ATTRIBUTE, "1")
    return int(folder)
