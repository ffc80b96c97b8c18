"""The segments of a result: color, name, volume, standard code."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.segment_rows import SegmentRow


def showSegments(table: qt.QTableWidget, rows: Sequence[SegmentRow]) -> None:
    """Fill a table with segments; it is as high as they need."""
    table.clear()
    table.setColumnCount(3)
    table.setRowCount(len(rows))
    table.setHorizontalHeaderLabels([_("Segment"), _("Volume (ml)"), _("Terminology")])
    for index, row in enumerate(rows):
        for column, item in enumerate(_items(row)):
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            table.setItem(index, column, item)
    table.resizeColumnsToContents()
    table.resizeRowsToContents()
    heights = sum(table.rowHeight(row) for row in range(table.rowCount))
    table.setFixedHeight(heights + table.horizontalHeader().sizeHint.height() + 6)


def _items(row: SegmentRow) -> list[qt.QTableWidgetItem]:
    swatch = qt.QPixmap(14, 14)
    swatch.fill(qt.QColor(*(round(255 * part) for part in row.color)))
    name = qt.QTableWidgetItem(qt.QIcon(swatch), row.name)
    volume = qt.QTableWidgetItem(f"{row.volumeMl:.1f}" if row.volumeMl else _("not found"))
    volume.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    code = qt.QTableWidgetItem(row.code)
    code.setToolTip(row.code)
    return [name, volume, code]
