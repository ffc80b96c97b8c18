"""Plots of the panels: the legend hides nothing, and the colors are those of the theme."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "MDALSelector"))

DARK, LIGHT = ((30, 30, 30), (240, 240, 240)), ((255, 255, 255), (0, 0, 0))


@pytest.fixture
def plot(scene):
    """A plot of two groups in a widget of its own."""
    import qt

    from MultimodalWidgetsLib.case_plot import CasePlot

    place = qt.QWidget()
    plot = CasePlot(qt.QVBoxLayout(place), "PlotOfTheTest", legendLines=2)
    place.show()
    plot.show(drawn(scene, ("few", "many & <b>")))
    yield plot
    plot.show(None)
    place.hide()
    place.deleteLater()


def drawn(scene, names):
    import slicer

    from MultimodalSlicerLib.table_nodes import ScatterPlot, SeriesStyle

    square = slicer.vtkMRMLPlotSeriesNode.MarkerStyleSquare
    points = [("a", 0.0, 1.0), ("b", 2.0, 3.0)]
    styles = {name: SeriesStyle((1.0, 0.5, 0.0), square) for name in names}
    return ScatterPlot(scene, "chart", "points").draw(dict.fromkeys(names, points), styles)


def wear(view, colors):
    """Give a view the colors of a theme: background and text."""
    import qt
    import slicer

    palette = qt.QPalette(view.palette)
    for role, color in zip((qt.QPalette.Base, qt.QPalette.Text), colors, strict=True):
        palette.setColor(role, qt.QColor(*color))
    view.setPalette(palette)
    slicer.app.processEvents()


def test_the_legend_is_below_the_plot_and_hides_no_point(plot):
    assert not plot.view.chart().GetLegend().GetVisible()
    assert "few" in plot.legend.text
    assert "many&nbsp;&amp;&nbsp;&lt;b&gt;" in plot.legend.text
    assert plot.legend.text.count("#ff8000") == 2
    plot.show(None)
    assert plot.legend.text == ""


def test_the_legend_names_the_series_that_are_drawn(plot, scene):
    plot.show(drawn(scene, ("one",)))
    assert "one" in plot.legend.text
    assert "few" not in plot.legend.text


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_background_text_and_grid_are_those_of_the_theme(plot, scene, theme):
    wear(plot.view, theme)
    chart, (back, front) = plot.view.chart(), theme
    for _redrawn in range(2):  # a chart that changes keeps them
        brush, color = [0, 0, 0, 0], [0, 0, 0]
        chart.GetBackgroundBrush().GetColor(brush)
        assert tuple(brush[:3]) == back
        for position in range(chart.GetNumberOfAxes()):
            axis = chart.GetAxis(position)
            for text in (axis.GetTitleProperties(), axis.GetLabelProperties()):
                assert text.GetColor() == pytest.approx([channel / 255 for channel in front])
            axis.GetPen().GetColor(color)
            assert tuple(color) == front
            axis.GetGridPen().GetColor(color)
            assert min(back[0], front[0]) < color[0] < max(back[0], front[0])
        plot.show(drawn(scene, ("one", "two")))
