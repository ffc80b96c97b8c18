"""A layout of our own with one linked slice view per image of a case; the former one comes back.

Must not import Qt. The views are found in the scene; the user's own views are not touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.cohort_nodes import titleOf
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.patience import Breathe, noBreath
from MultimodalSlicerLib.slice_views import (
    centerOf,
    fitSlice,
    isInside,
    sharedMiddle,
)
from MultimodalSlicerLib.volume_nodes import nodesOf

LAYOUT_ID = 59400  # own layouts: this plus the number of views; far from Slicer's (below 1000)
VIEW_GROUP = 594  # linking stays among the views of this group
MAX_VIEWS = 9
# Colors of the view headers, distinct also for color-blind users.
VIEW_COLORS = (
    *("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00"),
    *("#999999", "#DDDDDD"),
)
NOTHING_SHOWN = "-"  # header of a view without image


@dataclass(frozen=True)
class _View:
    """What a view was given to show.

    Attributes:
        image: ID of the image.
        name: Name of the image at that time.
        overlay: ID of the overlay; `None` without one.
        label: Header of the view while it shows this.
    """

    image: str
    name: str
    overlay: str | None
    label: str


@dataclass(frozen=True)
class _Place:
    """Where the views were put.

    Attributes:
        orientation: Name of a slice orientation preset.
        focus: RAS position in mm that the slices go through; `None` for the middle.
    """

    orientation: str
    focus: tuple[float, float, float] | None


class CaseLayout:
    """Shows the images of one case side by side.

    The header of a view always names the image that the view shows, whoever changes either.

    Attributes:
        prefix: Beginning of the names of the views.
        breathe: Handles events, but none of the user's; called between views that are made.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, prefix: str) -> None:
        self._scene = scene
        self.prefix = prefix
        self.breathe: Breathe = noBreath
        self._former: int | None = None
        self._views: dict[str, _View] = {}
        self._place: _Place | None = None
        self._isLabelling = False
        self._shown = NodeObserver(("ModifiedEvent",), self._relabel)

    @property
    def isShown(self) -> bool:
        """Whether this layout is the current one."""
        return isCaseLayout(self._layoutNode().GetViewArrangement())

    def show(
        self,
        volumes: Mapping[str, slicer.vtkMRMLVolumeNode],
        *,
        orientation: str = "Axial",
        focus: tuple[float, float, float] | None = None,
        overlay: tuple[slicer.vtkMRMLVolumeNode, float] | None = None,
    ) -> list[slicer.vtkMRMLSliceNode]:
        """Show one view per image, linked, with the same zoom.

        All slices go through one position that lies in every image, or else through the middle of
        their own. Views that were made just now get their size, and their sliders a value, with
        the next events; call `settle` then.

        Args:
            volumes: Image per label of a view, at most `MAX_VIEWS`; the first one fills its view.
            orientation: Name of a slice orientation preset.
            focus: RAS position in mm that the slices go through; `None` for the middle.
            overlay: What is laid over the first image, and its opacity.

        Returns:
            The slice nodes, in the order of the images.

        Raises:
            ValueError: If there is no image or too many.
        """
        if not 1 <= len(volumes) <= MAX_VIEWS:
            text = _("Expected 1 to {most} images to show side by side, got {n}.")
            raise ValueError(text.format(most=MAX_VIEWS, n=len(volumes)))
        self._views = {}
        self._arrange(tuple(volumes))
        names = [self._viewName(index) for index in range(len(volumes))]
        sliceNodes = [self._existing("vtkMRMLSliceNode", name) for name in names]
        above, opacity = overlay or (None, 0.0)
        for sliceNode, (label, volume) in zip(sliceNodes, volumes.items(), strict=True):
            self._fill(sliceNode, volume, label, above if sliceNode is sliceNodes[0] else None)
            self._setOpacity(sliceNode, opacity)
        self._place = _Place(orientation, focus)
        self.follow()
        self.settle()
        return sliceNodes

    def settle(self) -> None:
        """Put the views where `show` put them; those that show something else stay as they are."""
        place = self._place
        if place is None or not self.isShown:
            return
        found = [(self._existing("vtkMRMLSliceNode", name), name) for name in self._views]
        shown = [(node, self._scene.GetNodeByID(self._views[name].image)) for node, name in found]
        views = [(node, image) for node, image in shown if self._showsGiven(node, image)]
        for node, _image in views:
            node.SetOrientation(place.orientation)
        if not views:
            return
        images = [image for _node, image in views]
        middle = sharedMiddle(views[0][0], images, place.focus)
        for node, image in views:
            fitSlice(node, images[0], middle)
            if not isInside(node, image):
                fitSlice(node, image, centerOf(image))

    def restore(self) -> None:
        """Empty the views and go back to the layout that was there before."""
        self._views, self._place = {}, None
        for composite in self.compositeNodes():
            with slicer.util.NodeModify(composite):
                composite.SetBackgroundVolumeID(None)
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)
        if self.isShown:
            usual = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView  # after a scene was read
            self._layoutNode().SetViewArrangement(self._former or usual)
        self._former = None

    def compositeNodes(self) -> list[slicer.vtkMRMLSliceCompositeNode]:
        """Return what the views show, for the views that were ever made, in their order."""
        names = (self._viewName(index) for index in range(MAX_VIEWS))
        nodes = (_byLayoutName(self._scene, "vtkMRMLSliceCompositeNode", name) for name in names)
        return [node for node in nodes if node is not None]

    def follow(self) -> None:
        """Keep the headers of all views true from now on."""
        self._relabel()

    def _relabel(self, _caller: object = None, _event: object = None) -> None:
        """Name what the views show; a renamed image by its new name."""
        if self._isLabelling:
            return
        self._isLabelling = True
        try:
            composites = self.compositeNodes()
            images = [self._scene.GetNodeByID(c.GetBackgroundVolumeID() or "") for c in composites]
            self._shown.follow([*composites, *filter(None, images)])
            for composite, image in zip(composites, images, strict=True):
                name = composite.GetLayoutName()
                view = _byLayoutName(self._scene, "vtkMRMLSliceNode", name)
                if view is not None:
                    view.SetLayoutLabel(self._label(composite, image))
        finally:
            self._isLabelling = False

    def _label(self, composite: Any, image: slicer.vtkMRMLVolumeNode | None) -> str:
        if image is None:
            return NOTHING_SHOWN
        given = self._views.get(composite.GetLayoutName())
        overlay = composite.GetForegroundVolumeID()
        now = (image.GetID(), image.GetName(), overlay)
        if given is not None and now == (given.image, given.name, given.overlay):
            return given.label
        return str(titleOf(image))

    def _showsGiven(
        self, sliceNode: slicer.vtkMRMLSliceNode, image: slicer.vtkMRMLVolumeNode | None
    ) -> bool:
        composite = self._existing("vtkMRMLSliceCompositeNode", sliceNode.GetLayoutName())
        return image is not None and composite.GetBackgroundVolumeID() == image.GetID()

    def _arrange(self, labels: tuple[str, ...]) -> None:
        """Show the views; those that do not exist yet are made one after the other."""
        node = self._layoutNode()
        if not self.isShown:
            self._former = node.GetViewArrangement()
        names = [self._viewName(index) for index in range(len(labels))]
        if self._removeHalfViews(names):  # they are made when the layout changes
            node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        isMade = [
            _byLayoutName(self._scene, "vtkMRMLSliceNode", name) is not None for name in names
        ]
        for count in [*(n for n in range(1, len(names)) if not isMade[n - 1]), len(names)]:
            layoutID = LAYOUT_ID + count
            xml = layoutXML(names[:count], labels[:count])
            if not node.AddLayoutDescription(layoutID, xml):
                node.SetLayoutDescription(layoutID, xml)
            node.SetViewArrangement(layoutID)
            self.breathe()

    def _removeHalfViews(self, names: Sequence[str]) -> bool:
        """Remove what is left of views of which somebody deleted a node; tell whether any lack."""
        lacks = False
        for name in names:
            kinds = ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")
            nodes = [_byLayoutName(self._scene, kind, name) for kind in kinds]
            if None in nodes:
                lacks = True
                for node in filter(None, nodes):
                    self._scene.RemoveNode(node)
        return lacks

    def _fill(
        self,
        sliceNode: slicer.vtkMRMLSliceNode,
        volume: slicer.vtkMRMLVolumeNode,
        label: str,
        overlay: slicer.vtkMRMLVolumeNode | None,
    ) -> None:
        identity = None if overlay is None else overlay.GetID()
        name = sliceNode.GetLayoutName()
        self._views[name] = _View(volume.GetID(), volume.GetName(), identity, label)
        composite = self._existing("vtkMRMLSliceCompositeNode", name)
        with slicer.util.NodeModify(composite):  # linked in all but the images
            composite.SetLinkedControl(1)
            composite.SetHotLinkedControl(1)
            others = composite.LabelVolumeFlag | composite.LabelOpacityFlag
            composite.SetInteractionFlagsModifier(others | composite.ForegroundOpacityFlag)
            composite.SetForegroundVolumeID(identity)
            composite.SetCompositing(composite.Alpha)
            composite.SetLabelVolumeID(None)
            composite.SetBackgroundVolumeID(volume.GetID())
        sliceNode.SetViewGroup(VIEW_GROUP)  # a saved scene does not keep it

    def _setOpacity(self, sliceNode: slicer.vtkMRMLSliceNode, opacity: float) -> None:
        """Set the opacity of the foreground, which must be the same in all views.

        The views are linked: the slider of each tells its own to the others.
        """
        composite = self._existing("vtkMRMLSliceCompositeNode", sliceNode.GetLayoutName())
        composite.SetForegroundOpacity(opacity)

    def _viewName(self, index: int) -> str:
        return f"{self.prefix}{index + 1}"

    def _existing(self, className: str, name: str) -> slicer.vtkMRMLNode:
        node = _byLayoutName(self._scene, className, name)
        if node is None:
            text = _("The slice view '{name}' was not made. See the error log.")
            raise RuntimeError(text.format(name=name))
        return node

    def _layoutNode(self) -> slicer.vtkMRMLLayoutNode:
        return self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def isCaseLayout(arrangement: int) -> bool:
    """Tell whether the number of a layout is that of one with images side by side."""
    return bool(LAYOUT_ID < arrangement <= LAYOUT_ID + MAX_VIEWS)


def layoutXML(names: Sequence[str], labels: Sequence[str]) -> str:
    """Describe slice views in rows that are as square as possible, for the layout manager."""
    nColumns = math.ceil(math.sqrt(len(names)))
    colors = VIEW_COLORS[: len(names)]
    views = [_viewXML(*view) for view in zip(names, labels, colors, strict=True)]
    rows = [views[start : start + nColumns] for start in range(0, len(views), nColumns)]
    items = (f'<item><layout type="horizontal">{"".join(row)}</layout></item>' for row in rows)
    return f'<layout type="vertical" split="true">{"".join(items)}</layout>'


def _viewXML(name: str, label: str, color: str) -> str:
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag="{escape(name)}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{escape(label)}</property>'
        f'<property name="viewcolor" action="default">{color}</property>'
        f'<property name="viewgroup" action="default">{VIEW_GROUP}</property>'
        "</view></item>"
    )


def _byLayoutName(
    scene: slicer.vtkMRMLScene, className: str, name: str
) -> slicer.vtkMRMLNode | None:
    nodes = nodesOf(scene, className)
    return next((node for node in nodes if node.GetLayoutName() == name), None)
