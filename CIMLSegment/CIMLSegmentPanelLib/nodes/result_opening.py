"""Opens a case of a cohort with a result over its images. Must not import Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import slicer

from CIMLSegmentPanelLib.nodes.result_nodes import addResult
from MultimodalSlicerLib.case_opening import labelsOf
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reader import currentReader
from MultimodalSlicerLib.segment_nodes import setShown


def openWithResult(
    opened: OpenCase,
    case: FoundCase,
    files: CohortFiles,
    folder: Path,
    modalities: Sequence[str] = (),
) -> slicer.vtkMRMLSegmentationNode:
    """Load a case with a result in place of the case before.

    Labels that it has are loaded, too, so that who edits them begins with them; they are not
    shown over the result.

    Args:
        opened: The case that is open; it makes room.
        case: The case.
        files: Its cohort.
        folder: The result.
        modalities: Those of the cohort; empty for those of the case.

    Returns:
        The segmentation of the result.

    Raises:
        ValueError: If a file cannot be read.
        CrossModalError: If the folder holds no result, or the labels of the cohort cannot be read.
    """
    from CIMLSegmentLib.results.segmentation_result import read_result

    name, reader, result = case.case_id, currentReader(), read_result(folder)
    newLabels = labelsOf(case, files, modalities)
    place, label = files.label_place(case, reader), files.label(case, reader)
    images = opened.open(name, files.images(case), label, place=place)
    opened.newLabels = newLabels
    labels = opened.loader.segmentation()
    if labels is not None:
        setShown(labels, False)
    scene = next(iter(images.values())).GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} segmentation")
    opened.breathe()
    addResult(node, result, images)
    opened.breathe()
    opened.addResult(node)
    opened.breathe()
    return node
