"""Stand-in for the layout manager: the views of the layout node's current description."""

from __future__ import annotations

import contextlib
from typing import Any

import slicer
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from slicer_host.stand_ins.mrml_base import Observation
from slicer_host.stand_ins.plots import qMRMLPlotWidget
from slicer_host.stand_ins.tables import qMRMLTableWidget
from slicer_host.views.picture import Rendering
from slicer_host.views.slice_view import qMRMLSliceWidget
from slicer_host.views.threed_view import qMRMLThreeDWidget

CLASSES = ("vtkMRMLSliceNode", "vtkMRMLViewNode", "vtkMRMLTableViewNode", "vtkMRMLPlotViewNode")


class qSlicerLayoutManager(QObject):
    """Creates a widget per view node and arranges those of the current layout."""

    layoutChanged = Signal(int)
    selectModule = Signal(str)
    nodeAboutToBeEdited = Signal(object)
    activeMRMLThreeDViewNodeChanged = Signal(object)
    activeMRMLTableViewNodeChanged = Signal(object)
    activeMRMLPlotViewNodeChanged = Signal(object)

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
        self._observation.add(core.layout_logic.GetLayoutNode(), "ModifiedEvent", "_onLayout")
        self._observation.add(core.scene, core.scene.EndCloseEvent, "_onSceneClosed")
        self._observation.add(core.scene, core.scene.EndImportEvent, "_onLayout")
        self._observation.add_with_node(core.scene, core.scene.NodeRemovedEvent, self._onRemoved)

    def layoutLogic(self) -> Any:
        return self._core.layout_logic

    def mrmlScene(self) -> Any:
        return self._scene

    def layout(self) -> int:
        return self._layoutNode().GetViewArrangement()

    def _layoutNode(self) -> Any:
        return self._core.layout_logic.GetLayoutNode()

    def setLayout(self, layout: int) -> None:
        node = self._layoutNode()
        if not node.IsLayoutDescription(layout):
            layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        node.SetViewArrangement(layout)

    def _onSceneClosed(self, *_: Any) -> None:
        self._onLayout()

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
            return self._view(element)
        kind = element.GetAttribute("type") or "horizontal"
        box: Any = QTabWidget() if kind == "tab" else _splitter(kind)
        for index in range(element.GetNumberOfNestedElements()):
            item = element.GetNestedElement(index)
            for inner in range(item.GetNumberOfNestedElements()):
                child = self._build(item.GetNestedElement(inner))
                if child is None:
                    continue
                if kind == "tab":
                    box.addTab(child, child.viewLabel() if hasattr(child, "viewLabel") else "")
                else:
                    box.addWidget(child)
                    box.setStretchFactor(box.count() - 1, int(item.GetAttribute("splitSize") or 1))
                child.show()
        if isinstance(box, QSplitter):
            box.setSizes([1000 * box.widget(index).sizePolicy().horizontalStretch() or 1000
                          for index in range(box.count())])  # fmt: skip
        return box

    def _view(self, element: Any) -> QWidget | None:
        node = self._core.layout_logic.GetViewFromElement(element)
        return self._widget(node) if node is not None else None

    def _widget(self, node: Any) -> QWidget:
        identity = node.GetID()
        if identity not in self._widgets:
            self._widgets[identity] = self._make(node)
        return self._widgets[identity]

    def _make(self, node: Any) -> QWidget:
        if node.IsA("vtkMRMLSliceNode"):
            return self._makeSlice(node)
        makers = {
            "vtkMRMLViewNode": (qMRMLThreeDWidget, "ThreeDWidget", "setMRMLViewNode"),
            "vtkMRMLTableViewNode": (qMRMLTableWidget, "qMRMLTableWidget", "setMRMLTableViewNode"),
            "vtkMRMLPlotViewNode": (qMRMLPlotWidget, "qMRMLPlotWidget", "setMRMLPlotViewNode"),
        }
        kind, name, method = makers[node.GetClassName()]
        widget = kind(self._viewport)
        widget.setObjectName(f"{name}{node.GetLayoutName()}")
        widget.setMRMLScene(self._scene)
        getattr(widget, method)(node)
        if hasattr(widget, "viewLogic"):
            self._core.logic.GetViewLogics().AddItem(widget.viewLogic())
        return widget

    def _makeSlice(self, node: Any) -> QWidget:
        widget = qMRMLSliceWidget(self._viewport)
        widget.setObjectName(f"qMRMLSliceWidget{node.GetLayoutName()}")
        self._core.logic.GetSliceLogics().AddItem(widget.sliceLogic())
        widget.setMRMLScene(self._scene)
        widget.setMRMLSliceNode(node)
        return widget

    def _onRemoved(self, node: Any) -> None:
        """Delete the widget of a view node that was removed."""
        widget = self._widgets.pop(node.GetID(), None) if node is not None else None
        if widget is None:
            return
        logics = self._core.logic
        collection = (
            logics.GetSliceLogics() if hasattr(widget, "sliceLogic") else logics.GetViewLogics()
        )
        if hasattr(widget, "logic"):
            collection.RemoveItem(widget.logic())
        if hasattr(widget, "release"):
            widget.release()
        widget.hide()
        widget.setParent(None)
        widget.deleteLater()

    # access

    def viewport(self) -> QWidget:
        return self._viewport

    def _of(self, kind: str) -> list[QWidget]:
        nodes = [(self._scene.GetNodeByID(key), widget) for key, widget in self._widgets.items()]
        return [
            widget for node, widget in nodes if node is not None and node.GetClassName() == kind
        ]

    def sliceViewNames(self) -> list[str]:
        return [widget.sliceViewName() for widget in self._of("vtkMRMLSliceNode")]

    def sliceWidget(self, name: str) -> QWidget | None:
        found = (w for w in self._of("vtkMRMLSliceNode") if w.sliceViewName() == name)
        return next(found, None)

    def _nth(self, kind: str, key: Any) -> QWidget | None:
        widgets = self._of(kind)
        if isinstance(key, str):
            return next((w for w in widgets if w.mrmlViewNode().GetLayoutName() == key), None)
        return widgets[key] if 0 <= key < len(widgets) else None

    def threeDWidget(self, key: Any) -> QWidget | None:
        return self._nth("vtkMRMLViewNode", key)

    def tableWidget(self, key: int) -> QWidget | None:
        return self._nth("vtkMRMLTableViewNode", key)

    def plotWidget(self, key: int) -> QWidget | None:
        return self._nth("vtkMRMLPlotViewNode", key)

    def threeDViewCount(self) -> int:
        return len(self._of("vtkMRMLViewNode"))

    def tableViewCount(self) -> int:
        return len(self._of("vtkMRMLTableViewNode"))

    def plotViewCount(self) -> int:
        return len(self._of("vtkMRMLPlotViewNode"))

    def viewWidget(self, node: Any) -> QWidget | None:
        return self._widgets.get(node.GetID()) if node is not None else None

    def viewWidgets(self) -> list[QWidget]:
        return list(self._widgets.values())

    def mrmlSliceLogics(self) -> Any:
        return self._core.logic.GetSliceLogics()

    def mrmlViewLogics(self) -> Any:
        return self._core.logic.GetViewLogics()

    def activeMRMLThreeDViewNode(self) -> Any:
        widget = self.threeDWidget(0)
        return widget.mrmlViewNode() if widget else None

    def resetSliceViews(self) -> None:
        for widget in self._of("vtkMRMLSliceNode"):
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for widget in self._of("vtkMRMLViewNode"):
            widget.threeDView().resetFocalPoint()

    def setRenderPaused(self, paused: bool) -> None:
        Rendering.paused += 1 if paused else -1
        if not Rendering.paused:
            for widget in self._widgets.values():
                with contextlib.suppress(AttributeError):
                    widget.viewWidget().scheduleRender()

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def isEnabled(self) -> bool:
        return True


def _splitter(kind: str) -> QSplitter:
    orientation = Qt.Orientation.Vertical if kind == "vertical" else Qt.Orientation.Horizontal
    return QSplitter(orientation)
