"""A result in the scene: segments, tables, maps on demand; overlays come and go without a trace."""

from __future__ import annotations

import json
import math

import example_result as example
import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")

from CIMLSegmentLib.results.map_kinds import MapKey  # noqa: E402
from CIMLSegmentLib.results.segmentation_result import read_result  # noqa: E402
from CIMLSegmentLib.task.task_io import load_task  # noqa: E402
from CIMLSegmentPanelLib.nodes.former_views import restoreViewState, viewState  # noqa: E402
from CIMLSegmentPanelLib.nodes.map_nodes import mapNode, mapNodes, removeMaps, scaleTop  # noqa: E402
from CIMLSegmentPanelLib.nodes.map_overlay import MapOverlay, Overlay  # noqa: E402
from CIMLSegmentPanelLib.nodes.result_facts import (  # noqa: E402
    isResult,
    resultContributions,
    resultFacts,
    resultImages,
)
from CIMLSegmentPanelLib.nodes.result_nodes import addResult, removeResult  # noqa: E402
from CIMLSegmentPanelLib.nodes.result_segments import segmentRows  # noqa: E402
from MultimodalImagingLib.images.geometry import is_same_grid  # noqa: E402
from MultimodalSlicerLib.volume_nodes import (  # noqa: E402
    OverlayStyle,
    addVolume,
    gridFromNode,
    placeInFolder,
    subjectHierarchy,
)

TASK = load_task("pet-ct-mr")
GRID = example.grid(direction=example.oblique())
INFORMATION = MapKey("information", "PET", "CT", None)
ATTENTION = MapKey("attention", "PET", "T1", "GTV")


@pytest.fixture
def images(scene):
    return {name: addVolume(scene, example.image(name, GRID), name) for name in TASK.modalities}


@pytest.fixture
def folder(tmp_path):
    return example.write_example(tmp_path, GRID)


@pytest.fixture
def result(scene, images, folder):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    addResult(node, read_result(folder), images, resolution="4 mm")
    return node


def census(scene) -> dict[str, int]:
    counts: dict[str, int] = {}
    for index in range(scene.GetNumberOfNodes()):
        name = scene.GetNthNode(index).GetClassName()
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_segments_have_name_color_code_and_volume(result):
    (row,) = segmentRows(result)
    region = TASK.regions[0]
    assert (row.segmentID, row.name) == (region.name, region.title)
    assert np.allclose(np.array(row.color) * 255, region.color, atol=0.5)
    assert row.code == "Neoplasm"
    made = example.make_result(GRID, TASK)
    assert row.volumeMl == pytest.approx(made.volumes_ml()["GTV"], rel=1e-6)


def test_the_reference_geometry_is_the_primary_image(result, images):
    role = result.GetReferenceImageGeometryReferenceRole()
    assert result.GetNodeReference(role) is images["PET"]
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    geometry = slicer.vtkOrientedImageData()
    text = result.GetSegmentation().GetConversionParameter(name)
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, geometry, False)
    assert geometry.GetDimensions() == GRID.size
    matrix = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(matrix)
    found = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    assert np.allclose(found, GRID.affine_ras, atol=1e-4)


def test_segmentation_and_folder_of_tables_lie_beside_the_primary_image(scene, images, folder):
    hierarchy = subjectHierarchy(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    for image in images.values():
        placeInFolder(image, study)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    addResult(node, read_result(folder), images)
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLTableNode")):
        table = scene.GetNthNodeByClass(index, "vtkMRMLTableNode")
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(table))
        assert hierarchy.GetItemName(folder) == "result maps and tables"
        assert hierarchy.GetItemParent(folder) == study
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
    mapNode(node, INFORMATION)
    item = hierarchy.GetItemByDataNode(mapNodes(node)[0])
    assert hierarchy.GetItemParent(hierarchy.GetItemParent(item)) == study


def test_contributions_are_those_of_the_arrays(result):
    shares = {(c.region, c.auxiliary): c.share for c in resultContributions(result)}
    expected = example.expected_shares(GRID, TASK)
    assert shares.keys() == expected.keys()
    for key, share in expected.items():
        assert shares[key] == pytest.approx(share, rel=1e-5)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)


def test_an_empty_region_has_no_shares(scene, images, tmp_path):
    folder = example.write_example(tmp_path, GRID, is_empty=True)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    addResult(node, read_result(folder), images)
    assert [c.share for c in resultContributions(node)] == [None, None]
    assert [row.volumeMl for row in segmentRows(node)] == [0.0]


def test_maps_are_made_on_demand_once_and_on_the_grid_of_the_primary(scene, result):
    n_volumes = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    volume = mapNode(result, INFORMATION)
    assert mapNode(result, INFORMATION) is volume
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == n_volumes + 1
    assert is_same_grid(gridFromNode(volume), GRID)
    made = next(m for m in example.make_result(GRID, TASK).maps if m.key.kind == "information")
    assert np.allclose(slicer.util.arrayFromVolume(volume), made.volume.array, rtol=1e-3)
    assert volume.GetName() == "Information CT to PET"


