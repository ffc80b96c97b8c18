"""Slicer's Segment Editor, embedded in the panel as Slicer's own module embeds it.

It has a parameter node of its own: two editors that share one would both draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt
import slicer

TAG, CLASS_NAME = "MDALSelectorSegmentEditor", "vtkMRMLSegmentEditorNode"
UNDO_STATES = 10


class SegmentEditorBox:
    """Edits the labels of the open case; hidden while none is open.

    Attributes:
        editor: The widget; `None` before a case was open.
    """

    def __init__(self, box: qt.QWidget) -> None:
        """Stay empty until a case is open.

        Args:
            box: Receives the editor.
        """
        self._box = box
        self.editor: Any = None
        self._isEntered = False
        box.setVisible(False)

    def show(
        self,
        segmentation: slicer.vtkMRMLSegmentationNode | None,
        volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
    ) -> None:
        """Edit labels over the images of their case, or nothing.

        Args:
            segmentation: The labels; `None` if no case is open.
            volumes: The images by modality.
        """
        self._box.setVisible(segmentation is not None and bool(volumes))
        if segmentation is None or not volumes:
            self._letGo()
            return
        self._make()
        node = self._parameters()
        if node.GetSegmentationNode() is not segmentation:
            node.SetAndObserveSegmentationNode(segmentation)
        if node.GetSourceVolumeNode() not in volumes.values():
            reference = segmentation.GetNodeReference("referenceImageGeometryRef")
            isOwn = reference in volumes.values()
            node.SetAndObserveSourceVolumeNode(reference if isOwn else next(iter(volumes.values())))
        self.editor.updateWidgetFromMRML()

    def enter(self) -> None:
        """Take keys while the module is shown."""
        self._isEntered = True
        if self.editor is not None:
            self._parameters()
            self.editor.installKeyboardShortcuts()
            self.editor.updateWidgetFromMRML()

    def exit(self) -> None:
        """Let go of keys and views while another module is shown."""
        self._isEntered = False
        if self.editor is not None:
            self.editor.setActiveEffect(None)
            self.editor.uninstallKeyboardShortcuts()
            self.editor.removeViewObservations()

    def leaveScene(self) -> None:
        """Let go of the scene, which is about to be closed."""
        self._letGo()
        self._box.setVisible(False)

    def _letGo(self) -> None:
        if self.editor is not None and self.editor.segmentationNode() is not None:
            self.editor.setActiveEffect(None)
            self.editor.setSegmentationNode(None)
            self.editor.removeViewObservations()

    def _make(self) -> None:
        """Make the editor; it leaves the views alone, as each shows a modality."""
        if self.editor is not None:
            return
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        self.editor.setAutoShowSourceVolumeNode(False)
        self.editor.setSegmentationNodeSelectorVisible(False)
        self.editor.setSwitchToSegmentationsButtonVisible(False)
        self.editor.setShow3DButtonVisible(False)  # no 3D view is beside the images
        self._parameters()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self._box.layout().addWidget(self.editor)
        if self._isEntered:
            self.editor.installKeyboardShortcuts()

    def _parameters(self) -> slicer.vtkMRMLSegmentEditorNode:
        """Return the parameter node of the scene, made if needed, and let the editor use it."""
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(TAG, CLASS_NAME)
        if node is None:
            node = scene.CreateNodeByClass(CLASS_NAME)
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node = scene.AddNode(node)
        if self.editor.mrmlSegmentEditorNode() is not node:
            self.editor.setMRMLSegmentEditorNode(node)
        return node
