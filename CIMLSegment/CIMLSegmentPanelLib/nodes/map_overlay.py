"""Lays a map over the image that it is about, outlines its region, and takes both away again.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import slicer

from CIMLSegmentPanelLib.nodes.former_views import (
    formerArrangement,
    restoreViewState,
    setSegmentsState,
    viewState,
)
from MultimodalSlicerLib.case_layout import isCaseLayout
from MultimodalSlicerLib.map_display import COMPOSITE, jumpSlices, removeLegends, showLegend
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalSlicerLib.volume_nodes import OverlayStyle, nodesOf, setLayers, styleOverlay

LEGEND_ATTRIBUTE = "CIMLSegment.Legend"
OUTLINE = 3  # pixels: to be seen over bright colors
ALPHA = slicer.vtkMRMLSliceCompositeNode.Alpha


@dataclass(frozen=True)
class Overlay:
    """What is shown.

    Attributes:
        volume: The map.
        image: The image below it.
        primary: The image beside it, for the side-by-side layout; `None` for the usual views.
        labels: Titles of the two views.
        segmentation: Holds the region.
        segmentID: The region.
        legend: Title of the legend.
        title: Display name of the map.
    """

    volume: slicer.vtkMRMLScalarVolumeNode
    image: slicer.vtkMRMLScalarVolumeNode
    primary: slicer.vtkMRMLScalarVolumeNode | None
    labels: tuple[str, str]
    segmentation: slicer.vtkMRMLSegmentationNode
    segmentID: str
    legend: str
    title: str


class MapOverlay:
    """Shows one map at a time.

    Attributes:
        former: What the views showed before, as text; empty if no overlay is shown.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._layout = openCaseOf(scene).layout
        self.former = ""
        self._nodes: tuple[slicer.vtkMRMLScalarVolumeNode | None, ...] = ()

    @property
    def isBroken(self) -> bool:
        """Whether the map that is shown, or an image that it is shown with, was deleted."""
        return any(node is not None and node.GetScene() is None for node in self._nodes)

    def show(self, overlay: Overlay, style: OverlayStyle, *, opacity: float) -> None:
        """Show a map in place of the one before; the slices go to the middle of its region."""
        if not self.former:
            self.former = viewState(self._scene, overlay.segmentation)
        self._nodes = (overlay.volume, overlay.image, overlay.primary)
        styleOverlay(overlay.volume, style)
        _showOutline(overlay.segmentation, overlay.segmentID)
        center = overlay.segmentation.GetSegmentCenterRAS(overlay.segmentID)
        if overlay.primary is None:
            self._showInAllViews(overlay, opacity, center)
        else:
            self._showSideBySide(overlay, opacity, center)
        removeLegends(self._scene, LEGEND_ATTRIBUTE)
        showLegend(overlay.volume, overlay.legend, LEGEND_ATTRIBUTE)

    def restore(self) -> None:
        """Show again what was shown before the first map."""
        self._nodes = ()
        if not self.former:
            return
        removeLegends(self._scene, LEGEND_ATTRIBUTE)
        self._restoreViews()
        self.former = ""

    def _restoreViews(self) -> None:
        """Show what was shown before; images that were side by side are so again."""
        if not isCaseLayout(formerArrangement(self.former)):
            self._layout.restore()
        restoreViewState(self._scene, self.former)
        self._layout.follow()

    def _showInAllViews(
        self, overlay: Overlay, opacity: float, center: Sequence[float] | None
    ) -> None:
        if self._layout.isShown:
            self._restoreViews()
        for node in nodesOf(self._scene, COMPOSITE):
            _setLayers(node, overlay, opacity)
        if center is not None:
            jumpSlices(self._scene, center)

    def _showSideBySide(
        self, overlay: Overlay, opacity: float, center: Sequence[float] | None
    ) -> None:
        volumes = dict(zip(overlay.labels, (overlay.image, overlay.primary), strict=True))
        focus = None if center is None else (center[0], center[1], center[2])
        self._layout.show(volumes, focus=focus, overlay=(overlay.volume, opacity))


def _setLayers(node: slicer.vtkMRMLSliceCompositeNode, overlay: Overlay, opacity: float) -> None:
    setLayers(node, (overlay.image.GetID(), overlay.volume.GetID(), None, opacity, ALPHA))


def _showOutline(segmentation: slicer.vtkMRMLSegmentationNode, segmentID: str) -> None:
    segments = segmentation.GetSegmentation().GetSegmentIDs()
    state = {"visible": True, "fill": False, "outline": True, "opacity": 1.0, "thickness": OUTLINE}
    shown = {item: item == segmentID for item in segments}
    setSegmentsState(segmentation, {**state, "segments": shown})
