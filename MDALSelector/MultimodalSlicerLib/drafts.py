"""Drafts: labels of a case that begin as a copy of a model's result. Must not import Qt.

A draft is no label. It is called so in its name and attributes, looks different, and Slicer's Save
does not offer it, until somebody edits or saves it: then it becomes the labels of the case. Its
segments say for ever, also in the file, which model they began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalImagingLib.images.label_names import BEGAN_TAG
from MultimodalSlicerLib.cohort_nodes import (
    CASE_ATTRIBUTE,
    giveName,
    labelFile,
    placeLabel,
    setLabelFile,
)
from MultimodalSlicerLib.label_contents import SegmentContent, areAlike, contentsOf, isEmpty
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.segment_nodes import segmentationFromFile, showOutline

DRAFT_ATTRIBUTE = "CrossModal.Draft"  # of labels that nobody has edited or saved: the model
BEGAN_ATTRIBUTE = BEGAN_TAG  # of the labels that came of it; the tag of segments
LABEL_THICKNESS, DRAFT_THICKNESS = 1, 3  # of outlines, pixels


def isDraft(node: slicer.vtkMRMLSegmentationNode | None) -> bool:
    """Tell whether labels are a draft still."""
    return node is not None and bool(node.GetAttribute(DRAFT_ATTRIBUTE))


def beginsFreely(node: slicer.vtkMRMLSegmentationNode | None) -> bool:
    """Tell whether labels may begin as a draft, or empty: nobody has made any yet."""
    if node is None or isDraft(node):
        return True
    file = labelFile(node)
    return isEmpty(node) and (file is None or not file.exists())


def beganAs(node: slicer.vtkMRMLSegmentationNode) -> str | None:
    """Return the model whose draft labels began as; empty if they began empty, else `None`."""
    models = [_tag(segment) for segment in _segments(node)]
    began: str | None = next(filter(None, models), node.GetAttribute(BEGAN_ATTRIBUTE))
    return began


def origin(node: slicer.vtkMRMLSegmentationNode) -> str:
    """Say what labels began as, for the record; empty if that is not known."""
    model = beganAs(node)
    if model is None:
        return ""
    if not model:
        return _("Began empty.")
    return _("Began as a draft of the model {model}.").format(model=model)


def markAsEmpty(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Note that labels begin without segments."""
    node.SetAttribute(BEGAN_ATTRIBUTE, "")


def fillFromResult(node: slicer.vtkMRMLSegmentationNode, file: Path, model: str) -> None:
    """Make empty labels of a case a draft.

    Args:
        node: The labels; their reference geometry stays.
        file: The segmentation of the result.
        model: Name of the model.

    Raises:
        ValueError: If the file cannot be read. The labels are then unchanged.
    """
    with segmentationFromFile(node.GetScene(), file) as copy:
        if copy is None:
            text = _("The result {file} cannot be read. Start empty, or segment the case again.")
            raise ValueError(text.format(file=file))
        place = labelFile(node)
        with slicer.util.NodeModify(node):
            node.GetSegmentation().DeepCopy(copy.GetSegmentation())
            for segment in _segments(node):
                segment.SetTag(BEGAN_ATTRIBUTE, model)
            placeLabel(node, None)
            setLabelFile(node, place)
            node.SetAttribute(DRAFT_ATTRIBUTE, model)
            node.SetAttribute(BEGAN_ATTRIBUTE, model)
            text = _("{case} draft of {model}")
            giveName(node, text.format(case=node.GetAttribute(CASE_ATTRIBUTE), model=model))
            node.SetSaveWithScene(False)
    showOutline(node)
    node.GetDisplayNode().SetSliceIntersectionThickness(DRAFT_THICKNESS)


def makeEmpty(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Take the segments out of a draft that nobody has edited."""
    node.GetSegmentation().RemoveAllSegments()
    becomeLabels(node)
    markAsEmpty(node)


def becomeLabels(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Make a draft the labels of its case: they have their name, their place and their looks."""
    node.RemoveAttribute(DRAFT_ATTRIBUTE)
    place = labelFile(node)
    if place is None:
        giveName(node, f"{node.GetAttribute(CASE_ATTRIBUTE)} labels")
    else:
        placeLabel(node, place)
    node.SetSaveWithScene(True)
    showOutline(node)
    node.GetDisplayNode().SetSliceIntersectionThickness(LABEL_THICKNESS)


class DraftWatch:
    """Makes a draft the labels of its case as soon as somebody edits it."""

    def __init__(self) -> None:
        segmentation = slicer.vtkSegmentation
        events = (
            segmentation.SourceRepresentationModified,
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
        )
        self._observer = NodeObserver(events, self._onChanged)
        self._contents: tuple[SegmentContent, ...] = ()

    def follow(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        contents: tuple[SegmentContent, ...],
    ) -> None:
        """Watch labels, or none, that hold this now."""
        watched = node if isDraft(node) else None
        self._contents = contents if watched is not None else ()
        self._observer.follow(() if watched is None else (watched,))

    def _onChanged(self, node: slicer.vtkMRMLSegmentationNode, _event: object) -> None:
        if isDraft(node) and not areAlike(contentsOf(node), self._contents):
            becomeLabels(node)


def _tag(segment: slicer.vtkSegment) -> str:
    value = vtk.reference("")
    return str(value) if segment.GetTag(BEGAN_ATTRIBUTE, value) else ""


def _segments(node: slicer.vtkMRMLSegmentationNode) -> Sequence[slicer.vtkSegment]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetSegment(identity) for identity in segmentation.GetSegmentIDs()]
