"""Stand-in for the node selector: with an entry for none, and no action but renaming."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QSizePolicy, QWidget

from slicer_host.errors import HostGapError
from slicer_host.record import record
from slicer_host.stand_ins import stored
from slicer_host.stand_ins.mrml_base import Observation

ROLE = Qt.ItemDataRole.UserRole + 1
EVENTS = ("NodeAdded", "NodeRemoved", "EndBatchProcess", "EndClose", "EndImport", "EndRestore")


@stored(
    nodeTypes=(), noneEnabled=False, noneDisplay="None", addEnabled=True, removeEnabled=True,
    editEnabled=False, renameEnabled=False,
)  # fmt: skip
class qMRMLNodeComboBox(QWidget):
    """Choice of a node of the scene."""

    host_names = ("onStored",)
    currentNodeChanged = Signal(object)
    currentNodeExists = Signal(bool)
    currentNodeIDChanged = Signal(str)
    host_signals = {"currentNodeChanged(bool)": "currentNodeExists"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._attributes: list[tuple[str, str, Any]] = []
        self._requested = self._current = ""
        self._observation = Observation(self)
        self._shown: dict[str, Any] = {}
        self._box = QComboBox(self)
        self._box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self._box)
        self._box.currentIndexChanged.connect(self._onIndexChanged)
        self._box.activated.connect(self._onActivated)
        self.setEnabled(False)

    def sizeAdjustPolicy(self) -> Any:
        return self._box.sizeAdjustPolicy()

    def setSizeAdjustPolicy(self, policy: int) -> None:
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy(policy))

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._refuseActions()
        requested = self._requested or self.currentNodeID()
        self._observation.remove()
        self._shown.clear()
        self._scene = scene
        self.setEnabled(scene is not None)
        with QSignalBlocker(self._box):
            self._box.clear()
            if scene is None:
                return
            self._box.addItem(self.noneDisplay())
            self._box.setItemData(0, "", ROLE)
            if self.renameEnabled():
                self._box.addItem("Rename current node")
            self._refresh()
            self._box.setCurrentIndex(-1)
        for name in EVENTS:
            self._observation.add(scene, getattr(scene, f"{name}Event"), "_onSceneEvent")
        self._requested = ""
        self.setCurrentNodeID(requested)

    def _refuseActions(self) -> None:
        actions = self.addEnabled() or self.removeEnabled() or self.editEnabled()
        if actions or not self.noneEnabled():
            msg = (
                f"The host has node selectors with noneEnabled and without addEnabled,"
                f" removeEnabled, editEnabled only: see '{self.objectName()}'."
            )
            raise HostGapError(msg)

    def onStored(self) -> None:
        """Show what was changed."""
        if self._scene is not None:
            self._refuseActions()
            self._refresh()
            self._renameEmpty()

    def _renameEmpty(self) -> None:
        """Make the empty entry anew: where it was the current one, the first node is then."""
        if self._box.itemText(0) == self.noneDisplay():
            return
        self._box.setItemText(0, self.noneDisplay())
        if self._box.currentIndex() == 0 and self._box.count() > 1:
            self._box.setCurrentIndex(1)

    def addAttribute(self, kind: str, name: str, value: Any = None) -> None:
        self._attributes.append((kind, name, value))
        self.onStored()

    def _onSceneEvent(self, scene: Any, _event: str) -> None:
        if not scene.IsBatchProcessing():
            self._refresh()

    def _onNodeModified(self, node: Any, _event: str) -> None:
        row = self._box.findData(node.GetID(), ROLE)
        if not self._accepts(node):
            self._refresh()
        elif row >= 0 and self._box.itemText(row) != node.GetName():
            self._box.setItemText(row, node.GetName() or "")

    def _nodes(self) -> list[Any]:
        """Accepted nodes in the order of the scene; looked for by class, which is much quicker."""
        kinds = [kind for kind in self.nodeTypes() if self._scene.GetNumberOfNodesByClass(kind)]
        if not kinds:
            return []
        nodes = self._scene.GetNodes()
        if len(kinds) == 1:
            nodes = self._scene.GetNodesByClass(kinds[0])
            nodes.UnRegister(None)
        found = map(nodes.GetItemAsObject, range(nodes.GetNumberOfItems()))
        return [node for node in found if self._accepts(node)]

    def _accepts(self, node: Any) -> bool:
        fits = (name for name in self.nodeTypes() if node.IsA(name))
        return not node.GetHideFromEditors() and any(self._hasAttributes(node, n) for n in fits)

    def _hasAttributes(self, node: Any, kind: str) -> bool:
        wanted = [(key, value) for owner, key, value in self._attributes if owner == kind]
        found = [(node.GetAttribute(key), value) for key, value in wanted]
        return all(has is not None and value in (None, has) for has, value in found)

    def _refresh(self) -> None:
        """Make the items those of the scene; Qt moves the current item when it is removed."""
        nodes = self._nodes()
        wanted = {node.GetID() for node in nodes}
        for row in reversed(range(1, self._box.count())):
            identity = self._box.itemData(row, ROLE)
            if identity is not None and identity not in wanted:
                # A node would live on with its voxels as long as it is observed.
                self._observation.remove(self._shown.pop(identity))
                self._box.removeItem(row)
        for row, node in enumerate(nodes, 1):
            if node.GetID() not in self._shown:
                self._insert(row, node)

    def _insert(self, row: int, node: Any) -> None:
        current = self._box.currentIndex()
        with QSignalBlocker(self._box):
            self._box.insertItem(row, node.GetName() or "")
            self._box.setItemData(row, node.GetID(), ROLE)
            self._box.setCurrentIndex(current + (0 <= row <= current))
        self._shown[node.GetID()] = node
        self._observation.add(node, "ModifiedEvent", "_onNodeModified")

    def _onActivated(self, row: int) -> None:
        """Rename the current node when that entry is chosen."""
        if self._box.itemData(row, ROLE) is not None:
            return
        with QSignalBlocker(self._box):
            self.setCurrentNodeID(self._current)
        node = self.currentNode()
        if record.interactive and node is not None:
            name = QInputDialog.getText(self, "Rename", "New name:", text=node.GetName())[0]
        else:
            name = record.answer("")
        if name and node is not None:
            node.SetName(name)

    def _onIndexChanged(self, row: int) -> None:
        if self._box.itemData(row, ROLE) is None and row >= 0:
            return
        self._current = self.currentNodeID()
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self.currentNodeExists.emit(node is not None)
        self.currentNodeIDChanged.emit(self._current)

    def currentNode(self) -> Any:
        identity = self._box.currentData(ROLE)
        return self._scene.GetNodeByID(identity) if self._scene is not None and identity else None

    def currentNodeID(self) -> str:
        node = self.currentNode()
        return node.GetID() if node else ""

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else (node.GetID() if node else ""))

    def setCurrentNodeID(self, identity: str) -> None:
        if self._scene is None:
            self._requested = identity
        else:
            self._box.setCurrentIndex(max(self._box.findData(identity, ROLE), 0))
