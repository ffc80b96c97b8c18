"""One case at a time: its images in linked views, its labels as outline, editing them.

Must not import Qt.
"""

from __future__ import annotations

import slicer

from MultimodalSlicerLib.case_layout import MAX_VIEWS, CaseLayout
from MultimodalSlicerLib.case_loader import CaseLoader, labelCenter
from MultimodalSlicerLib.case_rows import CaseRow
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.segment_editor import openSegmentEditor


class CaseSession:
    """Opens and closes cases.

    Attributes:
        loader: Nodes of the open case.
        layout: Views of the open case.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, name: str) -> None:
        """Work in a scene; the name of the module makes those of the views unique."""
        self.loader = CaseLoader(scene)
        self.layout = CaseLayout(scene, name)

    @property
    def caseID(self) -> str:
        """The case that is open; empty if there is none."""
        return self.loader.caseID

    def open(self, row: CaseRow, files: CohortFiles) -> None:
        """Open a case in place of the one before, one linked view per modality.

        Raises:
            ValueError: If a file is absent or cannot be read. The scene is then unchanged.
        """
        volumes = self.loader.open(row.case_id, files.images(row), files.label(row))
        segmentation = self.loader.segmentation()
        focus = None if segmentation is None else labelCenter(segmentation)
        self.layout.show(dict(list(volumes.items())[:MAX_VIEWS]), focus=focus)

    def close(self) -> None:
        """Remove the open case and bring the former layout back."""
        self.layout.restore()
        self.loader.close()

    def openSegmentEditor(self) -> None:
        """Edit the labels in Segment Editor, over the first image.

        Raises:
            ValueError: If no case is open.
        """
        segmentation = self.loader.segmentationForEditing()
        volumes = list(self.loader.volumes().values())
        openSegmentEditor(segmentation, volumes[0], volumes)
