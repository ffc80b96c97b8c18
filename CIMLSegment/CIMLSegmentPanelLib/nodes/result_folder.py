"""The folder of the subject hierarchy that holds maps and tables of one result.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from CIMLSegmentPanelLib.nodes.result_facts import MAP_ATTRIBUTE, MAP_ROLE, TABLE_ROLE
from MultimodalSlicerLib.volume_nodes import placeInFolder, removeNode, subjectHierarchy


def nodesOfResult(node: slicer.vtkMRMLSegmentationNode, role: str) -> list[slicer.vtkMRMLNode]:
    """Return the maps or the tables of a result that are in the scene.

    Args:
        node: The result.
        role: `MAP_ROLE` or `TABLE_ROLE`.
    """
    count = node.GetNumberOfNodeReferences(role)
    found = [node.GetNthNodeReference(role, index) for index in range(count)]
    return [item for item in found if item is not None]


def addToResult(node: slicer.vtkMRMLSegmentationNode, role: str, item: slicer.vtkMRMLNode) -> None:
    """Put a map or a table into the folder of a result, which is made if needed."""
    placeInFolder(item, _folder(node) or _newFolder(node))
    node.AddNodeReferenceID(role, item.GetID())


def removeFromResult(node: slicer.vtkMRMLSegmentationNode, roles: Sequence[str]) -> None:
    """Remove the maps or the tables of a result, and the folder if nothing else is in it."""
    folder, hierarchy = _folder(node), subjectHierarchy(node.GetScene())
    for role in roles:
        for item in nodesOfResult(node, role):
            removeNode(item)
        node.RemoveNodeReferenceIDs(role)
    if folder and hierarchy.GetNumberOfItemChildren(folder) == 0:
        hierarchy.RemoveItem(folder)


def _folder(node: slicer.vtkMRMLSegmentationNode) -> int:
    """Item of the folder, wherever the user put it; 0 if there is none."""
    hierarchy = subjectHierarchy(node.GetScene())
    items = (item for role in (MAP_ROLE, TABLE_ROLE) for item in nodesOfResult(node, role))
    parents = (hierarchy.GetItemParent(hierarchy.GetItemByDataNode(item)) for item in items)
    return next((item for item in parents if hierarchy.GetItemAttribute(item, MAP_ATTRIBUTE)), 0)


def _newFolder(node: slicer.vtkMRMLSegmentationNode) -> int:
    hierarchy = subjectHierarchy(node.GetScene())
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    folder = hierarchy.CreateFolderItem(parent, f"{node.GetName()} maps and tables")
    hierarchy.SetItemAttribute(folder, MAP_ATTRIBUTE, "1")
    return int(folder)
