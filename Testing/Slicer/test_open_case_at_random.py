"""A user who does anything in any order with the open case: nothing is lost, nothing is untrue.

The seed and the last actions are in the message of a failure. `CROSSMODAL_MONKEY_STEPS` sets the
number of actions.
"""

from __future__ import annotations

import os
import random
from collections import deque

import pytest
from desk import (
    CASES,
    SEGMENTED,
    Desk,
    black_views,
    hashes,
    paint,
    untrue_headers,
    write_cohort,
    write_results,
)
from slicer_host.save_dialog import save, save_rows

STEPS = int(os.environ.get("CROSSMODAL_MONKEY_STEPS", "160"))
MANY = 3000
# Not clicked at random: they start jobs, open dialogs, save or leave the case (actions of their
# own here).
JOBS = (
    "inspect",
    "start",
    "retrospect",
    "train",
    "batch",
    "segment",
    "install",
    "check",
    "resetNames",
    "try",
)
DIALOGS = ("manifest", "recent", "export", "openReport", "retrospectPage", "showResults")
LEAVING = (
    *("saveLabel", "loadCase", "closeCase", "useModel", "useStrategy"),
    *("openNext", "previous", "saveNext", "skip", "takeKept", "dropKept"),
)
KEYS = ("Escape", "Down", "Up", "Home", "End", "PageDown", "Space", "Tab")
HELPERS = (
    *("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode"),
    *("vtkMRMLColorLegendDisplayNode", "vtkMRMLTextNode", "vtkMRMLColorTableNode"),
)
LAYOUTS = ("FourUpView", "ConventionalView", "OneUpRedSliceView", "ThreeOverThreeView")
MODULES = ("MDALSelector", "CIMLSegment", "SegmentEditor")


