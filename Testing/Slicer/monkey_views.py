"""What somebody does at random with the scene, the views, the mouse and the keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from desk import paint
from monkey_labels import Reader
from slicer_host import in_application

# Not clicked at random: they start jobs, open dialogs or menus, or are actions of their own.
JOBS = (
    *("inspect", "start", "retrospect", "train", "batch", "segment", "install", "check"),
    *("resetNames", "try", "round", "endRound", "estimate", "test", "agreement", "consensus"),
)
DIALOGS = (
    *(
        "manifest",
        "recent",
        "export",
        "openReport",
        "retrospectPage",
        "labelingPage",
        "showResults",
        "dicom",
    ),
    *("included", "startIncluded", "neighbour"),
)
LEAVING = (
    *("saveLabel", "loadCase", "closeCase", "useModel", "useStrategy", "segmentEditor"),
    *("openNext", "previous", "saveNext", "skip", "undo", "takeKept", "dropKept"),
)
KEYS = ("Escape", "Down", "Up", "Home", "End", "PageDown", "Space", "Tab")
HELPERS = (
    *("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode"),
    *("vtkMRMLColorLegendDisplayNode", "vtkMRMLTextNode", "vtkMRMLColorTableNode"),
)
LAYOUTS = ("FourUpView", "ConventionalView", "OneUpRedSliceView", "ThreeOverThreeView")
MODULES = ("MDALSelector", "CIMLSegment", "SegmentEditor")
BACK = ("Undo", "Redo")
EFFECTS = ("Paint", "Paint", "Erase", "", *BACK)


class Clicker(Reader):
    """Clicks, types, deletes and changes modules, besides what a reader does."""

    isApplication = in_application.is_real_application()
    mayBeRare = frozenset() if isApplication else frozenset({"use_editor"})  # no effects there

    def allActions(self) -> dict[Any, float]:
        """Return the actions with their weights."""
        return super().allActions() | {
            self.paint_result: 1, self.rename_image: 2, self.delete_image: 1,
            self.delete_result: 1, self.delete_helper: 2, self.change_view: 4,
            self.change_layout: 2, self.change_module: 4, self.show_map: 2, self.remove_map: 1,
            self.click_button: 6, self.choose_entry: 2, self.press_key: 4, self.click_row: 3,
            self.use_editor: 2,
        }  # fmt: skip

    # --- nodes ---

    def paint_result(self) -> bool:
        node = self.desk.segmenter.logic.getParameterNode().result
        if node is None or node.GetNodeReference("referenceImageGeometryRef") is None:
            return False
        paint(node, self.random.randrange(1000))
        return True

    def rename_image(self) -> bool:
        node = self._any("vtkMRMLScalarVolumeNode")
        if node is not None:
            node.SetName(self.random.choice(["follow-up", "ct", "pet", "my image"]))
        return node is not None

    def delete_image(self) -> bool:
        return self._delete(self._any("vtkMRMLScalarVolumeNode"))

    def delete_result(self) -> bool:
        return self._delete(self.desk.segmenter.logic.getParameterNode().result)

    def delete_helper(self) -> bool:
        found = [node for kind in HELPERS for node in self._all(kind) if _isOurs(node)]
        return bool(found) and self._delete(self.random.choice(found))

    # --- views and modules ---

    def change_view(self) -> bool:
        composite, image = self._any("vtkMRMLSliceCompositeNode"), self._any("vtkMRMLVolumeNode")
        identity = None if image is None or self.random.random() < 0.2 else image.GetID()
        if self.random.random() < 0.3:
            composite.SetForegroundVolumeID(identity)
        else:
            composite.SetBackgroundVolumeID(identity)
        return image is not None

    def change_layout(self) -> bool:
        import slicer

        name = f"SlicerLayout{self.random.choice(LAYOUTS)}"
        slicer.app.layoutManager().setLayout(getattr(slicer.vtkMRMLLayoutNode, name))
        return True

    def change_module(self) -> bool:
        import slicer

        before, name = slicer.util.selectedModule(), self.random.choice(MODULES)
        memory, isUnsaved = self.memory(), self.desk.case.hasUnsavedChanges()
        slicer.util.selectModule(name)
        slicer.app.processEvents()
        if before not in {name, "SegmentEditor"}:
            self.isKept(memory, isUnsaved=isUnsaved)
        return name != before

    def show_map(self) -> bool:
        import slicer

        from CIMLSegmentPanelLib.nodes.result_facts import resultImages

        slicer.util.selectModule("CIMLSegment")
        panel = self.desk.segmenter
        node = panel._parameterNode.result
        if node is None or set(resultImages(node)) != {"PET", "CT"}:
            return False  # a result that was edited outlives its images
        panel._parameterNode.isSideBySide = self.random.random() < 0.5
        region = node.GetSegmentation().GetNthSegmentID(0)
        if node.GetSegmentCenterRAS(region) is None:
            return False
        panel.contributions.onCellPicked(region, "PET", "CT")
        return True

    def remove_map(self) -> bool:
        import slicer

        slicer.util.selectModule("CIMLSegment")
        button = self.desk.segmenter.ui.removeOverlayButton
        if not button.enabled and not self.show_map():
            return False
        self.desk.segmenter.contributions.onRemoveOverlayButton()
        self.promise("a map that is removed is gone", not button.enabled)
        return True

    def use_editor(self) -> bool:
        """Draw with the mouse and Segment Editor in the panel; the host's has no effects."""
        if not self.isApplication or not self.case:
            return False
        import drive
        import slicer

        from MultimodalSlicerLib.label_contents import areAlike
        from MultimodalSlicerLib.segment_nodes import setShown

        if not self.reach(self.ui.editorWidget):
            return False
        editor, effect = self.desk.selector.labeling.editor.editor, self.random.choice(EFFECTS)
        setShown(self.desk.case.loader.segmentation(), True)  # else Slicer asks in a box of its own
        before = self.memory().contents
        if effect in BACK:
            button = slicer.util.findChild(editor, f"{effect}Button")
            if button.visible and button.enabled:
                drive.click(button)
        else:
            editor.setActiveEffectByName(effect)
            names = slicer.app.layoutManager().sliceViewNames()
            views = [slicer.app.layoutManager().sliceWidget(name).sliceView() for name in names]
            shown = [view.VTKWidget() for view in views if view.visible]
            if effect and shown:
                widget = self.random.choice(shown)
                x, y = widget.width // 2, widget.height // 2
                drive.drag(widget, (x, y), (x + self.random.randrange(20), y))
        slicer.app.processEvents()
        isChanged = not areAlike(before, self.memory().contents)
        self.acted[f"Segment Editor {effect or 'no effect'}{', drawn' if isChanged else ''}"] += 1
        return isChanged

    # --- mouse and keys ---

    def click_button(self) -> bool:
        import drive

        avoided = [f"{name}Button" for name in (*JOBS, *DIALOGS, *LEAVING)]
        found = [w for name, w in self._widgets("Button", "CheckBox") if name not in avoided]
        if found:
            button = self.random.choice(found)
            self.done.append(f"({button.objectName})")
            self.acted[f"click {button.objectName}"] += 1
            drive.click(button)
        return bool(found)

    def choose_entry(self) -> bool:
        import drive

        found = [
            w for name, w in self._widgets("ComboBox") if w.count and name != "labelStartComboBox"
        ]
        if found:
            box = self.random.choice(found)
            self.acted[f"choose {box.objectName}"] += 1
            drive.press(box, self.random.choice(["Down", "Up"]))
        return bool(found)

    def press_key(self) -> bool:
        import drive

        found = [w for _name, w in self._widgets("View", "Table", "Button", "LineEdit", "SpinBox")]
        if found:
            widget = self.random.choice(found)
            isButton = hasattr(widget, "click")
            keys = [key for key in KEYS if not isButton or key != "Space"]  # a space clicks it
            drive.press(widget, self.random.choice(keys))
        return bool(found)

    def click_row(self) -> bool:
        import drive

        found = [w for _name, w in self._widgets("View", "Table") if w.model().rowCount()]
        if found:
            table = self.random.choice(found)
            row = self.random.randrange(table.model().rowCount())
            columns = [c for c in range(table.model().columnCount()) if not table.isColumnHidden(c)]
            drive.click_cell(table, row, self.random.choice(columns))
        return bool(found)

    def _widgets(self, *kinds: str) -> Iterator[tuple[str, Any]]:
        """Yield name and widget of what a user can reach in one of the panels."""
        import slicer

        panel = self.random.choice([self.desk.selector, self.desk.segmenter])
        slicer.util.selectModule(panel.moduleName)
        slicer.app.processEvents()
        for name in sorted(name for name in dir(panel.ui) if name.endswith(kinds)):
            widget = getattr(panel.ui, name)
            if widget.visible and widget.enabled:
                yield name, widget

    def _all(self, kind: str) -> list[Any]:
        count = self.scene.GetNumberOfNodesByClass(kind)
        return [self.scene.GetNthNodeByClass(index, kind) for index in range(count)]

    def _any(self, kind: str) -> Any:
        count = self.scene.GetNumberOfNodesByClass(kind)
        return self.scene.GetNthNodeByClass(self.random.randrange(count), kind) if count else None

    def _delete(self, node: Any) -> bool:
        if node is not None:
            self.scene.RemoveNode(node)
        return node is not None


def _isOurs(node: Any) -> bool:
    names = node.GetAttributeNames() or ()
    return any(name.startswith(("CrossModal", "MDALSelector", "CIMLSegment")) for name in names)
