"""Stand-ins for widgets that show segments."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from slicer_host.stand_ins.mrml_base import Observation, qMRMLWidget
from slicer_host.stand_ins.node_combo_box import qMRMLNodeComboBox

SEGMENT_EVENTS = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SegmentsOrderModified")


def observe_segments(observation: Observation, node: Any, method: str) -> None:
    """Call the owner's method when the segments of the node change."""
    segmentation = node.GetSegmentation()
    for name in SEGMENT_EVENTS:
        observation.add(segmentation, getattr(segmentation, name), method)


def segment_ids(node: Any) -> list[str]:
    """Return the identifiers of the node's segments in order."""
    return list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []


class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """Choice of a segmentation node and one of its segments."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    segmentSelectionChanged = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._segments = QComboBox(self)
        self._noneEnabled = False
        self._observation = Observation(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._nodes)
        layout.addWidget(self._segments)
        self._nodes.currentNodeChanged.connect(self._onNode)
        self._segments.currentIndexChanged.connect(
            lambda _: self.currentSegmentChanged.emit(self.currentSegmentID())
        )

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._nodes.setMRMLScene(scene)

    def _onNode(self, node: Any) -> None:
        self._observation.remove()
        if node is not None:
            observe_segments(self._observation, node, "_fill")
        self._fill()
        self.currentNodeChanged.emit(node)

    def _fill(self, *_: Any) -> None:
        node, current = self.currentNode(), self.currentSegmentID()
        blocked = self._segments.blockSignals(True)
        self._segments.clear()
        if self._noneEnabled:
            self._segments.addItem("None", "")
        for identity in segment_ids(node):
            self._segments.addItem(node.GetSegmentation().GetSegment(identity).GetName(), identity)
        self._segments.setCurrentIndex(
            max(self._segments.findData(current), min(0, self._segments.count() - 1))
        )
        self._segments.blockSignals(blocked)
        if self.currentSegmentID() != current:
            self.currentSegmentChanged.emit(self.currentSegmentID())

    def currentNode(self) -> Any:
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID()

    def setCurrentNode(self, node: Any) -> None:
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, identity: str) -> None:
        self._nodes.setCurrentNodeID(identity)

    def currentSegmentID(self) -> str:
        return self._segments.currentData() or ""

    def setCurrentSegmentID(self, identity: str) -> None:
        self._segments.setCurrentIndex(self._segments.findData(identity))

    def noneEnabled(self) -> bool:
        return self._noneEnabled

    def setNoneEnabled(self, enabled: bool) -> None:
        self._noneEnabled = enabled
        self._fill()


class qMRMLSegmentsTableView(qMRMLWidget):
    """Table of a segmentation's segments: visibility, colour, name."""

    selectionChanged = Signal(object, object)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._readOnly = False
        self._observation = Observation(self)
        self._table = QTableWidget(0, 3, self)
        self._table.setHorizontalHeaderLabels(["Visible", "Color", "Name"])
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setStretchLastSection(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        model = self._table.selectionModel()
        model.selectionChanged.connect(lambda *both: self.selectionChanged.emit(*both))
        self._table.itemChanged.connect(self._onEdited)

    def tableWidget(self) -> QTableWidget:
        return self._table

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        self._observation.remove()
        self._node = node
        if node is not None:
            observe_segments(self._observation, node, "_fill")
            self._observation.add(node, node.DisplayModifiedEvent, "_fill")
        self._fill()

    def _fill(self, *_: Any) -> None:
        blocked = self._table.blockSignals(True)
        identities = segment_ids(self._node)
        self._table.setRowCount(len(identities))
        for row, identity in enumerate(identities):
            self._fillRow(row, identity)
        self._table.blockSignals(blocked)

    def _fillRow(self, row: int, identity: str) -> None:
        segment = self._node.GetSegmentation().GetSegment(identity)
        display = self._node.GetDisplayNode()
        shown, color, name = (
            QTableWidgetItem(),
            QTableWidgetItem(),
            QTableWidgetItem(segment.GetName()),
        )
        visible = display is not None and display.GetSegmentVisibility(identity)
        shown.setCheckState(Qt.CheckState.Checked if visible else Qt.CheckState.Unchecked)
        color.setBackground(QColor.fromRgbF(*segment.GetColor()))
        name.setData(Qt.ItemDataRole.UserRole, identity)
        for column, item in enumerate((shown, color, name)):
            self._table.setItem(row, column, item)

    def _onEdited(self, item: QTableWidgetItem) -> None:
        identity = self._table.item(item.row(), 2).data(Qt.ItemDataRole.UserRole)
        self.segmentAboutToBeModified.emit(identity)
        if item.column() == 2:
            self._node.GetSegmentation().GetSegment(identity).SetName(item.text())
        elif item.column() == 0 and self._node.GetDisplayNode() is not None:
            checked = item.checkState() == Qt.CheckState.Checked
            self._node.GetDisplayNode().SetSegmentVisibility(identity, checked)

    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return [self._table.item(row, 2).data(Qt.ItemDataRole.UserRole) for row in rows]

    def setSelectedSegmentIDs(self, identities: list[str]) -> None:
        self._table.clearSelection()
        for row in range(self._table.rowCount()):
            if self._table.item(row, 2).data(Qt.ItemDataRole.UserRole) in identities:
                self._table.selectRow(row)

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def segmentCount(self) -> int:
        return self._table.rowCount()

    def readOnly(self) -> bool:
        return self._readOnly

    def setReadOnly(self, readOnly: bool) -> None:
        self._readOnly = readOnly
        triggers = QAbstractItemView.EditTrigger
        self._table.setEditTriggers(triggers.NoEditTriggers if readOnly else triggers.DoubleClicked)
