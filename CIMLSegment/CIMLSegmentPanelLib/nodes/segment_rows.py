"""The segments of a segmentation, as a table shows them. Must not import Qt."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
import vtk

from MultimodalSlicerLib.segment_nodes import segmentVolumesMl


@dataclass(frozen=True)
class SegmentRow:
    """One segment.

    Attributes:
        segmentID: Its ID.
        name: Display name.
        color: Red, green, blue, 0 to 1.
        volumeMl: Volume in ml.
        code: Standard code in words; empty if it has none.
    """

    segmentID: str
    name: str
    color: tuple[float, float, float]
    volumeMl: float
    code: str


def segmentRows(node: slicer.vtkMRMLSegmentationNode | None) -> list[SegmentRow]:
    """Measure the segments of a segmentation as they are now; empty without one."""
    if node is None:
        return []
    segments = node.GetSegmentation()
    return [
        SegmentRow(identity, segment.GetName(), segment.GetColor(), volumeMl, codeInWords(segment))
        for identity, volumeMl in segmentVolumesMl(node).items()
        for segment in (segments.GetSegment(identity),)
    ]


def codeInWords(segment: slicer.vtkSegment) -> str:
    """Return type and anatomic region of a segment's standard code, for example `Mass, Brain`.

    The tag is seven parts with `~` between them: context, category, type, modifier, context,
    region, modifier; a part is scheme, value and meaning with `^` between them.
    """
    tag = vtk.reference("")
    if not segment.GetTag(segment.GetTerminologyEntryTagName(), tag):
        return ""
    parts = str(tag).split("~")
    codes = [parts[index].split("^") for index in (2, 5) if index < len(parts)]
    return ", ".join(code[2] for code in codes if len(code) == 3 and code[2])
