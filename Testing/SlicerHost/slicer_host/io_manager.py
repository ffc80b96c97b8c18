"""Stand-in for the I/O manager: reads and writes nodes with the real storage nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk
from PySide6.QtCore import QObject, Signal

# File type of the application: class of the node, class of its storage node.
READERS = {
    "VolumeFile": ("vtkMRMLScalarVolumeNode", ""),
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
    "TextFile": ("vtkMRMLTextNode", "vtkMRMLTextStorageNode"),
    "TransformFile": ("vtkMRMLLinearTransformNode", "vtkMRMLTransformStorageNode"),
    "ModelFile": ("vtkMRMLModelNode", "vtkMRMLModelStorageNode"),
    "ColorTableFile": ("vtkMRMLColorTableNode", "vtkMRMLColorTableStorageNode"),
    "MarkupsFile": ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsJsonStorageNode"),
}


class qSlicerIOManager(QObject):
    """Loads and saves files."""

    newFileLoaded = Signal(dict)
    fileSaved = Signal(dict)

    def __init__(self, core: Any) -> None:
        super().__init__()
        self._core = core

    def loadScene(self, path: str, clear: bool = True, messages: Any = None) -> bool:
        return self.loadNodes("SceneFile", {"fileName": path, "clear": clear}, None, messages)

    def loadFile(self, path: str, messages: Any = None) -> bool:
        return self.loadNodes(self.fileType(path), {"fileName": path}, None, messages)

    def loadNodes(
        self, kind: str, properties: Any, loaded: Any = None, messages: Any = None
    ) -> bool:
        properties = dict(properties)
        path = Path(str(properties["fileName"]))
        if kind == "SceneFile":
            return self._load_scene(path, clear=bool(properties.get("clear", True)))
        node = self._load(kind, path, properties) if path.is_file() else None
        if node is None:
            if messages is not None:
                text = f"Failed to load {path}." if path.is_file() else f"{path} does not exist."
                messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
            return False
        if loaded is not None:
            loaded.AddItem(node)
        self.newFileLoaded.emit(properties | {"fileType": kind})
        return True

    def _load_scene(self, path: Path, *, clear: bool) -> bool:
        scene = self._core.scene
        if path.suffix == ".mrb":
            return bool(scene.ReadFromMRB(str(path), clear))
        scene.SetURL(str(path))
        return bool(scene.Connect() if clear else scene.Import())

    def _load(self, kind: str, path: Path, properties: dict[str, Any]) -> Any:
        name = properties.get("name") or _stem(path)
        if kind == "VolumeFile":
            return self._load_volume(path, name, properties)
        classes = READERS.get(kind)
        if classes is None:
            return None
        scene = self._core.scene
        node = scene.AddNewNodeByClass(classes[0], scene.GenerateUniqueName(name))
        storage = scene.AddNewNodeByClass(classes[1])
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            scene.RemoveNode(storage)
            scene.RemoveNode(node)
            return None
        node.SetAndObserveStorageNodeID(storage.GetID())
        if hasattr(node, "CreateDefaultDisplayNodes"):
            node.CreateDefaultDisplayNodes()
        return node

    def _load_volume(self, path: Path, name: str, properties: dict[str, Any]) -> Any:
        options = 1 if properties.get("labelmap") else 0
        options |= 4 if properties.get("singleFile") else 0
        node = self._core.logics["Volumes"].AddArchetypeVolume(str(path), name, options)
        if node is not None and properties.get("show", True):
            selection = self._core.logic.GetSelectionNode()
            if properties.get("labelmap"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._core.logic.PropagateVolumeSelection()
        return node

    def fileType(self, path: str) -> str:
        name = Path(path).name.lower()
        endings = {
            (".seg.nrrd", ".seg.vtm"): "SegmentationFile",
            (".mrml", ".mrb"): "SceneFile",
            (".csv", ".tsv"): "TableFile",
            (".txt", ".json"): "TextFile",
            (".h5", ".tfm"): "TransformFile",
            (".vtp", ".stl", ".ply", ".obj"): "ModelFile",
            (".ctbl",): "ColorTableFile",
            (".mrk.json",): "MarkupsFile",
        }
        found = [kind for ends, kind in endings.items() if name.endswith(ends)]
        return found[-1] if found else "VolumeFile"

    def saveNodes(
        self, kind: str, properties: Any, messages: Any = None, scene: Any = None
    ) -> bool:
        properties = dict(properties)
        node = (scene or self._core.scene).GetNodeByID(properties.get("nodeID", ""))
        if kind == "SceneFile":
            return self.saveScene(str(properties["fileName"]), None)
        if node is None:
            return False
        storage = node.GetStorageNode()
        if storage is None:
            node.AddDefaultStorageNode(str(properties["fileName"]))
            storage = node.GetStorageNode()
        storage.SetFileName(str(properties["fileName"]))
        storage.SetUseCompression(bool(properties.get("useCompression", True)))
        done = bool(storage.WriteData(node))
        if done:
            self.fileSaved.emit(properties)
        return done

    def saveScene(self, path: str, _image: Any = None, messages: Any = None) -> bool:
        scene = self._core.scene
        scene.SetURL(path)
        scene.SetRootDirectory(str(Path(path).parent))
        return bool(scene.WriteToMRB(path) if path.endswith(".mrb") else scene.Commit(path))

    def addDefaultStorageNodes(self) -> None:
        nodes = self._core.scene.GetNodes()
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
                node.AddDefaultStorageNode()

    def createAndAddDefaultStorageNode(self, node: Any) -> Any:
        node.AddDefaultStorageNode()
        return node.GetStorageNode()

    def fileWriterFileType(self, node: Any, _format: str = "") -> str:
        return "SceneFile" if node.IsA("vtkMRMLScene") else node.GetNodeTagName()

    def defaultSceneFileType(self) -> str:
        return "MRML Scene (.mrml)"


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".seg.nrrd", ".nii.gz", ".mrk.json"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem
