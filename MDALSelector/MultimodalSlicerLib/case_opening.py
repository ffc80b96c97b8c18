"""Opens a case of a cohort for labeling: its images side by side, its labels in Segment Editor.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _

from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalSlicerLib.case_layout import MAX_VIEWS
from MultimodalSlicerLib.case_loader import labelCenter
from MultimodalSlicerLib.case_results import model_name
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalSlicerLib.label_sets import NewLabels, chosenLabels, newLabels
from MultimodalSlicerLib.labeling_session import LabelingSession
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reader import currentReader
from MultimodalSlicerLib.segment_editor import chooseInSegmentEditor


def openForLabeling(
    opened: OpenCase,
    case: FoundCase,
    files: CohortFiles,
    result: Path | None = None,
    *,
    modalities: Sequence[str] = (),
    isBlinded: bool = False,
) -> None:
    """Open the images of a case in one linked view each, with the labels as outline.

    Args:
        opened: The case that is open; it makes room.
        case: The case.
        files: Its cohort.
        result: What its labels begin as if nobody has made any; `None` to begin empty.
        modalities: Those of the cohort, which decide on its labels before anybody has chosen;
            empty for those of the case.
        isBlinded: Whether the case is read again: no earlier label is shown, and the new one has a
            file of its own.

    Raises:
        ValueError: If its files are unknown or cannot be read, or there is no record for a blinded
            reading.
        CrossModalError: If the labels of the cohort cannot be read. If the result cannot, the case
            is open without labels.
    """
    reader = currentReader()
    images = files.images(case)
    place = files.label_place(case, reader, is_blinded=isBlinded)
    label = _ownBlinded(place) if isBlinded else files.label(case, reader)
    labels = labelsOf(case, files, modalities)
    volumes = opened.open(case.case_id, images, label, place=place)
    opened.newLabels = labels
    try:
        if result is not None and label is None:
            beginWithResult(opened, result)
    finally:
        segmentation = opened.segmentationForEditing()
        primary = volumes.get(labels.primary, next(iter(volumes.values())))
        chooseInSegmentEditor(segmentation, primary)
        focus = labelCenter(segmentation)
        opened.layout.show(dict(list(volumes.items())[:MAX_VIEWS]), focus=focus)


def labelsOf(case: FoundCase, files: CohortFiles, modalities: Sequence[str]) -> NewLabels:
    """Return what empty labels of a case hold, in whichever module it is opened.

    Args:
        case: The case.
        files: Its cohort.
        modalities: Those of the cohort; empty for those of the case.

    Raises:
        CrossModalError: If the choice for the cohort cannot be read or used.
    """
    known = tuple(modalities) or tuple(case.files)
    return newLabels(chosenLabels(files.record, known), known)


def _ownBlinded(place: Path | None) -> ImageFile | None:
    """Return the blinded label that this reader has begun; `None` before there is one."""
    if place is None:
        raise ValueError(_("A blinded reading needs a record that can be written."))
    return ImageFile(place) if place.is_file() else None


def beginWithResult(opened: OpenCase, folder: Path) -> None:
    """Make the labels of the open case a draft of a result.

    They begin empty where a draft would be copied: in a case that is set aside for testing, and in
    one that is read again.

    Args:
        opened: The case.
        folder: The result.

    Raises:
        ValueError: If no case is open, or the segmentation cannot be read.
        CrossModalError: If the folder holds no result, or the record cannot be read.
    """
    if _tests(opened.session):
        opened.segmentationForEditing()
        return
    from CIMLSegmentLib.results.segmentation_result import read_result

    result = read_result(folder)
    opened.beginWithResult(
        result.segmentation, model_name(result.model, result.task.name), result.primary
    )


def _tests(session: LabelingSession | None) -> bool:
    """Tell whether labels are to test a model or a reader."""
    if session is None:
        return False
    return session.isBlinded or session.caseID in session.record.read_states().evaluation
