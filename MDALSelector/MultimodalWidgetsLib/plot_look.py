"""How a plot looks: its colors are those of the panel around it, its legend stands below it."""

from __future__ import annotations

import html

import qt
import slicer

from MultimodalSlicerLib.table_nodes import seriesByName

GRID_SHARE = 0.2  # of the text's color in the grid's, the background's is the rest
SERIES = slicer.vtkMRMLPlotSeriesNode
SIGNS = {
    SERIES.MarkerStyleCircle: "\N{BLACK CIRCLE}",
    SERIES.MarkerStyleSquare: "\N{BLACK SQUARE}",
    SERIES.MarkerStyleDiamond: "\N{BLACK DIAMOND}",
    SERIES.MarkerStylePlus: "\N{HEAVY PLUS SIGN}",
    SERIES.MarkerStyleCross: "\N{MULTIPLICATION X}",
}


class ThemeColors(qt.QObject):
    """Draws a plot in the colors of its widget, also when the theme changes."""

    def __init__(self, view: slicer.qMRMLPlotView) -> None:
        qt.QObject.__init__(self, view)
        self._view = view
        view.installEventFilter(self)
        self.apply()

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        """Take other colors when the widget gets them."""
        if event.type() == qt.QEvent.PaletteChange:
            self.apply()
        return False

    def apply(self) -> None:
        """Take the colors of the widget."""
        view = self._view
        base, text = (view.palette.color(role) for role in (qt.QPalette.Base, qt.QPalette.Text))
        back, front = ((c.red(), c.green(), c.blue()) for c in (base, text))
        grid = [
            round(GRID_SHARE * f + (1 - GRID_SHARE) * b) for f, b in zip(front, back, strict=True)
        ]
        chart = view.chart()
        chart.GetBackgroundBrush().SetColor(*back, 255)
        view.scene().GetRenderer().SetBackground(*(channel / 255 for channel in back))
        texts = [chart.GetTitleProperties()]
        for position in range(chart.GetNumberOfAxes()):
            axis = chart.GetAxis(position)
            texts += [axis.GetTitleProperties(), axis.GetLabelProperties()]
            axis.GetPen().SetColor(*front, 255)
            axis.GetGridPen().SetColor(*grid, 255)
        for properties in texts:
            properties.SetColor(*(channel / 255 for channel in front))
        view.scene().SetDirty(True)
        view.update()


def legendText(chart: slicer.vtkMRMLPlotChartNode) -> str:
    """Return the series of a chart with their signs and colors, as rich text."""
    entries = [_entry(name, series) for name, series in seriesByName(chart).items()]
    return "&nbsp;&nbsp; ".join(entries)


def _entry(name: str, series: slicer.vtkMRMLPlotSeriesNode) -> str:
    color = "".join(f"{round(255 * channel):02x}" for channel in series.GetColor())
    sign = SIGNS.get(series.GetMarkerStyle(), SIGNS[SERIES.MarkerStyleCircle])
    text = html.escape(name).replace(" ", "&nbsp;")
    return f'<span style="color:#{color}">{sign}</span>&nbsp;{text}'
