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
    """Numbers of things that are alive; `grown` compares two of them."""

    nodes: dict[str, int]
    observers: int
    connections: int
    widgets: int
    files: int
    memory_mb: float

    def grown(self, earlier: Census) -> dict[str, Any]:
        """Return what is more than it was, by name; memory in MB is left to the caller."""
        more = {
            name: count - earlier.nodes.get(name, 0)
            for name, count in self.nodes.items()
            if count > earlier.nodes.get(name, 0)
        }
        for name in ("observers", "connections", "widgets", "files"):
            difference = getattr(self, name) - getattr(earlier, name)
            if difference > 0:
                more[name] = difference
        return more


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
    temporary = Path(slicer.app.temporaryPath)
    return Census(
        nodes=dict(Counter(node.GetClassName() for node in nodes)),
        observers=_observers(scene) + sum(_observers(node) for node in nodes),
        connections=sum(len(entries) for entries in signals._connections.values()),
        widgets=len(QApplication.allWidgets()),
        files=sum(1 for path in temporary.rglob("*") if path.is_file()),
        memory_mb=psutil.Process().memory_info().rss / 2**20,
    )


def _observers(subject: Any) -> int:
    """Count the observers that VTK lists in the object's description."""
    own = str(subject).partition("Registered Observers:")[2]
    return own.count("vtkObserver (")
