"""A layout of our own with one linked slice view per image of a case; the former one comes back.

Must not import Qt. The views are found in the scene; the user's own views are not touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalSlicerLib.volume_nodes import nodesOf

LAYOUT_ID = 59400  # own layouts: this plus the number of views; far from Slicer's (below 1000)
VIEW_GROUP = 594  # linking stays among the views of this group
MAX_VIEWS = 9
# Colors of the view headers, distinct also for color-blind users.
VIEW_COLORS = (
    *("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00"),
    *("#999999", "#DDDDDD"),
)
MARGIN = 1.05  # of the view around the image


class CaseLayout:
    """Shows the images of one case side by side.

    Attributes:
        prefix: Beginning of the names of the views, unique for a module.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, prefix: str) -> None:
        self._scene = scene
        self.prefix = prefix
        self._former: int | None = None

    @property
    def isShown(self) -> bool:
        """Whether this layout is the current one."""
        return bool(LAYOUT_ID < self._layoutNode().GetViewArrangement() <= LAYOUT_ID + MAX_VIEWS)

    def show(
        self,
        volumes: Mapping[str, slicer.vtkMRMLVolumeNode],
        *,
        orientation: str = "Axial",
        focus: tuple[float, float, float] | None = None,
    ) -> list[slicer.vtkMRMLSliceNode]:
        """Show one view per image, linked, with the same zoom.

        Args:
            volumes: Image per label of a view, at most `MAX_VIEWS`; the first one fills its view.
            orientation: Name of a slice orientation preset.
            focus: RAS position in mm that the slices go through; `None` for the middle.

        Returns:
            The slice nodes, in the order of the images.

        Raises:
            ValueError: If there is no image or too many.
        """
        if not 1 <= len(volumes) <= MAX_VIEWS:
            text = _("Expected 1 to {most} images to show side by side, got {n}.")
            raise ValueError(text.format(most=MAX_VIEWS, n=len(volumes)))
        self._arrange(tuple(volumes))
        names = [self._viewName(index) for index in range(len(volumes))]
        sliceNodes = [self._existing("vtkMRMLSliceNode", name) for name in names]
        for sliceNode, (label, volume) in zip(sliceNodes, volumes.items(), strict=True):
            self._fill(sliceNode, volume, label)
            sliceNode.SetOrientation(orientation)
        for sliceNode in sliceNodes:
            _fit(sliceNode, next(iter(volumes.values())), focus)
        return sliceNodes

    def restore(self) -> None:
        """Empty the views and go back to the layout that was there before."""
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

    def _arrange(self, labels: tuple[str, ...]) -> None:
        node = self._layoutNode()
        if not self.isShown:
            self._former = node.GetViewArrangement()
        layoutID = LAYOUT_ID + len(labels)
        xml = layoutXML([self._viewName(index) for index in range(len(labels))], labels)
        if not node.AddLayoutDescription(layoutID, xml):
            node.SetLayoutDescription(layoutID, xml)
        node.SetViewArrangement(layoutID)

    def _fill(
        self, sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode, label: str
    ) -> None:
        composite = self._existing("vtkMRMLSliceCompositeNode", sliceNode.GetLayoutName())
        with slicer.util.NodeModify(composite):
            composite.SetLinkedControl(1)
            composite.SetHotLinkedControl(1)
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)
            composite.SetBackgroundVolumeID(volume.GetID())
        sliceNode.SetViewGroup(VIEW_GROUP)  # a saved scene does not keep it
        sliceNode.SetLayoutLabel(label)

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


def _fit(
    sliceNode: slicer.vtkMRMLSliceNode,
    volume: slicer.vtkMRMLVolumeNode,
    focus: tuple[float, float, float] | None,
) -> None:
    """Zoom so that an image fills a view; go to its middle, or to the slice of the focus."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    center = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)]
    rasToSlice = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(sliceNode.GetSliceToRAS(), rasToSlice)
    volume.GetSliceBounds(bounds, rasToSlice)
    width, height, depth = sliceNode.GetFieldOfView()
    scale = MARGIN * max((bounds[1] - bounds[0]) / width, (bounds[3] - bounds[2]) / height)
    with slicer.util.NodeModify(sliceNode):
        sliceNode.SetFieldOfView(width * scale, height * scale, depth)
        sliceNode.JumpSliceByCentering(*center)
        if focus is not None:
            sliceNode.JumpSliceByOffsetting(*focus)
        sliceNode.UpdateMatrices()


def _byLayoutName(
    scene: slicer.vtkMRMLScene, className: str, name: str
) -> slicer.vtkMRMLNode | None:
    nodes = nodesOf(scene, className)
    return next((node for node in nodes if node.GetLayoutName() == name), None)
