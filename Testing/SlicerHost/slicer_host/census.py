"""Counts what a test could leave behind."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Census:
    """Numbers of things that are alive; `grown` compares two of them.

    Attributes:
        counts: Nodes by class; observers, connections, widgets, files.
        memory_mb: Memory of the process in MB.
    """

    counts: Counter[str]
    memory_mb: float

    def grown(self, earlier: Census) -> dict[str, int]:
        """Return what is more than it was, by name; memory is left to the caller."""
        return dict(self.counts - earlier.counts)


def count_nodes_observers() -> Census:
    """Count nodes by class, VTK observers of scene and nodes, Qt connections, widgets, files."""
    import slicer
    from PySide6.QtWidgets import QApplication

    from slicer_host.host import settle
    from slicer_host.pythonqt import signals

    settle()
    gc.collect()
    settle()
    scene = slicer.mrmlScene
    collection = scene.GetNodes()
    nodes = [collection.GetItemAsObject(index) for index in range(collection.GetNumberOfItems())]
    counts = Counter(node.GetClassName() for node in nodes)
    counts["observers"] = sum(map(_observers, [scene, *nodes]))
    counts["connections"] = sum(map(len, signals._connections.values()))
    counts["widgets"] = len(QApplication.allWidgets())
    temporary = Path(slicer.app.temporaryPath)
    counts["files"] = sum(path.is_file() for path in temporary.rglob("*"))
    return Census(counts, psutil.Process().memory_info().rss / 2**20)


def _observers(subject: Any) -> int:
    """Count the observers that VTK lists in the object's description."""
    return str(subject).partition("Registered Observers:")[2].count("vtkObserver (")
