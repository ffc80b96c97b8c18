"""The matrix of modality contributions: a row per auxiliary, a column per region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import qt
from slicer.i18n import tr as _

from CIMLSegmentLib.results.map_kinds import MAP_KINDS
from CIMLSegmentLib.results.map_pictures import color_of
from CIMLSegmentLib.results.segmentation_result import Contribution, Influence
from CIMLSegmentPanelLib.nodes.map_browser import Cell
from MultimodalSlicerLib.plurals import byNumber
from MultimodalWidgetsLib.room import reserveRows
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import dot, setTitles

COLORS_OF_SHARES = MAP_KINDS["information"].colors
SHARE_ROWS = 3
Column = tuple[str, str]  # region, primary
HEAD_WIDTH = 9  # letters per line of a title: three columns fit a narrow panel


class ShareMatrix:
    """Shows contributions; a click is a map.

    Attributes:
        picked: Emits region, primary and auxiliary of the cell that was clicked.
    """

    def __init__(self, table: qt.QTableWidget) -> None:
        self.picked = Signal()
        self._table = table
        self._columns: list[Column] = []
        self._auxiliaries: list[str] = []
        table.setColumnCount(1)
        table.setHorizontalHeaderLabels([" \n \n "])
        reserveRows(table, SHARE_ROWS)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.connect("cellClicked(int,int)", self._onClicked)
        table.connect("cellActivated(int,int)", self._onClicked)

    def show(
        self,
        contributions: Sequence[Contribution] | Sequence[Influence],
        *,
        titles: Mapping[str, str],
        missing: Sequence[str],
    ) -> None:
        """Show other contributions.

        Args:
            contributions: The cells.
            titles: Display name of every region.
            missing: Auxiliaries that the case lacked.
        """
        self._columns = list(dict.fromkeys((c.region, c.primary) for c in contributions))
        self._auxiliaries = list(dict.fromkeys(c.auxiliary for c in contributions))
        table = self._table
        table.clear()
        table.setRowCount(len(self._auxiliaries))
        table.setColumnCount(len(self._columns))
        heads = [
            _("{region}\nin {primary}").format(
                region=fill(titles.get(region, region), HEAD_WIDTH, break_long_words=False),
                primary=primary,
            )
            for region, primary in self._columns
        ]
        setTitles(table, heads)
        table.setVerticalHeaderLabels(
            [_("{name} (missing)").format(name=n) if n in missing else n for n in self._auxiliaries]
        )
        cells = {(c.region, c.primary, c.auxiliary): c for c in contributions}
        for row, auxiliary in enumerate(self._auxiliaries):
            for column, (region, primary) in enumerate(self._columns):
                item = _cell(cells.get((region, primary, auxiliary)), titles.get(region, region))
                table.setItem(row, column, item)

    def mark(self, cell: Cell | None) -> None:
        """Mark the cell whose map is shown, or none, without changing its color."""
        for row, auxiliary in enumerate(self._auxiliaries):
            for column, (region, primary) in enumerate(self._columns):
                isShown = cell == Cell(region, primary, auxiliary)
                _mark(self._table.item(row, column), isShown=isShown)

    def _onClicked(self, row: int, column: int) -> None:
        if self._table.item(row, column).text():
            region, primary = self._columns[column]
            self.picked.emit(region, primary, self._auxiliaries[row])


def _cell(contribution: Contribution | Influence | None, title: str) -> qt.QTableWidgetItem:
    if contribution is None:
        item = qt.QTableWidgetItem("")
        item.setFlags(qt.Qt.NoItemFlags)
        return item
    share = contribution.share
    item = qt.QTableWidgetItem("\N{EN DASH}" if share is None else f"{share:.0%}")
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    item.setTextAlignment(qt.Qt.AlignCenter)
    item.setToolTip(_toolTip(contribution, title))
    if share is not None:
        color = shareColor(share)
        item.setBackground(qt.QBrush(color))
        item.setForeground(qt.QBrush(readableOn(color)))
    return item


def _mark(item: qt.QTableWidgetItem, *, isShown: bool) -> None:
    color = item.foreground().color()
    channels = (color.redF(), color.greenF(), color.blueF())
    item.setIcon(qt.QIcon(dot(channels)) if isShown else qt.QIcon())
    font = item.font()
    font.setBold(isShown)
    item.setFont(font)


def _toolTip(contribution: Contribution | Influence, title: str) -> str:
    if isinstance(contribution, Influence):
        return _influenceTip(contribution, title)
    if contribution.share is None:
        return _("No contribution to {region}: it was not found, or no message was sent.").format(
            region=title
        )
    text = _(
        "{auxiliary} sent {primary} {nats} nats inside {region}: {share} of the information from"
        " all auxiliaries. Click to see where. Model attribution, not clinical evidence."
    )
    return text.format(
        auxiliary=contribution.auxiliary,
        primary=contribution.primary,
        nats=f"{contribution.nats:.3g}",
        region=title,
        share=f"{contribution.share:.0%}",
    )


def _influenceTip(influence: Influence, title: str) -> str:
    if influence.share is None:
        text = _("No auxiliary changed anything in the prediction of {region}.")
        return text.format(region=title)
    text = _(
        "{auxiliary} added {added} ml to {region} and took {removed} ml away: {share} of what all"
        " auxiliaries changed. Click to see where. Model attribution, not clinical evidence."
    )
    share = text.format(
        auxiliary=influence.auxiliary,
        added=f"{influence.added_ml:.2g}",
        removed=f"{influence.removed_ml:.2g}",
        region=title,
        share=f"{influence.share:.0%}",
    )
    changed = influence.changed_voxels
    if changed is None:
        return share
    without = byNumber(
        changed,
        _("Without it {n} voxel has another label."),
        _("Without it {n} voxels have another label."),
    )
    return "\n".join((share, without.format(n=changed)))


def shareColor(share: float) -> qt.QColor:
    """Return the color of a share, 0 to 1."""
    red, green, blue = color_of(np.array(share, np.float32), COLORS_OF_SHARES)
    return qt.QColor(round(255 * red), round(255 * green), round(255 * blue))


def readableOn(color: qt.QColor) -> qt.QColor:
    """Return black or white, whichever is easier to read on a color."""
    luminance = 0.299 * color.red() + 0.587 * color.green() + 0.114 * color.blue()
    return qt.QColor(0, 0, 0) if luminance > 128 else qt.QColor(255, 255, 255)
