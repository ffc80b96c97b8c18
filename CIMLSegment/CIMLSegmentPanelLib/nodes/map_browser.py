"""Shows the maps of a result one after the other, all on the same scale. Must not import Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate

from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.map_pictures import color_of
from CIMLSegmentPanelLib.nodes.map_nodes import (
    keyOf,
    mapNode,
    mapNodes,
    mapTop,
    removeMaps,
    scaleTop,
)
from CIMLSegmentPanelLib.nodes.map_overlay import MapOverlay, Overlay
from CIMLSegmentPanelLib.nodes.result_facts import isResult, resultFacts, resultImages
from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode, MapKind
from MultimodalSlicerLib.cohort_nodes import fullName, titleOf
from MultimodalSlicerLib.map_display import Color, colorTable
from MultimodalSlicerLib.volume_nodes import OverlayStyle, styleOverlay

SIGNED_TABLE, N_SIGNED_COLORS = "CIMLSegment signed map colors", 201
NONE: Color = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix.

    Attributes:
        region: Segment ID of the region.
        primary: The modality that received the message.
        auxiliary: The modality that sent the message.
    """

    region: str
    primary: str
    auxiliary: str


@dataclass(frozen=True)
class MapView:
    """How maps are shown.

    Attributes:
        kind: Which maps.
        opacity: Of the map over the image, 0 to 1.
        threshold: Values below this share of the scale are hidden, percent.
        isSideBySide: Whether the primary image is shown beside.
        isInterpolated: Whether voxels are blended on the screen.
    """

    kind: MapKind
    opacity: float
    threshold: float
    isSideBySide: bool
    isInterpolated: bool


class MapBrowser:
    """Knows which map of which result is shown.

    Attributes:
        overlay: Draws it.
        shown: What is shown; `None` if nothing is.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self.overlay = MapOverlay(scene)
        self.shown: tuple[slicer.vtkMRMLSegmentationNode, Cell] | None = None

    def show(self, node: slicer.vtkMRMLSegmentationNode, cell: Cell, view: MapView) -> str:
        """Show a map and return what is seen, in words.

        Raises:
            ValueError: If there is no such map, region or image. The views are then unchanged.
        """
        _checkRegion(node, cell)
        image, primary = _images(node, cell, view)
        key = mapKey(cell, view.kind)
        volume = mapNode(node, key)
        style = self._style(node, view)
        below = cell.auxiliary if view.kind.entry.has_route else cell.primary
        overlay = Overlay(
            volume=volume,
            image=image,
            primary=primary,
            labels=(
                _("{name} with map").format(name=titleOf(image, below)),
                titleOf(primary or image, cell.primary),
            ),
            segmentation=node,
            segmentID=cell.region,
            legend=_legend(key, _regionTitle(node, cell), view.kind),
            title=key.title(_regionTitle(node, cell)),
        )
        if self.shown is not None and self.shown[0] is not node:
            self.remove()
        self.overlay.show(overlay, style, opacity=view.opacity)
        self.shown = (node, cell)
        return _description(overlay, style, view, top=mapTop(node, key))

    def restyle(self, view: MapView) -> str:
        """Show the same cell in another way; returns what is seen, in words."""
        return "" if self.shown is None else self.show(*self.shown, view)

    def remove(self) -> None:
        """Show again what was shown before the first map."""
        self.overlay.restore()
        self.shown = None

    def loadAll(self, node: slicer.vtkMRMLSegmentationNode) -> int:
        """Read all maps of a result into the scene and return their number.

        Raises:
            ValueError: If a file is gone.
        """
        return len([mapNode(node, key) for _name, _top, key in resultFacts(node).files])

    def delete(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Remove the maps of a result from views and scene."""
        if self.shown is not None and self.shown[0] is node:
            self.remove()
        removeMaps(node)

    def _style(self, node: slicer.vtkMRMLSegmentationNode, view: MapView) -> OverlayStyle:
        top, entry = scaleTop(node, view.kind.value), view.kind.entry
        if entry.is_signed:  # views hide values below a threshold, not those around 0
            table = colorTable(
                node.GetScene(), SIGNED_TABLE, signedColors(entry.colors, view.threshold / 100)
            )
            style = OverlayStyle(-top, top, -math.inf, table.GetID(), view.isInterpolated)
        else:
            style = OverlayStyle(
                low=0.0,
                high=top,
                threshold=top * view.threshold / 100,
                colorNodeID=f"vtkMRMLColorTableNodeFile{entry.colors}.txt",
                isInterpolated=view.isInterpolated,
            )
        for item in mapNodes(node):
            if keyOf(item).kind == view.kind.value:
                styleOverlay(item, style)
        return style


