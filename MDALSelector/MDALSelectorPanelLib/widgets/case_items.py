"""The cells of the table of cases."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _
from slicer.i18n import translate

from MDALSelectorLib.selection.case_selection import MEASURES, usual_range
from MDALSelectorPanelLib.nodes.case_rows import STATE_COLORS, CaseRow
from MDALSelectorPanelLib.nodes.ranking_nodes import stateText
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalWidgetsLib.tables import SORT_ROLE, bar, dot, textItem

__all__ = ["SORT_ROLE", "CaseItems", "columnTitles", "showRecord"]

RANK, CASE, STATE, CLASS, DIFFERENCE, PICTURE, FLAGS = range(7)
SEARCH_ROLE = SORT_ROLE + 1
LAST = 1e9  # sorts cases without a value behind all others
HIGHLIGHT_ALPHA = 60


class CaseItems:
    """Makes the cells of rows that are compared with each other."""

    def __init__(self, rows: Sequence[CaseRow]) -> None:
        values = (row.modality_difference for row in rows)
        self._low, self._high = usual_range(value for value in values if value is not None)

    def make(self, row: CaseRow) -> list[qt.QStandardItem]:
        """Make the cells of a row, one per title."""
        rank = LAST if row.rank is None else row.rank
        items = [
            textItem("" if row.rank is None else str(row.rank), sortValue=rank),
            textItem(row.case_id, toolTip="\n".join((row.case_id, row.reason)).strip()),
            textItem("", sortValue=0),
            textItem("", sortValue=""),
            self._differenceItem(row),
            textItem("", sortValue=rank),
            textItem(_flagKinds(row), sortValue=-len(row.flags), toolTip=_flagsTip(row)),
            *(_measureItem(row.measures.get(measure.title)) for measure in MEASURES[1:]),
        ]
        showRecord(items, row)
        return items

    def _differenceItem(self, row: CaseRow) -> qt.QStandardItem:
        value = row.modality_difference
        if value is None:
            return textItem("", sortValue=-LAST)
        pmi = "\n".join(f"{pair}: {decimals(nats)} nats" for pair, nats in row.pmi.items())
        text = decimals(value)
        item = textItem(text, sortValue=value, toolTip="\n".join((text, pmi)).strip())
        width = self._high - self._low
        fraction = (value - self._low) / width if width > 0 else 1.0
        item.setData(bar(fraction), qt.Qt.DecorationRole)
        return item


def columnTitles() -> list[str]:
    """Return the titles of the columns."""
    return [
        _("#"),
        _("Case"),
        _("State"),
        _("Class"),
        _("Difference"),
        _("Images"),
        _("Flags"),
        *(translate("Measure", measure.title) for measure in MEASURES[1:]),
    ]


def showRecord(items: Sequence[qt.QStandardItem], row: CaseRow) -> None:
    """Show in the cells of a row what the record knows of it: its state and its class."""
    state = stateText(row.state)
    text = _stateAndMarks(row)
    items[STATE].setText(text)
    items[STATE].setToolTip(text)
    items[STATE].setData(list(CaseState).index(row.state), SORT_ROLE)
    items[STATE].setData(dot(STATE_COLORS[row.state]), qt.Qt.DecorationRole)
    items[CLASS].setText(row.given_class)
    items[CLASS].setToolTip(row.given_class)
    items[CLASS].setData(row.given_class, SORT_ROLE)
    searched = " ".join((row.case_id, *row.flags, row.given_class, text, f"[{state}]"))
    items[CASE].setData(searched, SEARCH_ROLE)
    brush = _highlight() if row.state is CaseState.SUGGESTED else qt.QBrush()
    for item in items:
        item.setBackground(brush)


def _stateAndMarks(row: CaseRow) -> str:
    """Say what has been done about a case, whether it is a test, and who else has it open."""
    parts = [stateText(row.state)]
    if row.is_test:
        parts.append(_("for testing"))
    if row.claimed_by:
        parts.append(_("claimed by {reader}").format(reader=row.claimed_by))
    return ", ".join(parts)


def _measureItem(value: float | None) -> qt.QStandardItem:
    return textItem(
        "" if value is None else decimals(value), sortValue=-LAST if value is None else value
    )


def _flagKinds(row: CaseRow) -> str:
    return ", ".join(flag.partition(":")[0] for flag in row.flags)


def _flagsTip(row: CaseRow) -> str:
    """All kinds, as a narrow column cuts them, and then what was seen."""
    kinds = (_flagKinds(row),) if len(row.flags) > 1 else ()
    return "\n".join((*kinds, *row.flags))


def _highlight() -> qt.QBrush:
    """Translucent, so that the text stays readable on light and dark backgrounds."""
    red, green, blue = (round(255 * channel) for channel in STATE_COLORS[CaseState.SUGGESTED])
    return qt.QBrush(qt.QColor(red, green, blue, HIGHLIGHT_ALPHA))
