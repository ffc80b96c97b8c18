"""Stand-ins for views of table nodes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QWidget

from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.views.abstract_view import Bar, ViewWidget


class qMRMLTableView(QTableView):
    """Shows and edits the table of a table node; its cells have no colours and no icons."""

    mrmlSceneChanged = Signal(object)
    selectionChangedByUser = Signal()
    host_signals = {"selectionChanged()": "selectionChangedByUser"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._viewNode: Any = None
        self._transposed = False
        self._busy = False
        self._observation = Observation(self)
        self._source = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._source)
        self.setModel(self._proxy)
        self._source.itemChanged.connect(self._onEdited)
        self.horizontalHeader().setStretchLastSection(False)
        self.selectionModel().selectionChanged.connect(
            lambda *_: self.selectionChangedByUser.emit()
        )

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self) -> Any:
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        self._observation.remove(self._node)
        self._node = node
        if node is not None:
            self._observation.add(node, "ModifiedEvent", "_fill")
        self._fill()

    def mrmlTableViewNode(self) -> Any:
        return self._viewNode

    def setMRMLTableViewNode(self, node: Any) -> None:
        self._observation.remove(self._viewNode)
        self._viewNode = node
        if node is not None:
            self._observation.add(node, "ModifiedEvent", "_onViewNode")
            self._onViewNode()

    def _onViewNode(self, *_: Any) -> None:
        node = self._viewNode.GetTableNode()
        if node is not self._node:
            self.setMRMLTableNode(node)

    def tableModel(self) -> QStandardItemModel:
        return self._source

    def sortFilterProxyModel(self) -> QSortFilterProxyModel:
        return self._proxy

    def _fill(self, *_: Any) -> None:
        if self._busy:
            return
        self._busy = True
        self._source.clear()
        table = self._node.GetTable() if self._node is not None else None
        if table is not None and table.GetNumberOfColumns():
            self._fillFrom(table)
        self._busy = False

    def _fillFrom(self, table: Any) -> None:
        first = int(self._node.GetUseFirstColumnAsRowHeader())
        hasTitles = self._node.GetUseColumnTitleAsColumnHeader()
        names = [table.GetColumnName(c) or "" for c in range(first, table.GetNumberOfColumns())]
        if hasTitles:
            titles = [self._node.GetColumnTitle(name) or name for name in names]
            self._source.setHorizontalHeaderLabels(titles)
        else:
            self._source.appendRow([QStandardItem(name) for name in names])
        for row in range(table.GetNumberOfRows()):
            columns = range(first, table.GetNumberOfColumns())
            self._source.appendRow([self._item(table, row, column) for column in columns])

    def _item(self, table: Any, row: int, column: int) -> QStandardItem:
        value = table.GetValue(row, column)
        item = QStandardItem()
        if table.GetColumn(column).IsA("vtkBitArray"):
            item.setCheckable(True)
            item.setCheckState(Qt.CheckState.Checked if value.ToInt() else Qt.CheckState.Unchecked)
        else:
            item.setText(value.ToString())
        item.setEditable(not self._node.GetLocked())
        return item

    def _onEdited(self, item: QStandardItem) -> None:
        if self._busy or self._node is None:
            return
        import vtk

        row = item.row() - (0 if self._node.GetUseColumnTitleAsColumnHeader() else 1)
        column = item.column() + int(self._node.GetUseFirstColumnAsRowHeader())
        table = self._node.GetTable()
        self._busy = True
        if row < 0:
            self._node.RenameColumn(column, item.text())
        elif item.isCheckable():
            checked = item.checkState() == Qt.CheckState.Checked
            table.SetValue(row, column, vtk.vtkVariant(int(checked)))
        else:
            table.SetValue(row, column, vtk.vtkVariant(item.text()))
            item.setText(table.GetValue(row, column).ToString())
        table.Modified()
        self._busy = False

    def transposed(self) -> bool:
        return self._transposed

    def firstRowLocked(self) -> bool:
        return bool(self._node is not None and self._node.GetUseColumnTitleAsColumnHeader())

    def setFirstRowLocked(self, locked: bool) -> None:
        self._node.SetUseColumnTitleAsColumnHeader(locked)

    def firstColumnLocked(self) -> bool:
        return bool(self._node is not None and self._node.GetUseFirstColumnAsRowHeader())

    def setFirstColumnLocked(self, locked: bool) -> None:
        self._node.SetUseFirstColumnAsRowHeader(locked)


class qMRMLTableViewControllerWidget(Bar):
    """Bar of a table view."""

    def setTableView(self, view: qMRMLTableView) -> None:
        self._view = view


class qMRMLTableWidget(ViewWidget):
    """Table view with its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLTableViewControllerWidget(), qMRMLTableView(), parent)
        self._bar.setTableView(self._view)

    def tableView(self) -> qMRMLTableView:
        return self._view

    def tableController(self) -> qMRMLTableViewControllerWidget:
        return self._bar

    def mrmlTableViewNode(self) -> Any:
        return self._node

    def setMRMLTableViewNode(self, node: Any) -> None:
        self._node = node
        self._bar.setNode(node)
        self._view.setMRMLTableViewNode(node)

    setMRMLAbstractViewNode = setMRMLTableViewNode
