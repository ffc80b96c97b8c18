"""The table of cases: sorted, filtered, with pictures, bars, and states as text and color."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from MDALSelectorLib.selection.run_folder import THUMBNAIL_PIXELS
from MDALSelectorPanelLib.nodes.case_facts import CaseFacts, with_facts
from MDALSelectorPanelLib.nodes.case_rows import STATE_COLORS, CaseRow
from MDALSelectorPanelLib.nodes.ranking_nodes import stateText
from MDALSelectorPanelLib.widgets.case_items import (
    CASE,
    CLASS,
    PICTURE,
    RANK,
    SEARCH_ROLE,
    CaseItems,
    columnTitles,
    showRecord,
)
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import SORT_ROLE, ModelFiller, dot, setTitles
from MultimodalWidgetsLib.widget_additions import fitColumns

if TYPE_CHECKING:
    from slicer_types import UiForm

ROW_HEIGHT = 24
LEFT = qt.Qt.AlignLeft | qt.Qt.AlignVCenter
PICTURE_HEIGHT = 40
MAX_PICTURE_WIDTH = 260


class CaseTable:
    """Shows `CaseRow`s.

    Attributes:
        currentChanged: Emits the ID of the case whose row became the current one.
        activated: Emits the ID of the case whose row was double-clicked.
        filled: Emitted when all rows are there.
        counted: Emits how many rows pass the filters, and how many there are.
    """

    def __init__(self, ui: UiForm) -> None:
        """Take the widgets of the `.ui` file."""
        self.currentChanged, self.activated = Signal(), Signal()
        self.filled, self.counted = Signal(), Signal()
        self._view: qt.QTableView = ui.casesTableView
        self._filterEdit, self._stateFilter = ui.filterLineEdit, ui.stateFilterComboBox
        self._rows: dict[str, CaseRow] = {}
        self._sourceRow: dict[str, int] = {}
        self._pictures: _Pictures | None = None
        self._facts = CaseFacts()
        self._late: dict[str, CaseRow] = {}
        self._filler: ModelFiller[CaseRow] | None = None
        self._proxy = qt.QSortFilterProxyModel(self._view)
        self._model = qt.QStandardItemModel(0, len(columnTitles()))
        self._setUpModels()
        self._setUpView()
        self._setUpFilters()

    @property
    def rows(self) -> list[CaseRow]:
        """The rows, in the order in which they were given."""
        return list(self._rows.values())

    def row(self, caseID: str) -> CaseRow | None:
        """Return the row of a case; `None` if it has none."""
        return self._rows.get(caseID)

    def setRows(
        self,
        rows: Sequence[CaseRow],
        *,
        facts: CaseFacts | None = None,
        pictureFolder: Path | None = None,
    ) -> None:
        """Show other rows; they appear together, a moment later.

        Args:
            rows: The rows.
            facts: What the record says of them now; `None` without a record.
            pictureFolder: Folder of their pictures; `None` without pictures.
        """
        self._facts = facts or CaseFacts()
        rows = with_facts(rows, self._facts)
        if self._filler is not None:
            self._filler.stop()
        self._rows, self._late = {row.case_id: row for row in rows}, {}
        self._pictures = None if pictureFolder is None else _Pictures(pictureFolder)
        self._filler = ModelFiller(self.rows, CaseItems(rows).make, self._onFilled)
        self._filler.start(columnTitles())

    def updateRows(self, rows: Iterable[CaseRow]) -> None:
        """Show what the record knows of cases now."""
        columns = range(self._model.columnCount())
        for row in rows:
            self._rows[row.case_id] = row
            if self._filler is not None:  # its cells are made of the rows as they were
                self._late[row.case_id] = row
            index = self._sourceRow.get(row.case_id)
            if index is not None:
                showRecord([self._model.item(index, column) for column in columns], row)
        if self._filler is None:
            self._count()

    def currentCase(self) -> str:
        """Return the case of the current row; empty if there is none."""
        index = self._view.currentIndex()
        return self._caseAt(index) if index.isValid() else ""

    def selectCase(self, caseID: str) -> None:
        """Make the row of a case the current one, and visible; nothing if it is filtered out."""
        sourceRow = self._sourceRow.get(caseID)
        if sourceRow is None:
            return
        index = self._proxy.mapFromSource(self._model.index(sourceRow, CASE))
        if index.isValid():
            if caseID != self.currentCase():
                self._view.setCurrentIndex(index)
            self._view.scrollTo(index)

    def visibleCases(self) -> list[str]:
        """Return the cases that pass the filters, in the order of the rows."""
        rows = range(self._proxy.rowCount())
        return [self._caseAt(self._proxy.index(row, CASE)) for row in rows]

    def _setUpModels(self) -> None:
        setTitles(self._model, columnTitles())
        self._proxy.sortRole = SORT_ROLE
        self._proxy.filterRole = SEARCH_ROLE
        self._proxy.filterKeyColumn = CASE
        self._proxy.setSourceModel(self._model)

    def _setUpView(self) -> None:
        view = self._view
        view.setModel(self._proxy)
        view.horizontalHeader().setStretchLastSection(True)
        view.setSortingEnabled(True)
        view.sortByColumn(RANK, qt.Qt.AscendingOrder)
        self._selection = view.selectionModel()
        self._selection.connect("currentRowChanged(QModelIndex,QModelIndex)", self._onCurrentRow)
        view.connect("doubleClicked(QModelIndex)", self._onDoubleClicked)
        view.verticalScrollBar().connect("valueChanged(int)", self._planPictures)
        self._pictureTimer = qt.QTimer(view)
        self._pictureTimer.setSingleShot(True)
        self._pictureTimer.setInterval(30)
        self._pictureTimer.connect("timeout()", self._loadPictures)

    def _setUpFilters(self) -> None:
        self._stateFilter.addItem(_("all states"))
        for state in CaseState:
            self._stateFilter.addItem(qt.QIcon(dot(STATE_COLORS[state])), stateText(state))
        self._filterEdit.connect("textChanged(QString)", self._onFilter)
        self._stateFilter.connect("currentIndexChanged(int)", self._onFilter)

    def _onFilter(self, _value: object) -> None:
        index = self._stateFilter.currentIndex
        state = "" if index <= 0 else re.escape(f"[{stateText(list(CaseState)[index - 1])}]")
        text = re.escape(self._filterEdit.text)
        self._proxy.setFilterRegularExpression(f"(?i)^(?=.*{text}).*{state}")
        self._planPictures()
        self._count()

    def _onFilled(self, model: qt.QStandardItemModel) -> None:
        current, bar = self.currentCase(), self._view.verticalScrollBar()
        isSame, value = self._sourceRow.keys() == self._rows.keys(), bar.value
        self._model, self._filler = model, None
        self._sourceRow = {caseID: index for index, caseID in enumerate(self._rows)}
        self._proxy.setSourceModel(model)
        view = self._view
        hidden = () if self._facts.asks_classes else (CLASS,)
        fitColumns(view, [c for c in range(model.columnCount()) if c not in (PICTURE, *hidden)])
        view.setColumnHidden(PICTURE, self._pictures is None)  # leaves a gap if done before
        view.setColumnHidden(CLASS, not self._facts.asks_classes)
        if self._facts.problems:
            self._model.horizontalHeaderItem(CLASS).setText(_("Class (!)"))
            tip = "\n".join(self._facts.problems)
            self._model.horizontalHeaderItem(CLASS).setToolTip(tip)
        modalities = dict.fromkeys(name for row in self.rows for name in row.files)
        self._model.horizontalHeaderItem(PICTURE).setToolTip(", ".join(modalities))
        self._model.horizontalHeaderItem(PICTURE).setTextAlignment(LEFT)  # seen without scrolling
        self._model.horizontalHeaderItem(RANK).setToolTip(_("Rank: 1 is to be labeled first."))
        height = ROW_HEIGHT if self._pictures is None else PICTURE_HEIGHT + 4
        view.verticalHeader().setDefaultSectionSize(height)
        self.selectCase(current)
        if isSame:  # the same cases as before: what was looked at stays where it is
            bar.setValue(value)
        self._planPictures()
        late, self._late = self._late, {}
        self.updateRows(late.values())
        self.filled.emit()

    def _count(self) -> None:
        self.counted.emit(len(self.visibleCases()), len(self._rows))

    def _onCurrentRow(self, current: qt.QModelIndex, _previous: qt.QModelIndex) -> None:
        if current.isValid():
            self.currentChanged.emit(self._caseAt(current))

    def _onDoubleClicked(self, index: qt.QModelIndex) -> None:
        self.activated.emit(self._caseAt(index))

    def _caseAt(self, index: qt.QModelIndex) -> str:
        source = self._proxy.mapToSource(index)
        return str(self._model.item(source.row(), CASE).text())

    def _planPictures(self, _value: object = None) -> None:
        self._pictureTimer.start()

    def _loadPictures(self) -> None:
        """Load the pictures of the rows that can be seen."""
        if self._pictures is None or self._filler is not None or self._proxy.rowCount() == 0:
            return  # the rows that are still shown may be those of another list
        view = self._view
        first, last = view.rowAt(0), view.rowAt(view.viewport().height - 1)
        last = self._proxy.rowCount() - 1 if last < 0 else last
        for row in range(max(first, 0), last + 1):
            index = self._proxy.index(row, PICTURE)
            item = self._model.item(self._proxy.mapToSource(index).row(), PICTURE)
            width = self._pictures.show(item, self._rows[self._caseAt(index)].thumbnail)
            if view.columnWidth(PICTURE) < width:
                view.setColumnWidth(PICTURE, width)


class _Pictures:
    """Loads pictures into cells, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def show(self, item: qt.QStandardItem, name: str) -> int:
        """Show a picture if there is one; return the width that it needs, pixels."""
        if not name or item.data(qt.Qt.DecorationRole) is not None:
            return 0
        path = self._folder / name
        picture = qt.QPixmap(str(path))
        if picture.isNull():
            return 0
        size = qt.QSize(MAX_PICTURE_WIDTH, PICTURE_HEIGHT)
        row = picture.copy(0, 0, picture.width(), min(picture.height(), THUMBNAIL_PIXELS))
        small = row.scaled(size, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation)
        item.setData(small, qt.Qt.DecorationRole)
        item.setToolTip(f'<img src="{path.as_uri()}">')
        return int(small.width()) + 8
