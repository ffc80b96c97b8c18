"""Stand-in for the Segment Editor's widget: what its node chooses, and what it shows of it."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QFormLayout,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QWidget,
)

from slicer_host.stand_ins.mrml_base import Observation, qMRMLWidget
from slicer_host.stand_ins.node_combo_box import qMRMLNodeComboBox

# The keys that the real one takes (`installKeyboardShortcuts` in Slicer 5.13).
KEYS = (
    *"0123456789",
    *(f"Shift+{number}" for number in range(10)),
    *("Esc", "Space", "Z", "Ctrl+Z", "Y", "Ctrl+Y", "Ctrl+Shift+Z"),
    *("Q", "W", "/", "*", ",", ".", ">", "<", "I"),
)
WIDTHS = (80, 89, 132)  # of the buttons in the application, pixels


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Editor whose selections live in a segment editor node; it has no effects."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._shownSource: Any = None
        self._observation = Observation(self)
        self._segmentations = self._selector("vtkMRMLSegmentationNode")
        self._volumes = self._selector("vtkMRMLScalarVolumeNode")
        self._shortcuts: list[QShortcut] = []
        self._showsSource = True
        self._form = QFormLayout(self)
        self._form.addRow("Segmentation:", self._segmentations)
        self._form.addRow("Source volume:", self._volumes)
        row, self._show3D = QHBoxLayout(), QPushButton("Show 3D")
        for button, width in zip(
            (QPushButton("Add"), QPushButton("Remove"), self._show3D), WIDTHS, strict=True
        ):
            button.setMinimumWidth(width)
            row.addWidget(button)
        self._form.addRow(row)
        self._segmentations.currentNodeChanged.connect(self.setSegmentationNode)
        self._volumes.currentNodeChanged.connect(self.setSourceVolumeNode)

    def _selector(self, kind: str) -> qMRMLNodeComboBox:
        selector = qMRMLNodeComboBox(self)
        selector.setNodeTypes([kind])
        selector.setNoneEnabled(True)
        selector.setAddEnabled(False)
        selector.setRemoveEnabled(False)
        return selector

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._segmentations.setMRMLScene(scene)
        self._volumes.setMRMLScene(scene)

    def setMaximumNumberOfUndoStates(self, _maximum: int) -> None:
        """Nothing is ever done here that could be undone."""

    def setShow3DButtonVisible(self, isVisible: bool) -> None:
        self._show3D.setVisible(isVisible)

    def setSwitchToSegmentationsButtonVisible(self, _isVisible: bool) -> None:
        """There is no such button here."""

    def setSegmentationNodeSelectorVisible(self, isVisible: bool) -> None:
        self._form.setRowVisible(self._segmentations, isVisible)

    def setAutoShowSourceVolumeNode(self, isShown: bool) -> None:
        self._showsSource = isShown

    def installKeyboardShortcuts(self, parent: QWidget | None = None) -> None:
        """Take the keys of the real editor; there is no effect that they could choose."""
        self.uninstallKeyboardShortcuts()
        windows = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow))
        parent = parent or next(windows, None)
        self._shortcuts = [QShortcut(QKeySequence(key), parent) for key in KEYS]

    def uninstallKeyboardShortcuts(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def activeEffect(self) -> None:
        return None

    def setActiveEffect(self, effect: Any) -> None:
        if effect is not None:
            msg = "The host's editor has no effects."
            raise NotImplementedError(msg)

    def removeViewObservations(self) -> None:
        """No view is observed here: there is no effect."""

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._observation.remove()
        self._node = node
        if node is not None:
            self._observation.add(node, "ModifiedEvent", "updateWidgetFromMRML")
        self.updateWidgetFromMRML()

    def updateWidgetFromMRML(self, *_: Any) -> None:
        self._segmentations.setCurrentNode(self.segmentationNode())
        self._volumes.setCurrentNode(self.sourceVolumeNode())
        self._followSource()

    def _followSource(self) -> None:
        """Show another source volume in every view that does not show it already."""
        source = self.sourceVolumeNode()
        if self.segmentationNode() is None or source is self._shownSource:
            return
        self._shownSource = source
        if source is None or not self._showsSource:
            return
        for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if source.GetID() not in (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()):
                view.SetBackgroundVolumeID(source.GetID())
                view.SetForegroundVolumeID(None)
                view.SetLabelVolumeID(None)

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node is not None else None

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is not None and node is not self.segmentationNode():
            self._node.SetAndObserveSegmentationNode(node)
            self.updateWidgetFromMRML()

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is None or node is self.sourceVolumeNode():
            return
        if node is not None and self.segmentationNode() is None:
            return
        self._node.SetAndObserveSourceVolumeNode(node)
        segmentation = self.segmentationNode()
        if node is not None and not segmentation.GetNodeReferenceID("referenceImageGeometryRef"):
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
