"""Stand-in for the Segment Editor: selection of nodes and segments, no effects."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QWidget

from slicer_host.stand_ins.mrml_base import Observation, qMRMLWidget
from slicer_host.stand_ins.node_combo_box import qMRMLNodeComboBox
from slicer_host.stand_ins.segments import qMRMLSegmentsTableView


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Editor whose selections live in a segment editor node."""

    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    currentSegmentIDChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._effect = ""
        self._shownSource: Any = None
        self._showsSource = True
        self._flags: dict[str, Any] = {}
        self._observation = Observation(self)
        self._segmentations = qMRMLNodeComboBox(self)
        self._segmentations.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._volumes = qMRMLNodeComboBox(self)
        self._volumes.setNodeTypes(["vtkMRMLScalarVolumeNode"])
        for box in (self._segmentations, self._volumes):
            box.setNoneEnabled(True)
        self._table = qMRMLSegmentsTableView(self)
        form = QFormLayout(self)
        form.addRow("Segmentation:", self._segmentations)
        form.addRow("Source volume:", self._volumes)
        form.addRow(self._table)
        self._segmentations.currentNodeChanged.connect(self.setSegmentationNode)
        self._volumes.currentNodeChanged.connect(self.setSourceVolumeNode)

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        for widget in (self._segmentations, self._volumes, self._table):
            widget.setMRMLScene(scene)

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
        if self._table.segmentationNode() is not self.segmentationNode():
            self._table.setSegmentationNode(self.segmentationNode())
        self._followSource()

    def autoShowSourceVolumeNode(self) -> bool:
        return self._showsSource

    def setAutoShowSourceVolumeNode(self, shows: bool) -> None:
        self._showsSource = shows

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

    def segmentationNodeID(self) -> str:
        node = self.segmentationNode()
        return node.GetID() if node is not None else ""

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is not None and node is not self.segmentationNode():
            self._node.SetAndObserveSegmentationNode(node)
            self.updateWidgetFromMRML()
            self.segmentationNodeChanged.emit(node)

    def setSegmentationNodeID(self, identity: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(identity))

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    masterVolumeNode = sourceVolumeNode

    def sourceVolumeNodeID(self) -> str:
        node = self.sourceVolumeNode()
        return node.GetID() if node is not None else ""

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is None or node is self.sourceVolumeNode():
            return
        if node is not None and self.segmentationNode() is None:
            return
        self._node.SetAndObserveSourceVolumeNode(node)
        if node is not None:
            segmentation = self.segmentationNode()
            if not segmentation.GetNodeReferenceID("referenceImageGeometryRef"):
                segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def setSourceVolumeNodeID(self, identity: str | None) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(identity) if identity else None)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, identity: str) -> None:
        self._node.SetSelectedSegmentID(identity)
        self._table.setSelectedSegmentIDs([identity])
        self.currentSegmentIDChanged.emit(identity)

    def setActiveEffectByName(self, name: str) -> None:
        self._effect = name
        if self._node is not None:
            self._node.SetActiveEffectName(name)

    def setActiveEffect(self, effect: Any) -> None:
        self.setActiveEffectByName("" if effect is None else str(effect))

    def activeEffect(self) -> Any:
        return None

    def installKeyboardShortcuts(self, *_: Any) -> None:
        """The effects' keys are not imitated."""

    uninstallKeyboardShortcuts = removeViewObservations = installKeyboardShortcuts
    setupViewObservations = updateEffectList = installKeyboardShortcuts

    def maximumNumberOfUndoStates(self) -> int:
        return self._flags.get("undo", 0)

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self._flags["undo"] = count
