"""Tables: rows made in portions, so that the window never stops for a long one; their cells.

Cells are texts that sort by a value, and small drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import qt

Row = TypeVar("Row")
PORTION = 40  # rows per turn of the event loop
SORT_ROLE = qt.Qt.UserRole + 1
BAR_SIZE = (40, 10)
BAR_COLOR = (86, 140, 200)
TRACK_ALPHA = 70
DOT_SIZE = 12
LEAST_WRAPPED = 280  # pixels


class PlainTable:
    """Shows rows of texts."""

    def __init__(self, view: qt.QTableView, *, wrapped: int | None = None) -> None:
        """Take the view.

        Args:
            view: The view.
            wrapped: Column of long texts, which are broken into lines; `None` if there is none.
        """
        self._view, self._wrapped = view, wrapped
        self._filler: ModelFiller[Sequence[str]] | None = None
        self._proxy = qt.QSortFilterProxyModel(view)
        self._proxy.sortRole = SORT_ROLE
        self._model = qt.QStandardItemModel(0, 0)
        self._proxy.setSourceModel(self._model)
        view.setModel(self._proxy)
        view.setSortingEnabled(True)
        view.horizontalHeader().setStretchLastSection(True)

    def setRows(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show other rows; a text that does not fit is whole in its tool tip."""
        if self._filler is not None:
            self._filler.stop()
        self._filler = ModelFiller(rows, _items, self._onFilled)
        self._filler.start(titles)

    @property
    def isFilled(self) -> bool:
        """Whether all rows are there."""
        return self._filler is None

    def setRow(self, index: int, row: Sequence[str]) -> None:
        """Change a row; the index is that of `setRows`."""
        for column, item in enumerate(_items(row)):
            self._model.setItem(index, column, item)
        for column in range(len(row) - 1):
            self._view.resizeColumnToContents(column)

    def text(self, row: int, column: int) -> str:
        """Return the text of a cell, in the order that is shown."""
        return str(self._proxy.data(self._proxy.index(row, column)))

    def rowCount(self) -> int:
        """Return the number of rows."""
        return int(self._proxy.rowCount())

    def _onFilled(self, model: qt.QStandardItemModel) -> None:
        index, bar = self._view.currentIndex(), self._view.verticalScrollBar()
        current, value = self.text(index.row(), 0) if index.isValid() else "", bar.value
        self._model, self._filler = model, None
        self._proxy.setSourceModel(model)
        # As given, until a header is clicked.
        self._view.horizontalHeader().setSortIndicator(-1, qt.Qt.AscendingOrder)
        self._proxy.sort(-1)
        self._view.resizeColumnsToContents()
        if self._wrapped is not None:
            self._wrap(self._wrapped)
        texts = [self.text(row, 0) for row in range(self.rowCount())] if current else []
        if current in texts:  # rows that were there before stay where they are
            self._view.setCurrentIndex(self._proxy.index(texts.index(current), 0))
            bar.setValue(value)

    def _wrap(self, column: int) -> None:
        """Let a column have the width that those before it leave, and its rows their height."""
        before = sum(self._view.columnWidth(index) for index in range(column))
        room = self._view.viewport().width - before
        width = min(self._view.columnWidth(column), max(room, LEAST_WRAPPED))
        self._view.setColumnWidth(column, width)
        self._view.resizeRowsToContents()


class ModelFiller(Generic[Row]):
    """Fills a new model and hands it over when it is whole."""

    def __init__(
        self,
        rows: Sequence[Row],
        makeItems: Callable[[Row], list[qt.QStandardItem]],
        done: Callable[[qt.QStandardItemModel], None],
    ) -> None:
        """Prepare to fill.

        Args:
            rows: What the rows are made of.
            makeItems: Makes the cells of a row.
            done: Receives the model with all rows; not if the filling was stopped.
        """
        self._rows, self._makeItems, self._done = rows, makeItems, done
        self._next = 0
        self._isStopped = False

    def start(self, titles: Sequence[str]) -> None:
        """Make the first rows now, and the others a moment later."""
        model = qt.QStandardItemModel(len(self._rows), len(titles))
        setTitles(model, titles)
        self._addPortion(model)

    def stop(self) -> None:
        """Make no more rows."""
        self._isStopped = True

    def _addPortion(self, model: qt.QStandardItemModel) -> None:
        if self._isStopped:
            return
        for row in self._rows[self._next : self._next + PORTION]:
            for column, item in enumerate(self._makeItems(row)):
                model.setItem(self._next, column, item)
            self._next += 1
        if self._next < len(self._rows):
            qt.QTimer.singleShot(0, lambda: self._addPortion(model))
        else:
            self._done(model)


def textItem(
    text: str, *, sortValue: float | str | None = None, toolTip: str = ""
) -> qt.QStandardItem:
    """Make a cell that cannot be edited.

    Args:
        text: What it shows.
        sortValue: What it sorts by; its text if none is given.
        toolTip: Its tool tip; the text if none is given, as a narrow column cuts it.
    """
    item = qt.QStandardItem(text)
    item.setEditable(False)
    item.setData(text.lower() if sortValue is None else sortValue, SORT_ROLE)
    item.setToolTip(toolTip or text)
    return item


def setTitles(table: qt.QStandardItemModel | qt.QTableWidget, titles: Sequence[str]) -> None:
    """Give columns their titles, which a narrow column cuts, also as tool tips."""
    table.setHorizontalHeaderLabels(list(titles))
    for column, title in enumerate(titles):
        table.horizontalHeaderItem(column).setToolTip(title)


def bar(fraction: float) -> qt.QPixmap:
    """Draw a horizontal bar that is filled up to a fraction of 0 to 1."""
    width, height = BAR_SIZE
    filled = round(min(max(fraction, 0.0), 1.0) * width)
    pixmap = _transparent(width, height)
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.fillRect(0, 0, width, height, qt.QColor(128, 128, 128, TRACK_ALPHA))
    painter.fillRect(0, 0, filled, height, qt.QColor(*BAR_COLOR))
    painter.end()
    return pixmap


def dot(color: tuple[float, float, float]) -> qt.QPixmap:
    """Draw a round dot in a color of 0 to 1 per channel."""
    pixmap = _transparent(DOT_SIZE, DOT_SIZE)
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.QColor(0, 0, 0, 120)))
    painter.setBrush(qt.QBrush(qt.QColor(*(round(255 * channel) for channel in color))))
    painter.drawEllipse(1, 1, DOT_SIZE - 3, DOT_SIZE - 3)
    painter.end()
    return pixmap


def _items(row: Sequence[str]) -> list[qt.QStandardItem]:
    return [textItem(text) for text in row]


def _transparent(width: int, height: int) -> qt.QPixmap:
    pixmap = qt.QPixmap(width, height)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    return pixmap
