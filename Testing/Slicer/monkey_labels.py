"""What a reader does in the section Labeling at random."""

from __future__ import annotations

from typing import Any

from desk import SEGMENTED, paint
from monkey_others import OTHER, Others
from slicer_host.save_dialog import save, save_rows

READERS = ("MK", "mk", "AB")
REOPENS = 0.8  # how often a case is opened again at once after a crash


class Reader(Others):
    """Opens, draws, saves, skips, undoes, and goes to and fro."""

    def allActions(self) -> dict[Any, float]:
        """Return the actions with their weights."""
        return super().allActions() | {
            self.open_case: 4, self.open_result: 3, self.open_blinded: 1, self.close_case: 1,
            self.open_next: 2, self.go_back: 2, self.save_next: 3, self.save_label: 3,
            self.skip_case: 2, self.undo: 2, self.paint_labels: 9, self.own_save: 1,
            self.slicers_save: 1.5, self.look_at_save: 0.5, self.edit_labels: 1,
            self.keep_work: 2, self.crash: 2, self.take_kept: 3, self.drop_kept: 1.5,
            self.change_start: 1.5, self.change_reader: 1.5, self.delete_labels: 0.7,
            self.close_scene: 0.4,
        }  # fmt: skip

    # --- from case to case ---

    def open_case(self) -> bool:
        case = self.other()
        wasBlinded = self._isBlinded and self.case == case
        if self.leave(lambda: self.desk.open(case)):
            self.isOpened(case)
            self.promise("a blinded reading stays one", self._isBlinded == wasBlinded)
        return True

    def open_result(self) -> bool:
        case = self.random.choice(SEGMENTED)
        if self.desk.stateOf(case) != "segmented":  # labeled meanwhile
            return False
        if self.leave(lambda: self.desk.openResult(case)):
            self.isOpened(case)
        return True

    def open_blinded(self) -> bool:
        """Read a case again, as *Open next* asks for it in a cohort that is large enough."""
        from MultimodalWidgetsLib.leaving import mayLeave

        case = self.other()
        if not self.labels.record.read_states().labels.get(case):
            return False

        def open_again() -> None:
            if mayLeave(self.desk.case):
                self.desk.selector.openCase(case, isBlinded=True)

        if self.leave(open_again):
            self.isOpened(case)
            self.promise("a blinded reading is one", self._isBlinded)
        return True

    def close_case(self) -> bool:
        button = self.ui.closeCaseButton
        if not self.reach(button):
            self.promise("a case can be closed", not self.case)
            return False
        if self.leave(lambda: self.press(button)):
            self.promise("no case is open", not self.case)
        return True

    def open_next(self) -> bool:
        button, before = self.ui.openNextButton, self.case
        if not self.reach(button):
            return False
        if self.leave(lambda: self.press(button)):
            self._isNext(before)
        return True

    def go_back(self) -> bool:
        before = self.desk.selector.logic.labeling.previousCase(self.case)
        if not self.reach(self.ui.previousButton):
            self.promise("one can go back", before is None)
            return False
        if self.leave(lambda: self.press(self.ui.previousButton)):
            self.isOpened(before.caseID)
            self.promise("a blinded reading stays one", self._isBlinded == before.isBlinded)
        return True

    def _isNext(self, before: str) -> None:
        """Look at the case that was opened as the next one, or whether none is left."""
        if not self.case:
            return
        self.isOpened(self.case)
        self.promise("another case is next", self.case != before, before)
        if self._isBlinded:
            self.acted["a blinded reading is next"] += 1
            return
        states = self.labels.record.read_states()
        claim = states.claims.get(self.case)
        isOthers = claim is not None and claim.reader == OTHER
        self.promise("the next case is nobody else's", not isOthers, claim)
        wanted = states.of(self.case) not in ("labelled", "skipped", "check pairing")
        self.promise("the next case is to be labeled", wanted, states.of(self.case))

    # --- saving ---

    def save_label(self) -> bool:
        return self._save(self.ui.saveLabelButton)

    def save_next(self) -> bool:
        return self._save(self.ui.saveNextButton, isNext=True)

    def _save(self, button: Any, *, isNext: bool = False) -> bool:
        from MultimodalSlicerLib.label_contents import isEmpty

        node, memory = self.desk.case.loader.segmentation(), self.memory()
        isNothing = node is not None and isEmpty(node)
        if not self.press(button):
            hasSegments = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
            isClassified = not button.visible
            self.promise("labels can be saved", isClassified or not (self.case and hasSegments))
            return False
        asked = self.answers.to("nothing")
        self.promise("labels without a voxel are asked about", len(asked) == isNothing)
        if self.answers.isNo("nothing"):
            self.promise("what is not meant is not saved", self.case == memory.case)
            return True
        self.labels.isSaved(memory)
        if isNext:
            self._isNext(memory.case)
        else:
            self.promise("nothing is unsaved then", not self.desk.case.hasUnsavedChanges())
        return True

    def own_save(self) -> bool:
        if not self.desk.case.hasUnsavedChanges():
            return False
        memory = self.memory()
        self.desk.case.save()
        self.labels.isSaved(memory)
        return True

    def slicers_save(self) -> bool:
        memory, cohort = self.memory(), self.desk.cohort
        written = save(self.scene)
        own = [path for path in written if path.is_relative_to(cohort)]
        self.promise("Slicer's Save leaves the cohort alone", not own, own)
        if memory.file in written:
            self.labels.isSaved(memory, isTold=False)
        others = [path for path in written if path.is_relative_to(self.desk.record)]
        self.promise("Slicer's Save writes no other label", set(others) <= {memory.file}, others)
        self.promise("nothing is unsaved then", not self.desk.case.hasUnsavedChanges())
        return memory.file in written

    def look_at_save(self) -> bool:
        rows = save_rows(self.scene)
        images = {node.GetID() for node in self.desk.case.loader.volumes().values()}
        own = [row for row in rows if row.node.GetID() in images]
        wrong = [r for r in own if r.isChecked and r.path.is_relative_to(self.desk.cohort)]
        self.promise("Slicer's Save offers no image of the cohort", not wrong, wrong)
        return bool(own)

    # --- skipping ---

    def skip_case(self) -> bool:
        from MultimodalImagingLib.errors import CohortError

        case, owner = self.case, self.desk.case
        states = self.labels.record.read_states()
        if states.of(case) == "labelled" or not self.reach(self.ui.skipButton):
            return False
        isUnsaved, memory = owner.hasUnsavedChanges(), self.memory()
        self.press(self.ui.skipButton)
        self.done.append(f"({case} was open, unsaved {isUnsaved}, {self.answers.asked})")
        [reason] = self.answers.to("reason")
        if reason == "Escape" or self.answers.isStaying():
            self.promise("a skip that is not meant skips nothing", self.case == case)
            self.promise("its labels stay", owner.hasUnsavedChanges() == isUnsaved)
            return True
        self.promise("unsaved labels are asked about", len(self.answers.to("unsaved")) == isUnsaved)
        if self.answers.isSaved():  # then it is labeled, and cannot be skipped any more
            self.isMeant(CohortError, "is labeled, so it cannot be skipped")
            self.labels.isSaved(memory)
            return True
        self.labels.isLeft(memory)
        entry = self.labels.record.read_states().entries[case]
        self.promise(
            "a skipped case has its reason", (entry.state, entry.note) == ("skipped", reason)
        )
        self._isNext(case)
        return True

    def undo(self) -> bool:
        labeling = self.desk.selector.logic.labeling
        if not labeling._undoable:
            return False
        _record, case, state = labeling._undoable[-1]
        entry = self.labels.record.read_states().entries.get(case)
        if entry is None or entry.state != state:  # not labeled meanwhile
            return False
        if not self.press(self.ui.undoButton):
            self.promise("a skip can be undone", not self.ui.undoButton.visible)
            return False
        now = self.labels.record.read_states().of(case)
        self.promise("a case has its former state again", now == entry.former, now)
        return True

    # --- drawing ---

    def paint_labels(self) -> bool:
        node = self.desk.case.loader.segmentation()
        if node is None or not self.desk.case.loader.volumes():
            return False
        [image, *_] = self.desk.case.loader.volumes().values()
        if node.GetNodeReference("referenceImageGeometryRef") is None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(image)
        paint(node, self.random.randrange(1000))
        return True

    def edit_labels(self) -> bool:
        return self.press(self.ui.segmentEditorButton)

    def delete_labels(self) -> bool:
        node = self.desk.case.loader.segmentation()
        if node is None:
            return False
        self.scene.RemoveNode(node)
        self.labels.forgetUntold()
        return True

    def change_start(self) -> bool:
        """Begin with drafts, or empty."""
        import drive

        from MultimodalSlicerLib.drafts import beginsFreely, isDraft
        from MultimodalSlicerLib.label_contents import areAlike

        node, box = self.desk.case.loader.segmentation(), self.ui.labelStartComboBox
        isFree, before = beginsFreely(node), self.memory()
        if not self.reach(box):
            return False
        drive.press(box, "Down" if box.currentIndex == 0 else "Up")
        after = self.memory()
        if not isFree:
            isSame = areAlike(before.contents, after.contents)
            self.promise("labels that somebody made stay", isSame)
        if isDraft(node):
            self.promise("a draft is nothing unsaved", not self.desk.case.hasUnsavedChanges())
            self.acted["draft taken up"] += 1
        return True

    # --- work that is kept ---

    def keep_work(self) -> bool:
        owner = self.desk.case
        memory, isUnsaved = self.memory(), owner.hasUnsavedChanges()
        self.desk.keep()
        self.promise("keeping saves nothing", owner.hasUnsavedChanges() == isUnsaved)
        return self.isKept(memory, isUnsaved=isUnsaved)

    def isKept(self, memory: Any, *, isUnsaved: bool) -> bool:
        """Look whether unsaved work was kept, unless a draft or nothing was unsaved."""
        from MultimodalSlicerLib.drafts import isDraft
        from MultimodalSlicerLib.label_contents import areAlike, readContents

        owner = self.desk.case
        if not isUnsaved or isDraft(owner.loader.segmentation()) or owner.session is None:
            return False
        kept = owner.session.kept
        files = [file for file in (kept._own, kept._taken) if file is not None and file.is_file()]
        isThere = any(areAlike(readContents(self.scene, f), memory.contents) for f in files)
        self.promise("unsaved work is kept", isThere, files)
        return True

    def crash(self) -> bool:
        """Leave kept work behind as a program that is killed does."""
        owner = self.desk.case
        if owner.session is None or not owner.hasUnsavedChanges():
            return False
        self.desk.keep()
        file, taken = owner.session.kept._own, owner.session.kept._taken
        if file is None or not file.is_file():
            return False
        stay = [one for one in (file, taken) if one is not None and one.is_file()]
        data = {one: one.read_bytes() for one in stay}
        memory = self.memory()
        owner.discard()
        owner.close()
        for one in stay:
            one.parent.mkdir(parents=True, exist_ok=True)
            one.write_bytes(data[one])
            self.labels.leaveBehind(one)
        self.labels.isLeft(memory)
        self.desk.selector.showRecord()
        self.desk.selector.updateButtons()
        if self.random.random() < REOPENS:
            self.leave(lambda: self.desk.open(memory.case))
        return True

    def take_kept(self) -> bool:
        from MultimodalSlicerLib.label_contents import areAlike, readContents

        session, isUnsaved = self.desk.case.session, self.desk.case.hasUnsavedChanges()
        file = None if session is None else session.kept.leftBehind
        if file is None or not self.desk.case.loader.volumes():
            return False
        kept, before = readContents(self.scene, file), self.memory()
        isSame = areAlike(kept, before.contents)
        if not self.press(self.ui.takeKeptButton):
            self.promise("kept work can be taken over", False, file)
        self.promise("kept work is taken over", areAlike(self.memory().contents, kept), file)
        if isUnsaved and not isSame:
            files = self.desk.record.joinpath("autosave").rglob("*.seg.nrrd")
            isThere = any(areAlike(readContents(self.scene, f), before.contents) for f in files)
            self.promise("what was drawn before is kept", isThere)
        self.labels.forgetUntold()
        return True

    def drop_kept(self) -> bool:
        session = self.desk.case.session
        file = None if session is None else session.kept.leftBehind
        if file is None or not self.press(self.ui.dropKeptButton):
            return False
        self.labels.mayGo(file)
        self.promise("kept work that is given up is gone", not file.exists(), file)
        return True

    # --- readers ---

    def change_reader(self) -> bool:
        import drive

        from MultimodalImagingLib.errors import UsageError

        edit = self.ui.readerLineEdit
        if self.case:
            self.promise("the reader of an open case stays", not self.reach(edit))
            self.leave(self.desk.selector.onCloseCaseButton)
        if not self.reach(edit):
            self.promise("a reader can be named", self.case)
            return False
        edit.clear()
        if self.random.random() < 0.1:
            drive.type_text(edit, "a/b", end="Return")
            self.isMeant(UsageError, "cannot be the name of a reader")
        else:
            self.reader = self.random.choice(READERS)
            drive.type_text(edit, self.reader, end="Return")
        self.promise("the name that was typed counts", self.desk.reader == self.reader)
        return True

    def close_scene(self) -> bool:
        if self.leave(lambda: self.scene.Clear(0), mayStay=False):
            self.ui.stateFilterComboBox.currentIndex = 0
            self.desk.know(self.desk.results, drafts=self.random.random() < 0.5)
        return True

    @property
    def _isBlinded(self) -> bool:
        session = self.desk.case.session
        return session is not None and bool(session.isBlinded)
