"""What the labels of the open case held when they were opened or saved. Must not import Qt."""

from __future__ import annotations

from pathlib import Path

import slicer

from MultimodalImagingLib.record.checksums import file_state
from MultimodalSlicerLib.cohort_nodes import labelFile
from MultimodalSlicerLib.label_contents import SegmentContent


class KnownLabels:
    """The labels as they were opened or saved.

    Attributes:
        contents: What they held.
        stored: What their file holds, as far as this window has seen it; labels that are begun anew
            after a deletion in the scene may replace it.
    """

    def __init__(self) -> None:
        self.contents: tuple[SegmentContent, ...] = ()
        self.stored: tuple[SegmentContent, ...] = ()
        self._node: slicer.vtkMRMLSegmentationNode | None = None
        self._storedAt = 0
        self._leftBehind: list[int] = []

    def note(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        contents: tuple[SegmentContent, ...],
        *,
        isStored: bool = True,
    ) -> None:
        """Take labels as they are now, with what they hold, for known."""
        self._node, self.contents = node, contents
        self._storedAt = 0 if node is None else _storedAt(node)
        if isStored:
            self.stored = contents

    def noteRemoval(self, node: slicer.vtkMRMLNode) -> None:
        """Remember the file that Slicer's Save wrote of labels that are about to be removed.

        Slicer has taken the segments out of them by then.
        """
        file = labelFile(node) if node is self._node else None
        if file is not None and file.is_file() and self.wasSavedSince(node, file):
            self._leftBehind, self.stored = file_state(file), ()

    def isLeftBehind(self, file: Path) -> bool:
        """Tell whether a file is as Slicer's Save wrote it of labels that were then removed."""
        return file_state(file) == self._leftBehind

    def isAbout(self, node: slicer.vtkMRMLSegmentationNode | None) -> bool:
        """Tell whether these are the labels that are known."""
        return node is self._node

    def wasSavedSince(self, node: slicer.vtkMRMLSegmentationNode, file: Path) -> bool:
        """Tell whether Slicer's Save has written them to a file since, and not into a bundle."""
        storage = node.GetStorageNode()
        isHere = storage is not None and Path(storage.GetFullNameFromFileName()) == file
        return isHere and _storedAt(node) > self._storedAt and file.is_file()


def _storedAt(node: slicer.vtkMRMLSegmentationNode) -> int:
    storage = node.GetStorageNode()
    return 0 if storage is None else int(storage.GetStoredTime().GetMTime())
