"""Stand-in for the layout manager: the views of the layout node's current description."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from slicer_host.errors import HostGapError
from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.views.slice_view import qMRMLSliceWidget
from slicer_host.views.threed_view import qMRMLThreeDWidget


class qSlicerLayoutManager(QObject):
    """Creates a widget per slice or 3-D view node and arranges those of the current layout."""

    layoutChanged = Signal(int)

    def __init__(self, core: Any, viewport: QWidget) -> None:
        super().__init__(viewport)
        self._core = core
        self._scene = core.scene
        self._viewport = viewport
        self._widgets: dict[str, QWidget] = {}
        self._root: QWidget | None = None
        self._arrangement = 0
        self._description = ""
        QVBoxLayout(viewport).setContentsMargins(0, 0, 0, 0)
        self._observation = Observation(self)
        self._observation.add(self._layoutNode(), "ModifiedEvent", "_onLayout")
        self._observation.add(core.scene, core.scene.EndCloseEvent, "_onLayout")
        self._observation.add(core.scene, core.scene.EndImportEvent, "_onLayout")
        self._observation.add_with_node(core.scene, core.scene.NodeRemovedEvent, self._onRemoved)

    def layoutLogic(self) -> Any:
        return self._core.layout_logic

    def layout(self) -> int:
        return self._layoutNode().GetViewArrangement()

    def _layoutNode(self) -> Any:
        return self._core.layout_logic.GetLayoutNode()

    def setLayout(self, layout: int) -> None:
        node = self._layoutNode()
        if not node.IsLayoutDescription(layout):
            layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        node.SetViewArrangement(layout)

    def _onLayout(self, *_: Any) -> None:
        if self._scene.IsImporting() or self._scene.IsClosing():
            return
        node = self._layoutNode()
        description = node.GetCurrentLayoutDescription() or ""
        same = (node.GetViewArrangement(), description) == (self._arrangement, self._description)
        if same or not description:  # without one while the scene is closed
            return
        self._arrangement, self._description = node.GetViewArrangement(), description
        self._arrange(node.GetLayoutRootElement())
        self.layoutChanged.emit(self._arrangement)

    def _arrange(self, element: Any) -> None:
        for widget in self._widgets.values():
            widget.hide()
            widget.setParent(self._viewport)
        if self._root is not None and self._root not in self._widgets.values():
            self._root.deleteLater()
        self._root = self._build(element) if element is not None else None
        if self._root is not None:
            self._viewport.layout().addWidget(self._root)
            self._root.show()

    def _build(self, element: Any) -> QWidget | None:
        if element.GetName() == "view":
            node = self._core.layout_logic.GetViewFromElement(element)
            return self._widget(node) if node is not None else None
        is_vertical = element.GetAttribute("type") == "vertical"
        box = QSplitter(Qt.Orientation.Vertical if is_vertical else Qt.Orientation.Horizontal)
        for index in range(element.GetNumberOfNestedElements()):
            item = element.GetNestedElement(index)
            for inner in range(item.GetNumberOfNestedElements()):
                child = self._build(item.GetNestedElement(inner))
                if child is not None:
                    box.addWidget(child)
                    child.show()
        box.setSizes([1000] * box.count())
        return box

    def _widget(self, node: Any) -> QWidget:
        identity = node.GetID()
        if identity not in self._widgets:
            self._widgets[identity] = self._make(node)
        return self._widgets[identity]

    def _make(self, node: Any) -> QWidget:
        if node.IsA("vtkMRMLSliceNode"):
            slices = qMRMLSliceWidget(self._viewport)
            self._core.logic.GetSliceLogics().AddItem(slices.logic())
            slices.setMRMLScene(self._scene)
            slices.setMRMLSliceNode(node)
            return slices
        if not node.IsA("vtkMRMLViewNode"):
            msg = f"The host has no views for a {node.GetClassName()} in its layouts."
            raise HostGapError(msg)
        space = qMRMLThreeDWidget(self._viewport)
        space.setMRMLScene(self._scene)
        space.setMRMLViewNode(node)
        self._core.logic.GetViewLogics().AddItem(space.logic())
        return space

    def _onRemoved(self, node: Any) -> None:
        """Delete the widget of a view node that was removed."""
        widget = self._widgets.pop(node.GetID(), None) if node is not None else None
        if widget is None:
            return
        for logics in (self._core.logic.GetSliceLogics(), self._core.logic.GetViewLogics()):
            logics.RemoveItem(widget.logic())
        widget.release()
        widget.hide()
        widget.setParent(None)
        widget.deleteLater()

    def _of(self, kind: str) -> list[Any]:
        nodes = [(self._scene.GetNodeByID(key), widget) for key, widget in self._widgets.items()]
        return [widget for node, widget in nodes if node is not None and node.IsA(kind)]

    def sliceViewNames(self) -> list[str]:
        return [one.mrmlSliceNode().GetLayoutName() for one in self._of("vtkMRMLSliceNode")]

    def sliceWidget(self, name: str) -> QWidget | None:
        named = zip(self.sliceViewNames(), self._of("vtkMRMLSliceNode"), strict=True)
        return dict(named).get(name)

    def threeDWidget(self, index: int) -> QWidget | None:
        widgets = self._of("vtkMRMLViewNode")
        return widgets[index] if 0 <= index < len(widgets) else None

    def mrmlSliceLogics(self) -> Any:
        return self._core.logic.GetSliceLogics()
