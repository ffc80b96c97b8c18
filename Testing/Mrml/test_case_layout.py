"""One linked view per image, in a layout of our own that goes away again."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from MultimodalImagingLib.images.geometry import Grid, Volume  # noqa: E402
from MultimodalSlicerLib.case_layout import MAX_VIEWS, CaseLayout, layoutXML  # noqa: E402
from MultimodalSlicerLib.slice_views import bringInside  # noqa: E402
from MultimodalSlicerLib.volume_nodes import addVolume  # noqa: E402

CONVENTIONAL = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView


class Views:
    """What the layout manager does: a slice logic, and with it a composite node, per slice node."""

    def __init__(self, scene):
        self.scene, self.logics = scene, {}
        self.layout = slicer.vtkMRMLLayoutLogic()
        self.layout.SetMRMLScene(scene)
        self.node = self.layout.GetLayoutNode()
        self.node.SetViewArrangement(CONVENTIONAL)
        self.node.AddObserver(vtk.vtkCommand.ModifiedEvent, self.update)
        self.update()

    def update(self, *_):
        for index in range(self.scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = self.scene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
            if node.GetLayoutName() not in self.logics:
                logic = slicer.vtkMRMLSliceLogic()
                self.logics[node.GetLayoutName()] = logic
                logic.SetMRMLScene(self.scene)
                logic.SetSliceNode(node)


@pytest.fixture
def views(scene):
    views = Views(scene)
    yield views
    views.node.RemoveAllObservers()


@pytest.fixture
def layout(scene, views):
    return CaseLayout(scene, "Test")


def image(scene, name="T1", center=(30.0, -20.0, 10.0), size=(40, 60, 20)):
    spacing = (1.0, 1.0, 2.0)
    origin_ras = [c - (n - 1) * s / 2 for c, n, s in zip(center, size, spacing, strict=True)]
    origin = (-origin_ras[0], -origin_ras[1], origin_ras[2])
    grid = Grid(size, spacing, origin, (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return addVolume(scene, Volume(np.ones(grid.array_shape, dtype=np.int16), grid), name)


def test_every_image_gets_a_view_of_its_own_with_its_name(scene, layout):
    volumes = {name: image(scene, name) for name in ("T1", "PET", "CT")}
    nodes = layout.show(volumes)
    assert [node.GetLayoutName() for node in nodes] == ["Test1", "Test2", "Test3"]
    assert [node.GetLayoutLabel() for node in nodes] == ["T1", "PET", "CT"]
    shown = [composite.GetBackgroundVolumeID() for composite in layout.compositeNodes()]
    assert shown == [volume.GetID() for volume in volumes.values()]
    assert layout.isShown


def test_the_views_are_linked_among_themselves_only(scene, layout, views):
    nodes = layout.show({"T1": image(scene), "PET": image(scene)})
    assert all(composite.GetHotLinkedControl() for composite in layout.compositeNodes())
    assert all(composite.GetLinkedControl() for composite in layout.compositeNodes())
    [group] = {node.GetViewGroup() for node in nodes}
    others = [logic.GetSliceNode() for name, logic in views.logics.items() if "Test" not in name]
    assert others
    assert group not in {node.GetViewGroup() for node in others}


def test_all_views_go_through_the_middle_of_the_first_image_with_one_zoom(scene, layout):
    large = image(scene, "PET", center=(0.0, 0.0, 50.0), size=(100, 100, 100))
    nodes = layout.show({"T1": image(scene), "PET": large})
    for node in nodes:
        assert node.GetSliceOffset() == pytest.approx(10.0, abs=1e-3)
        width, height, _ = node.GetFieldOfView()
        assert min(width / 40, height / 60) == pytest.approx(1.05, rel=1e-3)


def test_all_views_go_through_what_the_images_share(scene, layout):
    upper = image(scene, "PET", center=(30.0, -20.0, 40.0))  # 20 to 60, the first -10 to 30
    nodes = layout.show({"T1": image(scene), "PET": upper})
    assert [node.GetSliceOffset() for node in nodes] == pytest.approx([25.0, 25.0])


def test_a_view_of_an_image_that_lies_elsewhere_goes_through_its_own_middle(scene, layout):
    far = image(scene, "PET", center=(0.0, 0.0, 200.0))
    beside = image(scene, "CT", center=(500.0, -20.0, 10.0))
    nodes = layout.show({"T1": image(scene), "PET": far, "CT": beside})
    assert [node.GetSliceOffset() for node in nodes] == pytest.approx([10.0, 200.0, 10.0])
    assert nodes[2].GetSliceToRAS().GetElement(0, 3) == pytest.approx(500.0)


def test_slices_go_through_the_focus(scene, layout):
    [node] = layout.show({"T1": image(scene)}, focus=(35.0, -10.0, 17.0))
    assert node.GetSliceOffset() == pytest.approx(17.0, abs=1e-3)
    assert node.GetSliceToRAS().GetElement(0, 3) == pytest.approx(30.0, abs=1e-3)


def test_the_same_number_of_images_again_replaces_what_the_views_show(scene, layout):
    layout.show({"T1": image(scene), "PET": image(scene)})
    n_nodes = scene.GetNumberOfNodes()
    other = {"CT": image(scene), "MR": image(scene)}
    nodes = layout.show(other)
    assert [node.GetLayoutLabel() for node in nodes] == ["CT", "MR"]
    assert scene.GetNumberOfNodes() == n_nodes + 2 * 2  # volume and display, no view


def test_restore_brings_the_former_layout_back_and_empties_the_views(scene, layout, views):
    layout.show({"T1": image(scene)})
    layout.show({"T1": image(scene), "PET": image(scene)})
    layout.restore()
    assert views.node.GetViewArrangement() == CONVENTIONAL
    assert not layout.isShown
    assert {c.GetBackgroundVolumeID() for c in layout.compositeNodes()} == {None}


def test_restore_does_not_take_a_layout_away_that_the_person_chose_since(scene, layout, views):
    layout.show({"T1": image(scene)})
    views.node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    layout.restore()
    assert views.node.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_no_image_and_too_many_images_are_refused_before_anything_changes(scene, layout, views):
    volume = image(scene)
    for volumes in ({}, {str(index): volume for index in range(MAX_VIEWS + 1)}):
        with pytest.raises(ValueError, match="Expected 1 to 9 images"):
            layout.show(volumes)
    assert views.node.GetViewArrangement() == CONVENTIONAL


def test_a_hundred_cases_leave_no_more_nodes_than_one(scene, layout):
    def show_and_remove():
        volumes = {name: image(scene, name) for name in ("T1", "PET", "CT")}
        layout.show(volumes)
        layout.restore()
        for volume in volumes.values():
            scene.RemoveNode(volume.GetDisplayNode())
            scene.RemoveNode(volume)

    show_and_remove()
    n_nodes = scene.GetNumberOfNodes()
    for _ in range(100):
        show_and_remove()
    assert scene.GetNumberOfNodes() == n_nodes


def test_names_of_modalities_cannot_break_the_description():
    import xml.etree.ElementTree as ET

    root = ET.fromstring(layoutXML(['a"b', "c"], ['T1 <post> & "Gd"', "CT"]))
    labels = [p.text for p in root.iter("property") if p.get("name") == "viewlabel"]
    assert labels == ['T1 <post> & "Gd"', "CT"]
    assert [view.get("singletontag") for view in root.iter("view")] == ['a"b', "c"]


@pytest.mark.parametrize(
    ("n", "rows"),
    [(1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3]), (9, [3, 3, 3])],
)
def test_views_are_arranged_as_square_as_possible(n, rows):
    import xml.etree.ElementTree as ET

    names = [str(index) for index in range(n)]
    root = ET.fromstring(layoutXML(names, names))
    assert [len(list(row.iter("view"))) for row in root.findall("item")] == rows


def test_a_view_of_an_image_without_voxels_stays_where_it_is(scene):
    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    view = scene.AddNode(view)
    composite = slicer.vtkMRMLSliceCompositeNode()
    composite.SetLayoutName("Red")
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    scene.AddNode(composite).SetBackgroundVolumeID(empty.GetID())
    view.JumpSliceByOffsetting(1.0, 2.0, 3.0)
    before = (view.GetFieldOfView(), view.GetSliceOffset())
    bringInside(scene)
    assert (view.GetFieldOfView(), view.GetSliceOffset()) == before
