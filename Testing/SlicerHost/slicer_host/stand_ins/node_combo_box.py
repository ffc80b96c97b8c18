"""Stand-ins for node selectors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QSizePolicy, QWidget

from slicer_host import dialogs
from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.stand_ins.node_filter import NodeFilter

ROLE = Qt.ItemDataRole.UserRole + 1
ACTION = Qt.ItemDataRole.UserRole + 2
EVENTS = ("NodeAdded", "NodeRemoved", "EndBatchProcess", "EndClose", "EndImport", "EndRestore")


class qMRMLNodeComboBox(NodeFilter, QWidget):
    """Choice of a node of the scene."""

    currentNodeChanged = Signal(object)
    currentNodeExists = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeAboutToBeEdited = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    host_signals = {"currentNodeChanged(bool)": "currentNodeExists"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.initializeFilter()
        self._requested = ""
        self._busy = False
        self._observation = Observation(self)
        self._observed: dict[str, Any] = {}
        self._box = QComboBox(self)
        self._box.setMinimumContentsLength(8)
        self._box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self._box)
        self._box.currentIndexChanged.connect(self._onIndexChanged)
        self._box.activated.connect(self._onActivated)
        self.setEnabled(False)

    # scene

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        requested = self._requested or self.currentNodeID()
        self._observation.remove()
        self._observed.clear()
        self._scene = scene
        self._busy = True
        self._refresh()
        self._busy = False
        self.setEnabled(scene is not None)
        if scene is None:
            return
        for name in EVENTS:
            self._observation.add(scene, getattr(scene, f"{name}Event"), "_onSceneEvent")
        self._busy = True
        self._box.setCurrentIndex(-1)
        self._busy = False
        self._requested = ""
        first = "" if self._flags["none"] or not self.nodeCount() else self.nodeFromIndex(0).GetID()
        self.setCurrentNodeID(requested or first)

    def _onSceneEvent(self, scene: Any, _event: str) -> None:
        if not scene.IsBatchProcessing():
            self._refresh()

    def _onNodeModified(self, node: Any, _event: str) -> None:
        row = self._box.findData(node.GetID(), ROLE)
        if not self._accepts(node):
            self._refresh()
        elif row >= 0 and self._box.itemText(row) != node.GetName():
            self._box.setItemText(row, node.GetName() or "")

    # items

    def _refresh(self) -> None:
        """Make the items those of the scene; Qt moves the current item when it is removed."""
        nodes = self._nodes()
        wanted = {node.GetID(): node for node in nodes}
        wasEmpty = self._box.count() == 0
        for row in reversed(range(self._box.count())):
            identity = self._box.itemData(row, ROLE)
            if identity is not None and identity != "" and identity not in wanted:
                self._box.removeItem(row)
                self._forget(identity)
        self._insert(nodes)
        self._updateExtraItems()
        if wasEmpty and nodes and not self._actions() and not self._flags["none"]:
            self._box.setCurrentIndex(0)

    def _insert(self, nodes: list[Any]) -> None:
        start = int(self._box.count() > 0 and self._box.itemData(0, ROLE) == "")
        for row, node in enumerate(nodes, start):
            if self._box.findData(node.GetID(), ROLE) >= 0:
                continue
            current = self._box.currentIndex()
            blocked = self._box.blockSignals(True)
            self._box.insertItem(row, node.GetName() or "")
            self._box.setItemData(row, node.GetID(), ROLE)
            self._box.setCurrentIndex(current + (0 <= row <= current))
            self._box.blockSignals(blocked)
            self._forget(node.GetID())
            self._observed[node.GetID()] = node
            self._observation.add(node, "ModifiedEvent", "_onNodeModified")
            self.nodeAdded.emit(node)

    def _forget(self, identity: str) -> None:
        """Let go of a node, which would live on with its voxels as long as it is observed."""
        node = self._observed.pop(identity, None)
        if node is not None:
            self._observation.remove(node)

    def _updateExtraItems(self) -> None:
        blocked = self._box.blockSignals(True)
        current = self._box.currentData(ROLE)
        for row in reversed(range(self._box.count())):
            if self._box.itemData(row, ROLE) in (None, ""):
                self._box.removeItem(row)
        if self._flags["none"] and self._scene is not None:
            self._box.insertItem(0, self._noneDisplay)
            self._box.setItemData(0, "", ROLE)
        actions = self._actions()
        if actions:
            self._box.insertSeparator(self._box.count())
        for text in actions:
            self._box.addItem(text)
            self._box.setItemData(self._box.count() - 1, text, ACTION)
        self._box.setPlaceholderText(f"Select a {self.nodeTypeLabel((self._types or [''])[0])}")
        row = self._box.findData(current, ROLE) if current is not None else -1
        self._box.setCurrentIndex(0 if row < 0 and self._flags["none"] else row)
        self._box.blockSignals(blocked)

    def _onActivated(self, row: int) -> None:
        action = self._box.itemData(row, ACTION)
        if action is None:
            if self._box.itemData(row, ROLE) is not None:
                self.nodeActivated.emit(self.currentNode())
            return
        verbs = {"Create": self._createByUser, "Delete": self.removeCurrentNode,
                 "Rename": self.renameCurrentNode, "Edit": self.editCurrentNode}  # fmt: skip
        self._restoreCurrent()
        verbs[action.split()[0]](*([action] if action.startswith("Create") else []))

    def _restoreCurrent(self) -> None:
        blocked = self._box.blockSignals(True)
        self._box.setCurrentIndex(self._box.findData(getattr(self, "_last", ""), ROLE))
        self._box.blockSignals(blocked)

    def _createByUser(self, action: str) -> None:
        name = next(t for t in self._types if action == f"Create new {self.nodeTypeLabel(t)}")
        node = self.addNode(name)
        self.setCurrentNode(node)

    def _onIndexChanged(self, row: int) -> None:
        if self._busy or self._box.itemData(row, ACTION) is not None:
            return
        node = self.currentNode()
        isNone = row == 0 if self._flags["none"] else row == -1
        if node is None and not isNone:
            if self.nodeCount():
                self.setCurrentNode(self.nodeFromIndex(self.nodeCount() - 1))
                return
            self._box.setCurrentIndex(0 if self._flags["none"] else -1)
            return
        self._last = node.GetID() if node else ""
        self.currentNodeChanged.emit(node)
        self.currentNodeExists.emit(node is not None)
        self.currentNodeIDChanged.emit(self._last)

    # current node

    def currentNode(self) -> Any:
        identity = self._box.currentData(ROLE)
        return self._scene.GetNodeByID(identity) if self._scene is not None and identity else None

    def currentNodeID(self) -> str:
        node = self.currentNode()
        return node.GetID() if node else ""

    def setCurrentNode(self, node: Any) -> None:
        identity = node if isinstance(node, str) else (node.GetID() if node else "")
        self.setCurrentNodeID(identity or "")

    def setCurrentNodeID(self, identity: str) -> None:
        if self._scene is None:
            self._requested = identity
            return
        row = self._box.findData(identity, ROLE) if identity else -1
        self._box.setCurrentIndex(0 if row < 0 and self._flags["none"] else row)

    def setCurrentNodeIndex(self, index: int) -> None:
        index = -1 if index >= self.nodeCount() else index
        self._box.setCurrentIndex(index + self._flags["none"])

    def nodeCount(self) -> int:
        rows = range(self._box.count())
        return sum(bool(self._box.itemData(row, ROLE)) for row in rows) if self._scene else 0

    def nodeFromIndex(self, index: int) -> Any:
        identity = self._box.itemData(index + self._flags["none"], ROLE)
        return self._scene.GetNodeByID(identity) if identity else None

    def addNode(self, name: str | None = None) -> Any:
        name = name or (self._types or [""])[0]
        if name not in self._types:
            return None
        node = self._scene.CreateNodeByClass(name)
        node.UnRegister(None)
        base = self._baseName or self._scene.GetTypeDisplayNameByClassName(name) or name
        node.SetName(self._scene.GenerateUniqueName(base))
        for (kind, key), value in self._attributes.items():
            if kind == name:
                node.SetAttribute(key, str(value))
        node = self._scene.AddNode(node)
        if self._flags["select"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        node = self.currentNode()
        self.nodeAboutToBeRemoved.emit(node)
        self._scene.RemoveNode(node)

    def editCurrentNode(self) -> None:
        self.nodeAboutToBeEdited.emit(self.currentNode())

    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        if node is None:
            return
        if dialogs.record.interactive:
            name, _ = QInputDialog.getText(self, "Rename", "New name:", text=node.GetName())
        else:
            name = dialogs.record.answer("")
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)
