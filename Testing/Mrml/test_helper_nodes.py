"""Nodes that the modules make for themselves: one of each, hidden or in one folder."""

from __future__ import annotations

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalSlicerLib.helper_nodes import (  # noqa: E402
    FOLDER,
    addHelper,
    findNode,
    findOrAddNode,
    keepLatest,
    keepOneFolder,
    removeEmptyFolder,
    removeHelper,
    roleOf,
)
from MultimodalSlicerLib.volume_nodes import subjectHierarchy  # noqa: E402

TABLE = "vtkMRMLTableNode"


def add(scene, role="ranking", *, is_saved=True):
    return addHelper(scene, TABLE, role, name=role, isSaved=is_saved)


def folders(scene):
    """Names of the folders at the top, with the number of nodes in each."""
    hierarchy = subjectHierarchy(scene)
    top = hierarchy.GetSceneItemID()
    count = hierarchy.GetNumberOfItemChildren(top)
    items = [hierarchy.GetItemByPositionUnderParent(top, index) for index in range(count)]
    own = [item for item in items if hierarchy.GetItemDataNode(item) is None]
    return [(hierarchy.GetItemName(item), hierarchy.GetNumberOfItemChildren(item)) for item in own]


def test_what_is_saved_lies_in_one_folder_and_keeps_its_name(scene):
    first, second = add(scene), add(scene, "course")
    assert folders(scene) == [(FOLDER, 2)]
    assert [first.GetName(), second.GetName()] == ["ranking", "course"]
    assert first.GetSaveWithScene()
    assert not first.GetHideFromEditors()


def test_what_can_be_made_anew_is_hidden_from_the_first_moment_on(scene):
    seen = []
    scene.AddObserver(
        scene.NodeAddedEvent,
        lambda *_: seen.append(scene.GetNthNodeByClass(0, TABLE).GetHideFromEditors()),
    )
    node = add(scene, is_saved=False)
    assert seen == [1]
    assert not node.GetSaveWithScene()
    assert folders(scene) == []


def test_a_renamed_folder_is_found_again(scene):
    add(scene)
    hierarchy = subjectHierarchy(scene)
    hierarchy.SetItemName(
        hierarchy.GetItemByPositionUnderParent(hierarchy.GetSceneItemID(), 0), "mine"
    )
    add(scene, "course")
    assert folders(scene) == [("mine", 2)]


def test_the_last_node_takes_the_folder_along_and_has_no_role_when_it_goes(scene):
    first, second = add(scene), add(scene, "course")
    roles = []
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, lambda *_: roles.append(roleOf(first)))
    removeHelper(first)
    assert roles == [""]
    assert folders(scene) == [(FOLDER, 1)]
    removeHelper(second)
    assert folders(scene) == []
    assert scene.GetNumberOfNodesByClass(TABLE) == 0


def test_a_folder_that_the_user_emptied_goes(scene):
    node = add(scene)
    removeEmptyFolder(scene)
    assert folders(scene) == [(FOLDER, 1)]
    hierarchy = subjectHierarchy(scene)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), hierarchy.GetSceneItemID())
    removeEmptyFolder(scene)
    assert folders(scene) == []


def test_of_two_scenes_the_latest_node_is_kept(scene):
    former, latest, other = add(scene), add(scene), add(scene, "course")
    assert findNode(scene, TABLE, "ranking") is latest
    keepLatest(scene, TABLE, "ranking")
    assert former.GetScene() is None
    assert latest.GetScene() is other.GetScene() is scene
    assert folders(scene) == [(FOLDER, 2)]
    keepLatest(scene, TABLE, "nothing")
    assert findOrAddNode(scene, TABLE, "ranking", name="ranking") is latest


def test_a_folder_that_came_late_goes_into_the_first(scene):
    ranking, course = add(scene), add(scene, "course")
    hierarchy = subjectHierarchy(scene)
    late = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), FOLDER)
    first = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(ranking))
    for name in hierarchy.GetItemAttributeNames(first):
        hierarchy.SetItemAttribute(late, name, hierarchy.GetItemAttribute(first, name))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(course), late)
    assert folders(scene) == [(FOLDER, 1), (FOLDER, 1)]
    keepOneFolder(scene)
    assert folders(scene) == [(FOLDER, 2)]
    keepOneFolder(scene)
    assert folders(scene) == [(FOLDER, 2)]
    assert ranking.GetScene() is course.GetScene() is scene