class Monkey:
    """Acts at random, and knows what it was told to be saved.

    Attributes:
        done: The last actions.
    """

    def __init__(self, desk, scene, messages, seed):
        self.desk, self.scene, self.messages = desk, scene, messages
        self.random = random.Random(seed)
        self.done = deque(maxlen=40)
        self._saved = {}  # contents per case
        self._actions = {
            self.open_case: 5, self.open_result: 4, self.close_case: 1, self.paint_labels: 6,
            self.paint_result: 1, self.rename_image: 2, self.delete_image: 1, self.delete_labels: 1,
            self.delete_result: 1, self.change_view: 4, self.change_layout: 2,
            self.change_module: 3, self.show_map: 3, self.remove_map: 1, self.look_at_save: 1,
            self.slicers_save: 2, self.own_save: 1, self.edit_labels: 2, self.close_scene: 0.3,
            self.click_button: 6, self.choose_entry: 2, self.press_key: 4, self.click_row: 3,
            self.delete_helper: 2, self.open_next: 2, self.go_back: 2, self.save_next: 2,
            self.skip_case: 1, self.undo: 1, self.keep_work: 3, self.take_kept: 1,
        }  # fmt: skip

    def act(self):
        """Do one thing and look whether all is as it should be."""
        import slicer

        actions, weights = zip(*self._actions.items(), strict=True)
        [action] = self.random.choices(actions, weights)
        self.done.append(action.__name__)
        action()
        slicer.app.processEvents()
        assert untrue_headers(self.scene) == []

    # --- leaving ---

    def open_case(self):
        case = self.random.choice(CASES)
        if self._leave(lambda: self.desk.open(case)):
            assert self.desk.case.loader.caseID == case
            assert black_views(self.scene) == []

    def open_result(self):
        case = self.random.choice(SEGMENTED)
        isOffered = self.desk.stateOf(case) == "segmented"  # and not labeled meanwhile
        if isOffered and self._leave(lambda: self.desk.openResult(case)):
            assert self.desk.case.loader.caseID == case
            assert black_views(self.scene) == []

    def close_case(self):
        self._leave(self.desk.selector.onCloseCaseButton)

    def open_next(self):
        self._leave(self.desk.selector.labeling.onOpenNextButton)

    def go_back(self):
        before = self.desk.selector.logic.labeling.previousCase(self.desk.case.loader.caseID)
        if before is not None and self._leave(self.desk.selector.labeling.onPreviousButton):
            assert self.desk.case.loader.caseID == before.caseID

    def skip_case(self):
        case = self.desk.case.loader.caseID
        isLabelled = self._states().of(case) == "labelled"
        if not self.desk.selector.ui.skipButton.enabled or isLabelled:
            return
        if self.desk.case.hasUnsavedChanges():
            return
        self.messages.answers.append("blurred")
        self.desk.selector.labeling.onSkipButton()
        self.messages.clear()
        assert self.desk.case.loader.caseID != case
        assert self._states().of(case) == "skipped"

    def undo(self):
        labeling = self.desk.selector.logic.labeling
        if labeling.undoText:
            _record, case, state = labeling._undoable[-1]
            if self._states().of(case) == state:  # not labeled meanwhile
                self.desk.selector.labeling.onUndoButton()

    def _states(self):
        from MultimodalImagingLib.record.cohort_record import CohortRecord

        return CohortRecord(self.desk.record).read_states()

    def close_scene(self):
        if self._leave(lambda: self.scene.Clear(0), mayStay=False):
            self.desk.selector.ui.stateFilterComboBox.currentIndex = 0
            self.desk.know(self.desk.results)

    def _leave(self, action, *, mayStay=True):
        """Leave the case, with any answer; return whether it was left."""
        import qt

        from MultimodalSlicerLib.label_contents import contentsOf

        box = qt.QMessageBox
        answers = [box.Save, box.Discard, *([box.Cancel] if mayStay else [])]
        answer, owner = self.random.choice(answers), self.desk.case
        node, isUnsaved = owner.loader.segmentation(), owner.hasUnsavedChanges()
        case, contents = owner.loader.caseID, contentsOf(node) if node is not None else ()
        self.messages.clear()
        self.messages.answers.append(answer)
        self.done.append(f"({case or 'nothing'} open, unsaved {isUnsaved}, answer {int(answer)})")
        action()
        self.done.append(f"(now {owner.loader.caseID or 'nothing'} open)")
        asked = [text for text in self.messages.messages if "unsaved changes" in text]
        assert self.messages.messages == asked
        assert len(asked) == isUnsaved, self.messages.messages
        self.messages.clear()
        isLeft = node is None or node.GetScene() is None
        assert isLeft == (node is None or not isUnsaved or answer != box.Cancel)
        if isUnsaved and answer == box.Save:
            self._saved[case] = contents
        self.check_saved()
        return isLeft

    def check_saved(self):
        """Look whether all that was said to be saved is on the disk."""
        from MultimodalSlicerLib.label_contents import areAlike, readContents

        for case, contents in self._saved.items():
            assert areAlike(readContents(self.scene, self.desk.labelPath(case)), contents), case

    # --- labels ---

    def paint_labels(self):
        node = self.desk.case.loader.segmentation()
        if node is not None and self.desk.case.loader.volumes():
            [image, *_] = self.desk.case.loader.volumes().values()
            if node.GetNodeReference("referenceImageGeometryRef") is None:
                node.SetReferenceImageGeometryParameterFromVolumeNode(image)
            paint(node, self.random.randrange(1000))

    def edit_labels(self):
        if self.desk.case.loader.volumes():
            self.desk.selector.logic.openSegmentEditor()

    def paint_result(self):
        node = self.desk.segmenter.logic.getParameterNode().result
        if node is not None and node.GetNodeReference("referenceImageGeometryRef") is not None:
            paint(node, self.random.randrange(1000))

    def delete_labels(self):
        self._delete(self.desk.case.loader.segmentation())

    def delete_result(self):
        self._delete(self.desk.segmenter.logic.getParameterNode().result)

    def own_save(self):
        if self.desk.case.hasUnsavedChanges():
            self.desk.case.save()
            self._note()

    def save_next(self):
        import qt

        from MultimodalSlicerLib.label_contents import contentsOf

        node, case = self.desk.case.loader.segmentation(), self.desk.case.loader.caseID
        if node is None or not node.GetSegmentation().GetNumberOfSegments():
            return
        contents = contentsOf(node)
        self.messages.answers.append(qt.QMessageBox.Yes)  # if nothing is drawn
        self.desk.selector.labeling.onSaveNextButton()
        self.messages.clear()
        assert self.desk.case.loader.caseID != case
        self._saved[case] = contents
        self.check_saved()

    def keep_work(self):
        from MultimodalSlicerLib.drafts import isDraft
        from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

        node, isUnsaved = self.desk.case.loader.segmentation(), self.desk.case.hasUnsavedChanges()
        self.desk.keep()
        assert self.desk.case.hasUnsavedChanges() == isUnsaved
        if isUnsaved and not isDraft(node):
            own = self.desk.case.session.kept._own
            assert areAlike(readContents(self.scene, own), contentsOf(node))

    def take_kept(self):
        session = self.desk.case.session
        if session is not None and session.kept.leftBehind is not None:
            self.desk.case.takeOverKept()
            assert session.kept._taken.is_file()

    def slicers_save(self):
        written = save(self.scene)
        assert not [path for path in written if path.is_relative_to(self.desk.cohort)]
        if self.desk.labelPath(self.desk.case.loader.caseID) in written:
            self._note()
        assert not self.desk.case.hasUnsavedChanges()

    def look_at_save(self):
        rows = save_rows(self.scene)
        images = {node.GetID() for node in self.desk.case.loader.volumes().values()}
        own = [row for row in rows if row.node.GetID() in images]
        assert not [
            row for row in own if row.isChecked and row.path.is_relative_to(self.desk.cohort)
        ]

    def _note(self):
        from MultimodalSlicerLib.label_contents import contentsOf

        node = self.desk.case.loader.segmentation()
        self._saved[self.desk.case.loader.caseID] = contentsOf(node)
        self.check_saved()

    # --- images and views ---

    def rename_image(self):
        node = self._any("vtkMRMLScalarVolumeNode")
        if node is not None:
            node.SetName(self.random.choice(["follow-up", "ct", "pet", "my image"]))

    def delete_image(self):
        self._delete(self._any("vtkMRMLScalarVolumeNode"))

    def change_view(self):
        composite, image = self._any("vtkMRMLSliceCompositeNode"), self._any("vtkMRMLVolumeNode")
        identity = None if image is None or self.random.random() < 0.2 else image.GetID()
        if self.random.random() < 0.3:
            composite.SetForegroundVolumeID(identity)
        else:
            composite.SetBackgroundVolumeID(identity)

    def change_layout(self):
        import slicer

        name = f"SlicerLayout{self.random.choice(LAYOUTS)}"
        slicer.app.layoutManager().setLayout(getattr(slicer.vtkMRMLLayoutNode, name))

    def change_module(self):
        import slicer

        slicer.util.selectModule(self.random.choice(MODULES))

    def show_map(self):
        import slicer

        from CIMLSegmentPanelLib.nodes.result_facts import resultImages

        slicer.util.selectModule("CIMLSegment")
        panel = self.desk.segmenter
        node = panel._parameterNode.result
        if node is None or set(resultImages(node)) != {"PET", "CT"}:
            return  # a result that was edited outlives its images
        panel._parameterNode.isSideBySide = self.random.random() < 0.5
        region = node.GetSegmentation().GetNthSegmentID(0)
        if node.GetSegmentCenterRAS(region) is not None:
            panel.contributions.onCellPicked(region, "PET", "CT")

    def remove_map(self):
        self.desk.segmenter.contributions.onRemoveOverlayButton()

    # --- mouse and keys ---

    def click_button(self):
        import drive

        avoided = [f"{name}Button" for name in (*JOBS, *DIALOGS, *LEAVING)]
        kinds = ("Button", "CheckBox")
        found = [w for name, w in self._widgets(*kinds) if name not in avoided]
        if found:
            button = self.random.choice(found)
            self.done.append(f"({button.objectName})")
            drive.click(button)

    def choose_entry(self):
        import drive

        found = [w for _name, w in self._widgets("ComboBox") if w.count]
        if found:
            box = self.random.choice(found)
            drive.press(box, self.random.choice(["Down", "Up"]))

    def press_key(self):
        import drive

        found = [w for _name, w in self._widgets("View", "Table", "Button", "LineEdit", "SpinBox")]
        if found:
            widget = self.random.choice(found)
            isButton = hasattr(widget, "click")
            keys = [key for key in KEYS if not isButton or key != "Space"]  # a space clicks it
            drive.press(widget, self.random.choice(keys))

    def click_row(self):
        import drive

        found = [w for _name, w in self._widgets("View", "Table") if w.model().rowCount()]
        if found:
            table = self.random.choice(found)
            row = self.random.randrange(table.model().rowCount())
            columns = [c for c in range(table.model().columnCount()) if not table.isColumnHidden(c)]
            drive.click_cell(table, row, self.random.choice(columns))

    def delete_helper(self):
        found = [node for kind in HELPERS for node in self._all(kind) if _isOurs(node)]
        if found:
            self._delete(self.random.choice(found))

    def _widgets(self, *kinds):
        """Return name and widget of what a user can reach in one of the panels."""
        import slicer

        panel = self.random.choice([self.desk.selector, self.desk.segmenter])
        slicer.util.selectModule(panel.moduleName)
        slicer.app.processEvents()
        names = sorted(name for name in dir(panel.ui) if name.endswith(kinds))
        widgets = [(name, getattr(panel.ui, name)) for name in names]
        return [(name, w) for name, w in widgets if w.visible and w.enabled]

    def _all(self, kind):
        count = self.scene.GetNumberOfNodesByClass(kind)
        return [self.scene.GetNthNodeByClass(index, kind) for index in range(count)]

    def _any(self, kind):
        count = self.scene.GetNumberOfNodesByClass(kind)
        return self.scene.GetNthNodeByClass(self.random.randrange(count), kind) if count else None

    def _delete(self, node):
        if node is not None:
            self.scene.RemoveNode(node)


def _isOurs(node):
    names = node.GetAttributeNames() or ()
    return any(name.startswith(("CrossModal", "MDALSelector", "CIMLSegment")) for name in names)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    return write_cohort(folder / "cohort"), write_results(folder / "results")


@pytest.fixture
def desk(scene, load_module, messages, wait_until, places, tmp_path):
    """Both panels, which know cohort and results."""
    cohort, results = places
    desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
    scene.SetRootDirectory(str(tmp_path))
    desk.know(results)
    return desk


@pytest.mark.parametrize(
    ("seed", "n_steps"),
    [(0, STEPS // 2), (1, STEPS // 2), pytest.param(2, MANY, marks=pytest.mark.evidence)],
)
def test_whatever_a_user_does_loses_no_label_and_no_header_is_untrue(
    desk, scene, messages, seed, n_steps
):
    before = hashes(desk.cohort)
    monkey = Monkey(desk, scene, messages, seed)
    for step in range(n_steps):
        try:
            monkey.act()
        except BaseException as error:
            error.add_note(f"Seed {seed}, step {step}: {', '.join(monkey.done)}")
            raise
    monkey.check_saved()
    assert hashes(desk.cohort) == before
