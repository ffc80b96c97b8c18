"""The cases of a cohort with what became of them; a double click opens a finished one."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.cohort_cases import (
    FAILED,
    LABELLED,
    SEGMENTED,
    UNLABELLED,
    BatchCase,
)
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import PORTION, PlainTable


class BatchTable:
    """Shows cases.

    Attributes:
        activated: Emits the name of the case that was double-clicked.
    """

    def __init__(self, view: qt.QTableView) -> None:
        self.activated = Signal()
        self._view, self._table = view, PlainTable(view)
        self._rows: list[tuple[str, str, str]] = []
        view.connect("doubleClicked(QModelIndex)", self._onDoubleClicked)
        self.show(())

    def show(self, cases: Sequence[BatchCase]) -> None:
        """Show other cases, or what became of them since; then scrolling and selection stay.

        The labeled ones come last: there is nothing to be done about them.
        """
        ordered = sorted(cases, key=lambda case: case.state == LABELLED)
        before, self._rows = self._rows, [_texts(case) for case in ordered]
        isSame = [row[0] for row in before] == [row[0] for row in self._rows]
        changed = [n for n, row in enumerate(self._rows) if isSame and row != before[n]]
        if not (isSame and self._table.isFilled) or len(changed) > PORTION:
            self._table.setRows([_("Case"), _("State"), _("Result")], self._rows)
            return
        for index in changed:
            self._table.setRow(index, self._rows[index])

    def currentCase(self) -> str:
        """Return the case of the current row; empty if there is none."""
        index = self._view.currentIndex()
        return self._table.text(index.row(), 0) if index.isValid() else ""

    def texts(self) -> list[tuple[str, ...]]:
        """Return what is shown, in the order that is shown."""
        rows = range(self._table.rowCount())
        return [tuple(self._table.text(row, column) for column in range(3)) for row in rows]

    def _onDoubleClicked(self, index: qt.QModelIndex) -> None:
        self.activated.emit(self._table.text(index.row(), 0))


def _texts(case: BatchCase) -> tuple[str, str, str]:
    states = {
        LABELLED: _("labeled"),
        UNLABELLED: _("unlabeled"),
        SEGMENTED: _("segmented"),
        FAILED: _("failed"),
    }
    return case.found.case_id, states[case.state], case.detail
