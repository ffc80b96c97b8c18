"""A table of texts that can be sorted."""

from __future__ import annotations

from collections.abc import Sequence

import qt

from MultimodalWidgetsLib.model_filler import SORT_ROLE, ModelFiller, textItem


class PlainTable:
    """Shows rows of texts."""

    def __init__(self, view: qt.QTableView) -> None:
        self._view = view
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
        self._model, self._filler = model, None
        self._proxy.setSourceModel(model)
        # As given, until a header is clicked.
        self._view.horizontalHeader().setSortIndicator(-1, qt.Qt.AscendingOrder)
        self._proxy.sort(-1)
        self._view.resizeColumnsToContents()


def _items(row: Sequence[str]) -> list[qt.QStandardItem]:
    return [textItem(text, toolTip=text) for text in row]