def test_all_maps_of_a_kind_share_one_scale(result):
    tops = [m.volume.array.max() for m in example.make_result(GRID, TASK).maps
            if m.key.kind == "information"]  # fmt: skip
    assert scaleTop(result, "information") == pytest.approx(max(tops), rel=1e-3)
    assert scaleTop(result, "attention") == 1.0
    assert scaleTop(result, "uncertainty") == pytest.approx(math.log(2))


def test_a_map_whose_file_is_gone_is_refused_and_the_scene_stays(scene, result, folder):
    for path in folder.glob("information_*"):
        path.unlink()
    before = census(scene)
    with pytest.raises(ValueError, match=r"is not there any more .* Segment again"):
        mapNode(result, INFORMATION)
    with pytest.raises(ValueError, match="has no map 'Information PET"):
        mapNode(result, MapKey("information", "CT", "PET", None))
    assert census(scene) == before


def test_removing_a_result_leaves_what_was_there_before(scene, images, folder):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    node.CreateDefaultDisplayNodes()
    before, items = census(scene), _items(scene)
    for _ in range(3):
        addResult(node, read_result(folder), images)
        for _name, _top, key in resultFacts(node).files:
            mapNode(node, key)
        removeResult(node)
        assert census(scene) == before
    assert not isResult(node)
    assert _items(scene) - items <= 1  # the segmentation itself


def test_maps_can_be_removed_and_read_again(scene, result):
    before = census(scene)
    mapNode(result, INFORMATION)
    mapNode(result, ATTENTION)
    removeMaps(result)
    assert census(scene) == before
    assert mapNode(result, ATTENTION) is not None


def _items(scene) -> int:
    hierarchy = subjectHierarchy(scene)
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), children, True)
    return children.GetNumberOfIds()


def test_a_result_replaces_the_one_before_in_the_same_node(scene, result, images, tmp_path):
    mapNode(result, INFORMATION)
    n_tables = scene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    other = example.write_example(tmp_path / "other", GRID, case="other")
    addResult(result, read_result(other), images)
    assert resultFacts(result).case == "other"
    assert not mapNodes(result)
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == n_tables


def test_a_file_that_cannot_be_read_leaves_the_scene_unchanged(scene, images, folder):
    stored = read_result(folder)
    stored.segmentation.write_bytes(b"nothing")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    before = census(scene)
    with pytest.raises(ValueError, match=r"cannot be read. Segment the case again"):
        addResult(node, stored, images)
    assert census(scene) == before
    assert not isResult(node)


def test_contributions_whose_table_was_removed_are_none(scene, result):
    for name in ("contributions", "volumes"):
        scene.RemoveNode(scene.GetFirstNodeByName(f"case {name}"))
    assert resultContributions(result) == []


@pytest.mark.parametrize("notes", ["{broken", "[]", "3", "{}", '{"files": [["a.nrrd", 1.0, {}]]}'])
def test_edited_notes_of_a_result_are_refused_by_name(result, notes):
    result.SetAttribute("CIMLSegment.Result", notes)
    with pytest.raises(ValueError, match=r"The notes of the result 'result' cannot be read"):
        resultFacts(result)


def test_a_result_with_edited_notes_can_be_replaced(result, images, folder):
    result.SetAttribute("CIMLSegment.Result", "{broken")
    addResult(result, read_result(folder), {"PET": images["PET"]})
    assert resultFacts(result).case == "case"
    assert resultImages(result) == {"PET": images["PET"]}


def test_images_that_were_removed_are_not_named_any_more(scene, result, images):
    scene.RemoveNode(images["CT"])
    assert resultImages(result) == {"PET": images["PET"], "T1": images["T1"]}


def test_a_saved_scene_knows_its_results_again(scene, result, tmp_path):
    mapNode(result, ATTENTION)
    text = result.GetAttribute("CIMLSegment.Result")
    assert json.loads(text)["primary"] == "PET"
    scene.SetSaveToXMLString(1)
    scene.Commit()
    xml = scene.GetSceneXMLString()
    other = slicer.vtkMRMLScene()
    other.SetLoadFromXMLString(1)
    other.SetSceneXMLString(xml)
    other.Import()
    node = other.GetFirstNodeByName("result")
    assert resultFacts(node) == resultFacts(result)
    assert set(resultImages(node)) == set(TASK.modalities)
    assert [item.GetName() for item in mapNodes(node)] == [
        "Attention T1 to PET (Gross tumor volume)"
    ]


# --- overlays ---------------------------------------------------------------------------------


