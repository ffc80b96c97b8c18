"""The scene and the logics of the application: the part without Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

from slicer_host import share

MODULE_LOGICS = {
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Colors": "vtkSlicerColorLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}
# Node classes for which the application's subject hierarchy plugins claim an item.
HIERARCHY_CLASSES = (
    "vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLModelNode", "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode",
    "vtkMRMLTextNode", "vtkMRMLSequenceNode", "vtkMRMLSequenceBrowserNode",
)  # fmt: skip


class Core:
    """Scene, application logic and module logics, set up as the application does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scene = slicer.vtkMRMLScene()
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetTemporaryPath(str(folder / "temporary"))
        self.logic.SetHomeDirectory(str(folder))
        self.logic.SetShareDirectory("share")
        share.write(folder / "share")
        self._set_up_scene()
        self._set_up_files()
        self.logics = {name: self._module_logic(name, kind) for name, kind in MODULE_LOGICS.items()}
        self.logic.SetColorLogic(self.logics["Colors"])
        self.layout_logic = slicer.vtkMRMLLayoutLogic()
        self.layout_logic.SetMRMLApplicationLogic(self.logic)
        self.layout_logic.SetMRMLScene(self.scene)
        _observe_hierarchy(self.scene)

    def _set_up_scene(self) -> None:
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.scene.RegisterNodeClass(slicer.vtkMRMLCommandLineModuleNode())
        self.logic.SetMRMLScene(self.scene)
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        for factory in ("ThreeD", "Slice"):
            kind = getattr(slicer, f"vtkMRML{factory}ViewDisplayableManagerFactory")
            kind.GetInstance().SetMRMLApplicationLogic(self.logic)

    def _set_up_files(self) -> None:
        for name in ("temporary", "cache", "scenes"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.scene.SetRootDirectory(str(self.folder / "scenes"))
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._remote.GetCacheManager().SetRemoteCacheDirectory(str(self.folder / "cache"))
        self._data = slicer.vtkDataIOManagerLogic()
        self._data.SetMRMLApplicationLogic(self.logic)
        self._data.SetAndObserveDataIOManager(self._remote.GetDataIOManager())
        self.logic.SetMRMLSceneDataIO(self.scene, self._remote, self._data)

    def _module_logic(self, name: str, kind: str) -> Any:
        made = getattr(slicer, kind)()
        if hasattr(made, "SetModuleShareDirectory"):
            made.SetModuleShareDirectory(str(self.folder / "share"))
        made.SetMRMLApplicationLogic(self.logic)
        made.SetMRMLScene(self.scene)
        self.logic.SetModuleLogic(name, made)
        return made


def _observe_hierarchy(scene: Any) -> None:
    """Give new nodes an item in the subject hierarchy, as the application's plugins do."""

    def added(_scene: Any, _event: str, node: Any) -> None:
        if node is not None and not scene.IsImporting():
            _add_item(scene, node)

    def removed(_scene: Any, _event: str, node: Any) -> None:
        if node is not None and not scene.IsClosing():
            _take_away(scene, node)

    def imported(*_: Any) -> None:
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        nodes = scene.GetNodes()
        for index in range(nodes.GetNumberOfItems()):
            _add_item(scene, nodes.GetItemAsObject(index))

    added.CallDataType = removed.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
    scene.AddObserver(scene.NodeAddedEvent, added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, removed)
    scene.AddObserver(scene.EndImportEvent, imported, 10.0)
    scene.AddObserver(scene.EndBatchProcessEvent, imported, 10.0)  # a scene in a bundle
    scene.AddObserver(scene.EndCloseEvent, lambda *_: _hierarchy(scene))
    _hierarchy(scene)


def _hierarchy(scene: Any) -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _take_away(scene: Any, node: Any) -> None:
    """Remove the item of a node that is about to go; segments go with their items."""
    if node.IsA("vtkMRMLSubjectHierarchyNode"):
        return
    if node.IsA("vtkMRMLSegmentationNode"):
        node.GetSegmentation().RemoveAllSegments()
    hierarchy = _hierarchy(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)


def _add_item(scene: Any, node: Any) -> None:
    if node is None or node.GetHideFromEditors():
        return
    if any(node.IsA(name) for name in HIERARCHY_CLASSES):
        hierarchy = _hierarchy(scene)
        if not hierarchy.GetItemByDataNode(node):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
