"""Makes the rows of a table in portions, so that the window never stops for a long one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import qt

Row = TypeVar("Row")
PORTION = 40  # rows per turn of the event loop
SORT_ROLE = qt.Qt.UserRole + 1


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
        model.setHorizontalHeaderLabels(list(titles))
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
    """Make a cell that cannot be edited; it sorts by its text if no value is given."""
    item = qt.QStandardItem(text)
    item.setEditable(False)
    item.setData(text.lower() if sortValue is None else sortValue, SORT_ROLE)
    if toolTip:
        item.setToolTip(toolTip)
    return item
