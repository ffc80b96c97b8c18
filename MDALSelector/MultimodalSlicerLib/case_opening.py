"""Opens a case of a cohort for labeling: its images side by side, its labels in Segment Editor.

Must not import Qt.
"""

from __future__ import annotations

from MultimodalSlicerLib.case_layout import MAX_VIEWS
from MultimodalSlicerLib.case_loader import labelCenter
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.segment_editor import chooseInSegmentEditor


def openForLabeling(opened: OpenCase, case: FoundCase, files: CohortFiles) -> None:
    """Open the images of a case in one linked view each, with the labels as outline.

    Args:
        opened: The case that is open; it makes room.
        case: The case.
        files: Its cohort.

    Raises:
        ValueError: If its files are unknown or cannot be read.
    """
    images, label, place = files.images(case), files.label(case), files.label_place(case)
    volumes = opened.open(case.case_id, images, label, place=place)
    segmentation = opened.segmentationForEditing()
    chooseInSegmentEditor(segmentation, next(iter(volumes.values())))
    focus = labelCenter(segmentation)
    opened.layout.show(dict(list(volumes.items())[:MAX_VIEWS]), focus=focus)
