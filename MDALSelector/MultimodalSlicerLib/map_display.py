"""How maps are shown over images: color tables, legends, views.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from MultimodalSlicerLib.volume_nodes import hideHelper, nodesOf

COMPOSITE, SLICE = "vtkMRMLSliceCompositeNode", "vtkMRMLSliceNode"
LEGEND_POSITION, LEGEND_SIZE, LEGEND_FONT = (0.97, 0.5), (0.12, 0.5), 14
Color = tuple[float, float, float, float]


def colorTable(
    scene: slicer.vtkMRMLScene, name: str, colors: Sequence[Color]
) -> slicer.vtkMRMLColorTableNode:
    """Return a hidden color table, made if it is not there, with these colors.

    Args:
        scene: The scene.
        name: Name of the table, unique in the scene.
        colors: Red, green, blue and opacity from 0 to 1, from the lowest value to the highest;
            slice views draw what has an opacity of 0 not at all, and all else whole.
    """
    node = scene.GetSingletonNode(name, "vtkMRMLColorTableNode")
    if node is not None:
        if node.GetNumberOfColors() == len(colors):
            _setColors(node, colors)
        return node
    node = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(None)
    node.SetName(name)
    node.SetSingletonTag(name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    _setColors(node, colors)
    hideHelper(node)
    return scene.AddNode(node)


def _setColors(node: slicer.vtkMRMLColorTableNode, colors: Sequence[Color]) -> None:
    with slicer.util.NodeModify(node):
        for index, color in enumerate(colors):
            node.SetColor(index, str(index), *color)


def showLegend(
    volume: slicer.vtkMRMLScalarVolumeNode, title: str, attribute: str
) -> slicer.vtkMRMLColorLegendDisplayNode:
    """Add a legend; views draw only those that were added after them, so none is used again.

    Args:
        volume: The map.
        title: Title of the legend, in short lines.
        attribute: Attribute by which the legend is known again.
    """
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    with slicer.util.NodeModify(legend):
        legend.SetAttribute(attribute, "1")
        legend.SetTitleText(title)
        legend.SetNumberOfLabels(5)
        legend.SetLabelFormat("%.2g")
        legend.SetPosition(*LEGEND_POSITION)
        legend.SetSize(*LEGEND_SIZE)
        legend.GetTitleTextProperty().SetFontSize(LEGEND_FONT)
        legend.GetLabelTextProperty().SetFontSize(LEGEND_FONT)
        legend.SetVisibility(True)
    return legend


def removeLegends(scene: slicer.vtkMRMLScene, attribute: str) -> None:
    """Remove the legends that have an attribute."""
    for legend in nodesOf(scene, "vtkMRMLColorLegendDisplayNode"):
        if legend.GetAttribute(attribute):
            scene.RemoveNode(legend)


def viewsOf(image: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLSliceCompositeNode]:
    """Return the slice views that show an image as their background."""
    views = nodesOf(image.GetScene(), COMPOSITE)
    return [view for view in views if view.GetBackgroundVolumeID() == image.GetID()]


def jumpSlices(scene: slicer.vtkMRMLScene, position: Sequence[float]) -> None:
    """Move the slices of all views to a RAS position in mm; nothing is panned or zoomed."""
    for node in nodesOf(scene, SLICE):
        node.JumpSliceByOffsetting(*position)
