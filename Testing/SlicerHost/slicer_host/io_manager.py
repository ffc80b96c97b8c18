"""Stand-in for the I/O manager: reads and writes nodes with the real storage nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk
from PySide6.QtCore import QObject

from slicer_host.errors import HostGapError

VOLUMES = (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd")


class qSlicerIOManager(QObject):
    """Loads and saves volumes, segmentations and bundles of a scene."""

    def __init__(self, core: Any) -> None:
        super().__init__()
        self._core = core

    def loadNodes(
        self, kind: str, properties: Any, loaded: Any = None, messages: Any = None
    ) -> bool:
        path = Path(str(properties["fileName"]))
        if kind == "SceneFile" and path.suffix == ".mrb":
            return bool(self._core.scene.ReadFromMRB(str(path), properties.get("clear", True)))
        loaders = {"VolumeFile": self._load_volume, "SegmentationFile": self._load_segmentation}
        if kind not in loaders:
            msg = f"The host does not load files of the type {kind} yet."
            raise HostGapError(msg)
        name = properties.get("name") or _stem(path)
        node = loaders[kind](path, name, properties) if path.is_file() else None
        if node is None:
            text = f"Failed to load {path}." if path.is_file() else f"{path} does not exist."
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
            return False
        loaded.AddItem(node)
        return True

    def _load_segmentation(self, path: Path, name: str, _properties: Any) -> Any:
        scene = self._core.scene
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            scene.RemoveNode(storage)
            scene.RemoveNode(node)
            return None
        node.SetAndObserveStorageNodeID(storage.GetID())
        node.CreateDefaultDisplayNodes()
        return node

    def _load_volume(self, path: Path, name: str, properties: Any) -> Any:
        options = (1 if properties.get("labelmap") else 0) | 4 * bool(properties.get("singleFile"))
        node = self._core.logics["Volumes"].AddArchetypeVolume(str(path), name, options)
        if node is not None and properties.get("show", True):
            selection = self._core.logic.GetSelectionNode()
            label = properties.get("labelmap")
            choose = selection.SetActiveLabelVolumeID if label else selection.SetActiveVolumeID
            choose(node.GetID())
            self._core.logic.PropagateVolumeSelection()
        return node

    def fileType(self, path: str) -> str:
        name = Path(path).name.lower()
        if not name.endswith(VOLUMES):
            msg = f"The host does not know the type of the file {path} yet."
            raise HostGapError(msg)
        return "SegmentationFile" if name.endswith(".seg.nrrd") else "VolumeFile"

    def saveNodes(self, kind: str, properties: Any, messages: Any = None) -> bool:
        scene, path = self._core.scene, str(properties["fileName"])
        if kind == "SceneFile":
            if not path.endswith(".mrb"):
                msg = f"The host saves scenes as .mrb only, not as {path}."
                raise HostGapError(msg)
            scene.SetURL(path)
            scene.SetRootDirectory(str(Path(path).parent))
            return bool(scene.WriteToMRB(path))
        node = scene.GetNodeByID(properties.get("nodeID", ""))
        if node is None:
            return False
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(bool(properties.get("useCompression", True)))
        return bool(storage.WriteData(node))

    def fileWriterFileType(self, node: Any, _format: str = "") -> str:
        return node.GetNodeTagName()


def _stem(path: Path) -> str:
    for ending in (".seg.nrrd", ".nii.gz"):
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem
