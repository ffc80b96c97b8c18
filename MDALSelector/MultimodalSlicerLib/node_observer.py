"""Observes a set of nodes that changes. Must not import Qt.

`VTKObservationMixin` keeps every node that it ever observed, and with it the voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import slicer


class NodeObserver:
    """Calls a function when one of the nodes changes; keeps no other node alive."""

    def __init__(
        self, events: Collection[int | str], changed: Callable[[Any, object], None]
    ) -> None:
        """Observe nothing yet.

        Args:
            events: The events that count.
            changed: Gets the node and the event.
        """
        self._events, self._changed = events, changed
        self._tags: dict[slicer.vtkMRMLNode, list[int]] = {}

    def follow(self, nodes: Collection[slicer.vtkMRMLNode]) -> None:
        """Observe these nodes, and no longer others."""
        for node in set(self._tags).difference(nodes):
            for tag in self._tags.pop(node):
                node.RemoveObserver(tag)
        for node in nodes:
            if node not in self._tags:
                tags = [node.AddObserver(event, self._changed) for event in self._events]
                self._tags[node] = tags
