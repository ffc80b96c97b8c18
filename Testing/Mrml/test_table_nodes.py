"""Tables and scatter plots in the scene, also after it was saved and read again."""

from __future__ import annotations

import math

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalSlicerLib.helper_nodes import findNode, findOrAddNode  # noqa: E402
from MultimodalSlicerLib.table_nodes import (  # noqa: E402
    ScatterPlot,
    SeriesStyle,
    columnsOf,
    pointLabels,
    seriesByName,
    setColumns,
)

COLUMNS = {
    "case": ["A", "Bé", "C"],
    "rank": [1, 2, 3],
    "difference": [1.25, float("nan"), -0.5],
    "why": ["far, from others", "a\tb\nc", ""],
}
STYLES = {
    "unlabelled": SeriesStyle((0.5, 0.5, 0.5)),
    "suggested": SeriesStyle((1.0, 0.5, 0.0), slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond, 12),
}
GROUPS = {
    "unlabelled": [("A", 0.1, 1.0), ("B", 0.2, 2.0), ("C", 0.3, 3.0)],
    "suggested": [("D", 0.4, 4.0)],
    "labelled": [],
}


@pytest.fixture
def table(scene):
    return findOrAddNode(scene, "vtkMRMLTableNode", "ranking", name="Ranking", isSaved=True)


@pytest.fixture
def plot(scene):
    return ScatterPlot(scene, "scatter", "points")


@pytest.fixture
def chart(plot):
    return plot.draw(GROUPS, STYLES)


def test_columns_come_back_with_their_types(table):
    setColumns(table, COLUMNS)
    back = columnsOf(table)
    assert back["case"] == ["A", "Bé", "C"]
    assert back["rank"] == [1, 2, 3]
    assert back["difference"][::2] == [1.25, -0.5]
    assert math.isnan(back["difference"][1])
    assert back["why"][1] == "a b c"  # no tabs and line ends, see the next test


def test_a_table_is_the_same_after_it_was_saved_and_read(table, scene, tmp_path):
    setColumns(table, {**COLUMNS, "exact": [1 / 3, 2e-7 / 3, 1e9 / 7]})
    before = columnsOf(table)
    storage = slicer.vtkMRMLTableStorageNode()
    storage.SetFileName(str(tmp_path / "ranking.tsv"))
    scene.AddNode(storage)
    assert storage.WriteData(table)
    back = scene.AddNewNodeByClass("vtkMRMLTableNode")
    assert storage.ReadData(back)
    assert repr(columnsOf(back)) == repr(before)


def test_setting_columns_replaces_the_old_ones(table):
    setColumns(table, COLUMNS)
    setColumns(table, {"case": ["Z"]})
    assert columnsOf(table) == {"case": ["Z"]}


def test_people_cannot_edit_the_mirror(table):
    setColumns(table, COLUMNS)
    assert table.GetLocked()


def test_a_node_is_found_again_by_its_role_not_its_name(scene, table):
    table.SetName("renamed")
    assert findOrAddNode(scene, "vtkMRMLTableNode", "ranking", name="Ranking") is table
    assert findNode(scene, "vtkMRMLTableNode", "other") is None


def test_every_group_with_points_is_a_series_in_the_order_of_drawing(chart):
    assert list(seriesByName(chart)) == ["unlabelled", "suggested"]
    suggested = seriesByName(chart)["suggested"]
    assert suggested.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter
    assert suggested.GetLineStyle() == slicer.vtkMRMLPlotSeriesNode.LineStyleNone
    assert suggested.GetColor() == pytest.approx((1.0, 0.5, 0.0))
    assert suggested.GetMarkerSize() == 12


def test_a_picked_point_is_known_by_its_label(chart):
    series = seriesByName(chart)
    assert pointLabels(series["unlabelled"], [2, 0]) == ["C", "A"]
    # The table is filled up with the last point of a short group: all of them are that case.
    assert pointLabels(series["suggested"], [0, 1, 2]) == ["D"]


def test_no_value_of_the_plotted_columns_is_missing(chart):
    columns = columnsOf(seriesByName(chart)["suggested"].GetTableNode())
    numbers = [value for values in columns.values() for value in values if isinstance(value, float)]
    assert numbers
    assert all(math.isfinite(value) for value in numbers)


def test_drawing_again_reuses_series_and_removes_those_without_points(scene, plot, chart):
    before = seriesByName(chart)
    n_nodes = scene.GetNumberOfNodes()
    assert plot.draw({"suggested": [("A", 0.0, 1.0)]}, STYLES) is chart
    assert seriesByName(chart) == {"suggested": before["suggested"]}
    assert scene.GetNumberOfNodes() == n_nodes - 1


def test_no_points_at_all_give_an_empty_chart(plot, chart):
    plot.draw({"suggested": []}, STYLES)
    assert seriesByName(chart) == {}


def test_a_removed_plot_takes_its_series_and_points_along(scene):
    plot = ScatterPlot(scene, "a plot", "its points")
    before = scene.GetNumberOfNodes()
    chart = plot.draw({"suggested": [("A", 0.0, 1.0)]}, STYLES)
    assert plot.chart() is chart
    plot.remove()
    assert plot.chart() is None
    assert scene.GetNumberOfNodes() == before


def test_a_saved_scene_has_the_table_and_nothing_of_the_plot(scene, table, chart, tmp_path):
    setColumns(table, COLUMNS)
    path = tmp_path / "scene.mrml"
    table.AddDefaultStorageNode(str(tmp_path / "ranking.tsv"))
    assert table.GetStorageNode().WriteData(table)
    scene.SetURL(str(path))
    assert scene.Commit()

    again = slicer.vtkMRMLScene()
    again.SetURL(str(path))
    assert again.Connect()
    back = findNode(again, "vtkMRMLTableNode", "ranking")
    assert repr(columnsOf(back)) == repr(columnsOf(table))
    assert again.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    for kind in ("vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode"):
        assert again.GetNumberOfNodesByClass(kind) == 0


@pytest.mark.parametrize("kind", ["Chart", "Series", "Points"])
def test_a_plot_is_whole_again_after_any_of_its_nodes_was_deleted(scene, plot, chart, kind):
    before = scene.GetNumberOfNodes()
    series = seriesByName(chart)["suggested"]
    gone = {"Chart": chart, "Series": series, "Points": series.GetTableNode()}[kind]
    scene.RemoveNode(gone)
    again = seriesByName(plot.draw(GROUPS, STYLES))
    assert list(again) == ["unlabelled", "suggested"]
    assert pointLabels(again["suggested"], [0]) == ["D"]
    assert scene.GetNumberOfNodes() == before