def signedColors(name: str, hidden: float) -> list[Color]:
    """Return the colors of values from minus to plus the upper end of a scale.

    Args:
        name: Colors, a key of `COLORS`.
        hidden: Share of the scale, 0 to 1, up to which values of either sign have no color.
    """
    shares = np.linspace(-1, 1, N_SIGNED_COLORS, dtype=np.float32)
    rows = color_of(((shares + 1) / 2).astype(np.float32), name).tolist()
    return [
        NONE if abs(share) <= hidden or share == 0 else (red, green, blue, 1.0)
        for share, (red, green, blue) in zip(shares.tolist(), rows, strict=True)
    ]


def mapView(parameters: CIMLSegmentParameterNode) -> MapView:
    """Return how maps are to be shown."""
    return MapView(
        kind=parameters.mapKind,
        opacity=parameters.overlayOpacity,
        threshold=parameters.overlayThreshold,
        isSideBySide=parameters.isSideBySide,
        isInterpolated=parameters.isInterpolated,
    )


def mapHint(parameters: CIMLSegmentParameterNode) -> str:
    """Say what the chosen maps show and what they do not."""
    node = parameters.result
    resolution = resultFacts(node).resolution if isResult(node) else ""
    return parameters.mapKind.hint(resolution)


def mapKey(cell: Cell, kind: MapKind) -> MapKey:
    """Return which map belongs to a cell."""
    has_route = kind.entry.has_route
    return MapKey(
        kind.value,
        cell.primary if has_route else None,
        cell.auxiliary if has_route else None,
        cell.region if kind.entry.has_region else None,
    )


def _regionTitle(node: slicer.vtkMRMLSegmentationNode, cell: Cell) -> str:
    segment = node.GetSegmentation().GetSegment(cell.region)
    return segment.GetName() if segment else cell.region


def _checkRegion(node: slicer.vtkMRMLSegmentationNode, cell: Cell) -> None:
    if node.GetSegmentation().GetSegment(cell.region) is None:
        msg = _("The segment of the region {name} was removed. Segment again to see its maps.")
        raise ValueError(msg.format(name=cell.region))
    if node.GetSegmentCenterRAS(cell.region) is None:
        msg = _("{name} was not found in this case, so there is no map to show.")
        raise ValueError(msg.format(name=_regionTitle(node, cell)))


def _images(
    node: slicer.vtkMRMLSegmentationNode, cell: Cell, view: MapView
) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode | None]:
    """The image below the map and, for the side-by-side layout, the one beside it."""
    images = resultImages(node)
    primary = images.get(cell.primary)
    image = images.get(cell.auxiliary, primary) if view.kind.entry.has_route else primary
    if image is None:
        msg = _("The images of this result are not in the scene any more. Load them again.")
        raise ValueError(msg)
    return image, (primary or image) if view.isSideBySide else None


def _legend(key: MapKey, regionTitle: str, kind: MapKind) -> str:
    """Title of the legend: short lines, and no arrows, which the fonts of views lack."""
    route = _("{auxiliary} to {primary}").format(auxiliary=key.auxiliary, primary=key.primary)
    unit = translate("MapKind", kind.entry.unit) if kind.entry.unit else _("unitless")
    title = translate("MapKind", kind.entry.title)
    return "\n".join((title, route if key.auxiliary else regionTitle, unit))


def _description(overlay: Overlay, style: OverlayStyle, view: MapView, *, top: float) -> str:
    unit, hidden = view.kind.entry.unit, style.high * view.threshold / 100
    if view.kind.entry.is_signed:
        text = _("{title}, over '{image}'. Scale -{top} to {top}; within {threshold} of 0 hidden.")
    elif unit:
        text = _("{title}, over '{image}'. Scale 0 to {top} {unit}; below {threshold} hidden.")
    else:
        text = _("{title}, over '{image}'. Scale 0 to {top}; below {threshold} hidden.")
    text = text.format(
        title=overlay.title,
        image=fullName(overlay.image),
        top=f"{style.high:.3g}",
        unit=translate("MapKind", unit),
        threshold=f"{hidden:.2g}",
    )
    if top >= hidden:
        return text
    advice = _("This map reaches {largest} only and is hidden: move 'Hide below' to the left.")
    return " ".join((text, advice.format(largest=f"{top:.2g}")))
