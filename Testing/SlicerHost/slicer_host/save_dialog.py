"""What Slicer's Save would offer and write: the rules of `qSlicerSaveDataDialog`, without a window.

Ported from `populateNode`, `nodeFileInfo`, `saveNodes` and `confirmOverwrite` in
Base/QTGUI/qSlicerSaveDataDialog.cxx and `forceFileNameValidCharacters` in
Base/QTCore/qSlicerCoreIOManager.cxx. As there, opening it gives nodes storage nodes and file names,
also if nothing is saved then. The row of the scene is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REMOVED = re.compile(r"[^A-Za-z0-9 \-_.()$!~#'%^{}]")


@dataclass(frozen=True)
class SaveRow:
    """A row of the dialog.

    Attributes:
        node: The node.
        isChecked: Whether it would be saved.
        path: The file that it would be written to.
    """

    node: Any
    isChecked: bool
    path: Path


def save_rows(scene: Any) -> list[SaveRow]:
    """Return the rows of the dialog, as when it has just been opened."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    storable = [node for node in nodes if node.IsA("vtkMRMLStorableNode")]
    rows = (_row(scene, node) for node in storable)
    return [row for row in rows if row is not None]


def save(scene: Any) -> list[Path]:
    """Press Save at once, and Yes to all where files are there already; return what is written."""
    written = []
    for row in save_rows(scene):
        if row.isChecked:
            storage = row.node.GetStorageNode()
            storage.SetFileName(str(row.path))
            if storage.WriteData(row.node):
                written.append(row.path)
    return written


def _row(scene: Any, node: Any) -> SaveRow | None:
    if node.GetHideFromEditors() or not node.GetSaveWithScene():
        return None
    path = _file(scene, node)
    return None if path is None else SaveRow(node, bool(node.GetModifiedSinceRead()), path)


def _file(scene: Any, node: Any) -> Path | None:
    name = _REMOVED.sub("", node.GetName() or "").strip()
    storage = node.GetStorageNode()
    if storage is None:
        if not node.AddDefaultStorageNode() or node.GetStorageNode() is None:
            return None
        storage = node.GetStorageNode()
    elif storage.GetFileName() and node.GetName() and storage.GetFileNameWithoutExtension() != name:
        folder = Path(storage.GetFileName()).parent
        storage.SetFileName(str(folder / f"{name}{storage.GetSupportedFileExtension()}"))
        node.StorableModified()
    if not storage.GetFileName():
        folder = Path(scene.GetRootDirectory())
        storage.SetFileName(str(folder / f"{name}.{storage.GetDefaultWriteFileExtension()}"))
    path = Path(storage.GetFileName())
    return path if path.is_absolute() else Path(scene.GetRootDirectory()) / path
