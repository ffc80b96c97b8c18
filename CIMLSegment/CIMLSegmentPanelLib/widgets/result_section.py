"""The section Segments: what was found, measured, shown in 3-D, corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.result_facts import isResult, resultFacts
from CIMLSegmentPanelLib.nodes.result_segments import (
    SegmentRow,
    editSegments,
    isShown3D,
    segmentRows,
    toggle3D,
)
from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode
from MultimodalWidgetsLib.room import reserveLines, reserveRows
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import setTitles
from MultimodalWidgetsLib.widget_additions import showChoice, showText

if TYPE_CHECKING:
    from slicer_types import UiForm

NOTHING_YET = "nothing yet"
SEGMENT_ROWS = 4


class ResultSection:
    """Shows the segments of the chosen result.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
    """

    def __init__(
        self, ui: UiForm, parameters: Callable[[], CIMLSegmentParameterNode | None]
    ) -> None:
        """Take the widgets of the `.ui` file and a function that returns what is chosen now."""
        self.changed = Signal()
        self._ui, self._parameters = ui, parameters
        self._selectors = {box: box.toolTip for box in (ui.resultSelector, ui.targetSelector)}
        self._shown: slicer.vtkMRMLSegmentationNode | str | None = NOTHING_YET
        reserveLines(2, ui.warningsLabel)
        showSegments(ui.segmentsTable, ())
        reserveRows(ui.segmentsTable, SEGMENT_ROWS)

    def forget(self) -> None:
        """Show the result anew next time."""
        self._shown = NOTHING_YET

    def show(self, node: slicer.vtkMRMLSegmentationNode | None) -> bool:
        """Show a result; return whether it is another one than before."""
        if node is self._shown:
            return False
        self._shown = node
        warnings = resultFacts(node).warnings if isResult(node) else ()
        showText(self._ui.warningsLabel, "\n".join(warnings))
        self.measure()
        return True

    def measure(self) -> None:
        """Show the segments as they are now."""
        showSegments(self._ui.segmentsTable, segmentRows(self._result()))

    def follow(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Say what the button for 3-D would do, and in tool tips which nodes are chosen."""
        for selector, toolTip in self._selectors.items():
            showChoice(selector, toolTip)
        self._ui.show3DButton.text = _("Hide 3D") if isShown3D(node) else _("Show 3D")

    def onShow3DButton(self) -> None:
        """Show the segments in 3-D, or hide them there."""
        message = _("The segments cannot be shown in 3-D.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            toggle3D(self._result())
            self.changed.emit()

    def onSegmentEditorButton(self) -> None:
        """Correct the segments."""
        with slicer.util.tryWithErrorDisplay(_("Segment Editor cannot be opened.")):
            editSegments(self._result())

    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The chosen result; none while the panel is not shown."""
        parameters = self._parameters()
        return None if parameters is None else parameters.result


def showSegments(table: qt.QTableWidget, rows: Sequence[SegmentRow]) -> None:
    """Fill a table with segments."""
    table.clear()
    table.setColumnCount(3)
    table.setRowCount(len(rows))
    setTitles(table, [_("Segment"), _("Volume (ml)"), _("Terminology")])
    for index, row in enumerate(rows):
        for column, item in enumerate(_segmentItems(row)):
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            table.setItem(index, column, item)
    table.resizeColumnsToContents()


def _segmentItems(row: SegmentRow) -> list[qt.QTableWidgetItem]:
    swatch = qt.QPixmap(14, 14)
    swatch.fill(qt.QColor(*(round(255 * part) for part in row.color)))
    name = qt.QTableWidgetItem(qt.QIcon(swatch), row.name)
    name.setToolTip(row.name)
    volume = qt.QTableWidgetItem(f"{row.volumeMl:.1f}" if row.volumeMl else _("not found"))
    volume.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    code = qt.QTableWidgetItem(row.code)
    code.setToolTip(row.code)
    return [name, volume, code]
