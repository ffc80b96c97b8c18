"""Opens a case of a cohort for labeling: its images side by side, its labels in Segment Editor.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slicer.i18n import tr as _

from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.draft_uncertainty import model_label
from MultimodalSlicerLib.case_layout import MAX_VIEWS
from MultimodalSlicerLib.case_loader import labelCenter
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reader import currentReader
from MultimodalSlicerLib.segment_editor import chooseInSegmentEditor


def openForLabeling(
    opened: OpenCase,
    case: FoundCase,
    files: CohortFiles,
    result: Path | None = None,
    *,
    isBlinded: bool = False,
) -> None:
    """Open the images of a case in one linked view each, with the labels as outline.

    Args:
        opened: The case that is open; it makes room.
        case: The case.
        files: Its cohort.
        result: What its labels begin as if nobody has made any; `None` to begin empty.
        isBlinded: Whether the case is read again: no earlier label is shown, and the new one has a
            file of its own.

    Raises:
        ValueError: If its files are unknown or cannot be read, or there is no record for a blinded
            reading.
        CrossModalError: If the result cannot be read. The case is open then, without labels.
    """
    reader = currentReader()
    images = files.images(case)
    place = files.label_place(case, reader, is_blinded=isBlinded)
    label = _ownBlinded(place) if isBlinded else files.label(case, reader)
    volumes = opened.open(case.case_id, images, label, place=place)
    try:
        if result is not None and label is None:
            beginWithResult(opened, result)
    finally:
        segmentation = opened.segmentationForEditing()
        chooseInSegmentEditor(segmentation, next(iter(volumes.values())))
        focus = labelCenter(segmentation)
        opened.layout.show(dict(list(volumes.items())[:MAX_VIEWS]), focus=focus)


def _ownBlinded(place: Path | None) -> ImageFile | None:
    """Return the blinded label that this reader has begun; `None` before there is one."""
    if place is None:
        raise ValueError(_("A blinded reading needs a record that can be written."))
    return ImageFile(place) if place.is_file() else None


def beginWithResult(opened: OpenCase, folder: Path) -> None:
    """Make the labels of the open case a draft of a result.

    Args:
        opened: The case.
        folder: The result.

    Raises:
        ValueError: If no case is open, or the segmentation cannot be read.
        CrossModalError: If the folder holds no result.
    """
    from CIMLSegmentLib.results.segmentation_result import read_result

    result = read_result(folder)
    opened.beginWithResult(
        result.segmentation, modelName(result.model, result.task.name), result.primary
    )


def modelName(model: Mapping[str, object], task: str) -> str:
    """Name the model of a result, for example `pet-ct 1c0ffee5-400-5eed5eed`; at least by its task.

    One of another program has a name of its own.
    """
    if model.get("name"):
        return str(model["name"])
    return f"{task} {model_label(model)}".strip()
