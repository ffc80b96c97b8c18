"""What messages changed, in the scene: the table, and a map that is transparent around 0."""

from __future__ import annotations

import json
from dataclasses import replace

import example_result as example
import numpy as np
import pytest

from CIMLSegmentLib.results.segmentation_result import read_result
from CIMLSegmentLib.task.task_io import load_task

TASK, GRID = load_task("pet-ct-mr"), example.grid()


@pytest.fixture
def result(scene, host, tmp_path):
    from CIMLSegmentPanelLib.nodes.result_nodes import addResult
    from MultimodalSlicerLib.volume_nodes import addVolume

    folder = example.write_example(tmp_path, GRID, with_influence=True)
    images = {name: addVolume(scene, example.image(name, GRID), name) for name in TASK.modalities}
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    addResult(node, read_result(folder), images)
    return node


@pytest.fixture
def browser(scene, host):
    from CIMLSegmentPanelLib.nodes.map_browser import MapBrowser

    return MapBrowser(scene)


def cell(auxiliary):
    from CIMLSegmentPanelLib.nodes.map_browser import Cell

    return Cell("GTV", "PET", auxiliary)


def view(threshold=20.0):
    from CIMLSegmentPanelLib.nodes.map_browser import MapView
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import MapKind

    return MapView(
        kind=MapKind("influence"),
        opacity=0.6,
        threshold=threshold,
        isSideBySide=False,
        isInterpolated=False,
    )


def test_influence_is_read_back_from_file_and_scene(result):
    from CIMLSegmentPanelLib.nodes.result_facts import resultInfluences

    made = example.make_result(GRID, TASK, with_influence=True).influences
    found = resultInfluences(result)
    assert [(e.region, e.auxiliary) for e in found] == [(e.region, e.auxiliary) for e in made]
    for one, other in zip(found, made, strict=True):
        assert one.added_ml == pytest.approx(other.added_ml)
        assert one.removed_ml == pytest.approx(other.removed_ml)
        assert one.share == pytest.approx(other.share)
        assert one.changed_voxels == other.changed_voxels
    assert [e.changed_voxels for e in found[:2]] == [1, 2]
    assert found[0].added_ml > 0
    assert found[1].removed_ml > 0


def test_a_scene_of_before_has_influence_without_the_voxels_that_change_label(result):
    from CIMLSegmentPanelLib.nodes import result_facts

    tables = [
        result.GetNthNodeReference(result_facts.TABLE_ROLE, index)
        for index in range(result.GetNumberOfNodeReferences(result_facts.TABLE_ROLE))
    ]
    for table in tables:
        table.GetTable().RemoveColumnByName(result_facts.CHANGED_COLUMN)
    made = example.make_result(GRID, TASK, with_influence=True).influences
    found = result_facts.resultInfluences(result)
    assert [e.auxiliary for e in found] == [e.auxiliary for e in made]
    assert {e.changed_voxels for e in found} == {None}


def test_a_cell_tells_how_many_voxels_change_label_without_the_auxiliary(result):
    from CIMLSegmentPanelLib.nodes.result_facts import resultInfluences
    from CIMLSegmentPanelLib.widgets.share_matrix import _influenceTip

    one, two = resultInfluences(result)[:2]
    assert _influenceTip(one, "Lesion").endswith("\nWithout it 1 voxel has another label.")
    assert _influenceTip(two, "Lesion").endswith("\nWithout it 2 voxels have another label.")
    unknown = replace(one, changed_voxels=None)
    assert "Without it" not in _influenceTip(unknown, "Lesion")


def test_the_scale_is_symmetric_and_holds_what_is_most_negative(result, browser):
    from CIMLSegmentPanelLib.nodes.map_nodes import mapNodes, scaleTop

    changes = example.make_result(GRID, TASK, with_influence=True).maps
    signed = [m.volume.array for m in changes if m.key.kind == "influence"]
    largest = max(float(np.abs(values).max()) for values in signed)
    assert largest > max(float(values.max()) for values in signed[1:])
    assert scaleTop(result, "influence") == pytest.approx(largest, rel=1e-3)
    browser.show(result, cell("T1"), view())
    [node] = mapNodes(result)
    display = node.GetScalarVolumeDisplayNode()
    assert display.GetWindowLevelMin() == pytest.approx(-largest, rel=1e-3)
    assert display.GetWindowLevelMax() == pytest.approx(largest, rel=1e-3)
    assert not display.GetApplyThreshold()


@pytest.mark.parametrize("hidden", [0.0, 0.2, 0.5])
def test_values_around_0_have_no_color_and_the_ends_have_opposite_ones(host, hidden):
    from CIMLSegmentPanelLib.nodes.map_browser import signedColors

    colors = signedColors("DivergingBlueRed", hidden)
    shares = np.linspace(-1, 1, len(colors))
    is_shown = np.array([color[3] for color in colors])
    assert set(is_shown) == {0.0, 1.0}
    assert (is_shown[np.abs(shares) > hidden + 0.006] == 1).all()
    assert (is_shown[np.abs(shares) < hidden - 0.006] == 0).all()
    assert is_shown[len(colors) // 2] == 0
    (red, _, blue, _), (red_end, _, blue_end, _) = colors[0], colors[-1]
    assert blue > red
    assert red_end > blue_end


def test_the_threshold_changes_what_is_transparent_and_is_said(result, browser):
    from CIMLSegmentPanelLib.nodes.map_nodes import mapNodes, scaleTop

    text = browser.show(result, cell("CT"), view(20))
    [node] = mapNodes(result)
    n_hidden = []
    for threshold in (20, 60):
        browser.restyle(view(threshold))
        table = node.GetScalarVolumeDisplayNode().GetColorNode().GetLookupTable()
        rows = [table.GetTableValue(index) for index in range(table.GetNumberOfTableValues())]
        n_hidden.append(sum(row[3] == 0 for row in rows))
    assert n_hidden[0] < n_hidden[1]
    top = scaleTop(result, "influence")
    assert f"Scale -{top:.3g} to {top:.3g}; within {0.2 * top:.2g} of 0 hidden." in text
    assert json.loads(node.GetAttribute("CIMLSegment.Map"))["kind"] == "influence"
