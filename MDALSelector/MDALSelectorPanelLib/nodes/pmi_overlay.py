"""Lays a map of local PMI over the images of the open case and takes it away again. No Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.case_maps import CaseMaps, pairsTitle
from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.jobs.texts import decimals
from MultimodalSlicerLib.map_display import (
    COMPOSITE,
    Color,
    colorTable,
    jumpSlices,
    removeLegends,
    showLegend,
    viewsOf,
)
from MultimodalSlicerLib.volume_nodes import (
    OverlayStyle,
    addVolume,
    hideHelper,
    layersOf,
    nodesOf,
    removeNode,
    setLayers,
    styleOverlay,
)

if TYPE_CHECKING:
    from MDALSelectorLib.selection.diagnostics import Pair

MAP_ATTRIBUTE, LEGEND_ATTRIBUTE = "MDALSelector.Map", "MDALSelector.Legend"
TABLE_NAME = "MDALSelector local PMI"
# Differences from the median up to this are drawn not at all, nats.
USUAL_NATS = 0.5
N_COLORS = 61
NONE: Color = (0.35, 0.35, 0.35, 0.0)
# From faint to strong; color-blind users see them apart, too.
LESS = ((0.62, 0.80, 1.00), (0.00, 0.30, 1.00))
MORE = ((1.00, 0.85, 0.55), (1.00, 0.35, 0.00))
ALPHA = slicer.vtkMRMLSliceCompositeNode.Alpha


class PMIOverlay:
    """Shows one map at a time; nothing of it is saved with the scene or listed in it."""

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._former: dict[str, list[Any]] = {}
        self._leastFit: tuple[float, float, float] | None = None

    @property
    def node(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The map that is shown; `None` if none is."""
        nodes = nodesOf(self._scene, "vtkMRMLScalarVolumeNode")
        return next((node for node in nodes if node.GetAttribute(MAP_ATTRIBUTE)), None)

    def show(
        self,
        maps: CaseMaps,
        pairs: tuple[Pair, ...],
        image: slicer.vtkMRMLScalarVolumeNode,
        opacity: float,
    ) -> str:
        """Show a map in place of the one before, over an image in all views that show it.

        Args:
            maps: The maps of the case.
            pairs: Whose map; that of several is their mean.
            image: The image below it.
            opacity: Of the map over the image, 0 to 1.

        Returns:
            What is seen, in words.

        Raises:
            CrossModalError: If a file cannot be read. The views are then unchanged.
        """
        below, grid = maps.read(pairs)
        self.remove()
        shown = Volume(np.where(np.isfinite(below), -below, np.float32(0)), grid)
        node = self._addNode(shown, f"{maps.caseID} {pairsTitle(pairs)}", image)
        self._leastFit = _leastFit(below, grid)
        for view in viewsOf(image):
            self._former[view.GetID()] = layersOf(view)
            layers = (image.GetID(), node.GetID(), view.GetLabelVolumeID(), opacity, ALPHA)
            setLayers(view, layers)
        title = "\n".join((pairsTitle(pairs), _("nats")))
        hideHelper(showLegend(node, title, LEGEND_ATTRIBUTE))
        return _description(maps, pairs)

    def setOpacity(self, opacity: float) -> None:
        """Change the opacity of the map that is shown."""
        for view in self._views():
            view.SetForegroundOpacity(opacity)

    def jumpToLeastFit(self) -> None:
        """Move all slices to the place where the modalities fit least."""
        node = self.node
        if node is not None and self._leastFit is not None:
            world = [0.0, 0.0, 0.0]
            node.TransformPointToWorld(self._leastFit, world)
            jumpSlices(self._scene, world)

    def remove(self) -> None:
        """Show again what the views showed without the map."""
        removeLegends(self._scene, LEGEND_ATTRIBUTE)
        for view in self._views():
            background, _foreground, label, *_rest = layersOf(view)
            former = self._former.get(view.GetID(), [None, None, None, 0.0, ALPHA])
            setLayers(view, (background, former[1], label, *former[3:]))
        while self.node is not None:
            removeNode(self.node)
        self._former, self._leastFit = {}, None

    def _views(self) -> list[slicer.vtkMRMLSliceCompositeNode]:
        """Return the views that show the map."""
        node = self.node
        if node is None:
            return []
        views = nodesOf(self._scene, COMPOSITE)
        return [view for view in views if view.GetForegroundVolumeID() == node.GetID()]

    def _addNode(
        self, shown: Volume, name: str, image: slicer.vtkMRMLScalarVolumeNode
    ) -> slicer.vtkMRMLScalarVolumeNode:
        top = _top()
        node = addVolume(self._scene, shown, name, (-top, top), isHelper=True)
        node.SetAttribute(MAP_ATTRIBUTE, "1")
        node.SetAndObserveTransformNodeID(image.GetTransformNodeID())
        table = colorTable(self._scene, TABLE_NAME, tableColors(top))
        styleOverlay(node, OverlayStyle(-top, top, -math.inf, table.GetID()))
        return node


def tableColors(top: float) -> list[Color]:
    """Return the colors of differences from minus `top` to `top`, nats: none near zero."""
    return [
        _color(float(value), top)
        for value in top * (np.arange(1 - N_COLORS, N_COLORS, 2) / (N_COLORS - 1))
    ]


def _color(value: float, top: float) -> Color:
    if abs(value) <= USUAL_NATS:
        return NONE
    faint, strong = LESS if value < 0 else MORE
    share = (abs(value) - USUAL_NATS) / (top - USUAL_NATS)
    red, green, blue = ((1 - share) * f + share * s for f, s in zip(faint, strong, strict=True))
    return red, green, blue, 1.0


def _top() -> float:
    """Upper end of the scale of all maps, nats; the reports use the same."""
    from MDALSelectorLib.report.shown_slice import DISAGREEMENT_NATS

    return DISAGREEMENT_NATS


def _leastFit(below: Float32Array, grid: Grid) -> tuple[float, float, float]:
    from MDALSelectorLib.report.shown_slice import least_fitting_position

    k, j, i = least_fitting_position(below)
    r, a, s = (grid.affine_ras @ (i, j, k, 1.0))[:3]
    return float(r), float(a), float(s)


def _description(maps: CaseMaps, pairs: tuple[Pair, ...]) -> str:
    if len(pairs) == 1:
        text = _(
            "How much {first} and {second} tell about each other at each position (local PMI),"
            " minus the cohort's median of {median} nats."
        )
        median = decimals(maps.mediansNats[pairs[0]])
        text = text.format(first=pairs[0][0], second=pairs[0][1], median=median)
    else:
        text = _(
            "How much two modalities tell about each other at each position (local PMI), minus the"
            " cohort's median: mean of the {n} pairs that count."
        ).format(n=len(pairs))
    colors = _(
        "Blue: less than usual, they differ here. Orange: more. No color: within {usual:g} nats."
        " All cases have this scale, {top:g} nats either way."
    )
    return " ".join((text, colors.format(usual=USUAL_NATS, top=_top())))