@pytest.fixture
def views(scene, images):
    """Two slice views, as the layout makes them."""
    scene.AddNode(slicer.vtkMRMLLayoutNode())
    slicer.vtkSlicerColorLogic().SetMRMLScene(scene)  # knows legends
    nodes = []
    for name in ("Red", "Green"):
        slice_node = slicer.vtkMRMLSliceNode()
        slice_node.SetLayoutName(name)
        scene.AddNode(slice_node)
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetLayoutName(name)
        nodes.append(scene.AddNode(composite))
    nodes[0].SetBackgroundVolumeID(images["PET"].GetID())
    nodes[0].SetForegroundVolumeID(images["T1"].GetID())
    nodes[0].SetForegroundOpacity(0.25)
    nodes[0].SetCompositing(1)
    return nodes


@pytest.fixture
def overlay(result, images):
    return Overlay(
        volume=mapNode(result, INFORMATION),
        image=images["CT"],
        primary=None,
        labels=("CT", "PET"),
        segmentation=result,
        segmentID="GTV",
        legend="Information\nCT to PET",
        title="Information",
    )


STYLE = OverlayStyle(0.0, 2.5, 0.5, "vtkMRMLColorTableNodeRed")


def test_an_overlay_lies_over_its_image_in_all_views(scene, views, overlay):
    shown = MapOverlay(scene)
    shown.show(overlay, STYLE, opacity=0.6)
    for view in views:
        assert view.GetBackgroundVolumeID() == overlay.image.GetID()
        assert view.GetForegroundVolumeID() == overlay.volume.GetID()
        assert view.GetForegroundOpacity() == pytest.approx(0.6)
        assert view.GetCompositing() == slicer.vtkMRMLSliceCompositeNode.Alpha
    display = overlay.volume.GetScalarVolumeDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 2.5)
    assert display.GetLowerThreshold() == pytest.approx(0.5)
    assert display.GetApplyThreshold()


def test_only_the_region_is_outlined_and_the_slices_go_there(scene, views, overlay):
    overlay.segmentation.GetSegmentation().AddEmptySegment("other", "other")
    MapOverlay(scene).show(overlay, STYLE, opacity=0.6)
    display = overlay.segmentation.GetDisplayNode()
    assert not display.GetVisibility2DFill()
    assert display.GetVisibility2DOutline()
    assert display.GetSegmentVisibility("GTV")
    assert not display.GetSegmentVisibility("other")
    center = overlay.segmentation.GetSegmentCenterRAS("GTV")
    red = scene.GetFirstNodeByName("Red") or scene.GetNthNodeByClass(0, "vtkMRMLSliceNode")
    assert red.GetSliceToRAS().GetElement(2, 3) == pytest.approx(center[2])


def test_removing_an_overlay_restores_views_and_segments(scene, views, overlay):
    overlay.segmentation.GetDisplayNode().SetOpacity2DOutline(0.4)
    nodes, state = census(scene), viewState(scene, overlay.segmentation)
    shown = MapOverlay(scene)
    for _ in range(3):
        shown.show(overlay, STYLE, opacity=0.6)
        assert viewState(scene, overlay.segmentation) != state
        shown.restore()
        assert viewState(scene, overlay.segmentation) == state
        assert census(scene) == nodes
    assert shown.former == ""


def test_a_second_map_does_not_change_what_is_restored(scene, views, overlay, result):
    state = viewState(scene, result)
    shown = MapOverlay(scene)
    shown.show(overlay, STYLE, opacity=0.6)
    other = Overlay(**{**vars(overlay), "volume": mapNode(result, ATTENTION)})
    shown.show(other, STYLE, opacity=0.2)
    shown.restore()
    assert viewState(scene, result) == state


def test_views_can_be_restored_though_a_volume_is_gone(scene, views, overlay, images):
    shown = MapOverlay(scene)
    shown.show(overlay, STYLE, opacity=0.6)
    scene.RemoveNode(images["T1"])
    shown.restore()
    assert views[0].GetBackgroundVolumeID() == images["PET"].GetID()
    assert views[0].GetForegroundVolumeID() is None


def test_there_is_one_legend_and_it_goes_with_the_overlay(scene, views, overlay):
    shown = MapOverlay(scene)
    for _ in range(2):
        shown.show(overlay, STYLE, opacity=0.6)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 1
    legend = scene.GetNthNodeByClass(0, "vtkMRMLColorLegendDisplayNode")
    assert legend.GetTitleText() == overlay.legend
    shown.restore()
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0


def test_a_state_survives_as_text(scene, views, overlay):
    state = viewState(scene, overlay.segmentation)
    MapOverlay(scene).show(overlay, STYLE, opacity=0.6)
    restoreViewState(scene, json.dumps(json.loads(state)))
    assert viewState(scene, overlay.segmentation) == state
