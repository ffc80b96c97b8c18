"""The labeling section: from case to case, what is kept, who reads, and what takes how long."""

from __future__ import annotations

import json

import pytest
from desk import CASES, Desk, hashes, paint, write_cohort

UNLABELED = CASES[1:]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("labeling") / "cohort")


@pytest.fixture
def desk(scene, load_module, messages, wait_until, cohort, tmp_path):
    scene.SetRootDirectory(str(tmp_path))
    desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
    desk.know()
    before = hashes(cohort)
    yield desk
    assert hashes(cohort) == before


@pytest.fixture
def ui(desk):
    return desk.selector.ui


def labels(desk):
    return desk.case.loader.segmentation()


def states(desk):
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    return CohortRecord(desk.record).read_states()


def events(desk):
    lines = (desk.record / "history.jsonl").read_text().splitlines()
    return [(entry["event"], entry["case"]) for entry in map(json.loads, lines)]


# --- from case to case ------------------------------------------------------------------------


def test_open_next_goes_through_the_cases_without_a_label(desk, ui, drive, messages):
    drive.click(ui.openNextButton)
    assert desk.case.loader.caseID == "case-2"
    paint(labels(desk))
    drive.click(ui.saveNextButton)
    assert desk.case.loader.caseID == "case-3"
    assert states(desk).of("case-2").value == "labelled"
    paint(labels(desk))
    drive.click(ui.saveNextButton)
    assert desk.case.loader.caseID == ""
    assert "All 3 cases of the cohort are done: 3 labeled, 0 skipped. Next: train" in (
        ui.roundLabel.text
    )
    assert messages.messages == []


def test_the_round_says_how_far_it_is_and_how_long_a_case_takes(desk, ui, drive, monkeypatch):
    from MDALSelectorPanelLib.nodes import labeling_round

    monkeypatch.setattr(labeling_round, "OFFERED_AFTER", 2)
    assert ui.roundLabel.text == "1 of 3 cases labeled."
    drive.click(ui.openNextButton)
    time = desk.case.session.time
    time._looking, time._clock = 250.0, lambda: time._tickedAt
    paint(labels(desk))
    drive.click(ui.saveLabelButton)
    assert ui.roundLabel.text == (
        "2 of 3 cases labeled, 4 min 10 s on average. 2 labels are there to train on: Train and"
        " segment the rest uses them."
    )
    [saved] = states(desk).labels["case-2"].values()
    assert saved.looking_s == pytest.approx(250.0, abs=10)
    assert saved.reader == desk.reader


def test_previous_goes_back(desk, ui, drive):
    assert not ui.previousButton.enabled
    for case in CASES:
        desk.open(case)
    drive.click(ui.previousButton)
    assert desk.case.loader.caseID == "case-2"
    drive.click(ui.previousButton)
    assert desk.case.loader.caseID == "case-1"
    assert not ui.previousButton.enabled


def test_a_skipped_case_has_a_reason_and_can_be_undone(desk, ui, drive, messages):
    drive.click(ui.openNextButton)
    messages.answers.append("PET is cut off")
    drive.click(ui.skipButton)
    assert desk.case.loader.caseID == "case-3"
    entry = states(desk).entries["case-2"]
    assert (entry.state.value, entry.note) == ("skipped", "PET is cut off")
    assert "1 skipped" in ui.roundLabel.text
    drive.click(ui.undoButton)
    assert states(desk).of("case-2").value == "unlabelled"
    assert not ui.undoButton.enabled


def test_a_skip_that_is_not_meant_skips_nothing(desk, ui, drive, messages):
    import qt

    desk.open("case-2")
    drive.click(ui.skipButton)  # Escape, without a reason
    paint(labels(desk))
    messages.answers.extend(["blurred", qt.QMessageBox.Cancel])
    drive.click(ui.skipButton)
    assert desk.case.loader.caseID == "case-2"
    assert desk.case.hasUnsavedChanges()
    assert states(desk).of("case-2").value == "unlabelled"


def test_skip_and_undo_are_noted_where_the_open_case_belongs(desk, ui, drive, messages, tmp_path):
    """Another record, then another cohort is chosen while the case is open."""
    from plain_text import tool_tip

    from MultimodalImagingLib.record.cohort_record import CohortRecord

    desk.open("case-2")
    ui.recordPathLineEdit.currentPath = str(tmp_path / "other record")
    messages.answers.append("blurred")
    drive.click(ui.skipButton)
    assert states(desk).of("case-2").value == "skipped"
    assert CohortRecord(tmp_path / "other record").read_states().entries == {}
    drive.click(ui.undoButton)
    assert states(desk).of("case-2").value == "unlabelled"
    ui.recordPathLineEdit.currentPath = str(desk.record)
    ui.cohortPathLineEdit.currentPath = str(tmp_path)
    for button in (ui.openNextButton, ui.previousButton, ui.skipButton, ui.undoButton):
        assert "press Inspect first" in tool_tip(button)
    assert "press Inspect first" in tool_tip(ui.acceptPairingButton)
    assert desk.selector.menu.entries() == []


def test_a_labeled_case_is_not_skipped(desk, ui, drive, messages):
    from slicer_host import errors

    from MultimodalImagingLib.errors import CohortError
    from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

    desk.open("case-1")
    assert not ui.skipButton.enabled
    desk.open("case-2")
    CohortRecord(desk.record).change_states({"case-2": CaseState.LABELLED})  # by somebody else
    messages.answers.append("blurred")
    with errors.expected(CohortError):
        drive.click(ui.skipButton)
    assert "case-2 is labeled" in messages.messages[-1]
    assert states(desk).of("case-2") is CaseState.LABELLED


def test_an_undo_that_fails_can_be_tried_again(desk, ui, drive, messages, monkeypatch):
    from slicer_host import errors

    from MultimodalImagingLib.errors import CohortError
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    def refuse(*_args):
        msg = "in use"
        raise CohortError(msg)

    drive.click(ui.openNextButton)
    messages.answers.append("blurred")
    drive.click(ui.skipButton)
    with monkeypatch.context() as patch, errors.expected(CohortError):
        patch.setattr(CohortRecord, "update", refuse)
        drive.click(ui.undoButton)
    drive.click(ui.undoButton)
    assert states(desk).of("case-2").value == "unlabelled"


def test_every_new_way_out_asks(desk, ui, drive, messages):
    import qt

    desk.open("case-3")
    desk.open("case-2")
    paint(labels(desk))
    for button in (ui.openNextButton, ui.previousButton):
        messages.clear()
        messages.answers.append(qt.QMessageBox.Cancel)
        drive.click(button)
        assert messages.messages == ["The labels of case-2 have unsaved changes. Save them?"]
        assert desk.case.loader.caseID == "case-2"
        assert desk.case.hasUnsavedChanges()


def test_labels_without_a_voxel_are_saved_only_if_that_is_meant(desk, ui, drive, messages):
    import qt

    desk.open("case-2")
    for button in (ui.saveLabelButton, ui.saveNextButton):
        messages.clear()
        messages.answers.append(qt.QMessageBox.No)
        drive.click(button)
        assert "Nothing is drawn in case-2" in messages.messages[0]
        assert not desk.labelPath("case-2").exists()
    messages.answers.append(qt.QMessageBox.Yes)
    drive.click(ui.saveNextButton)
    assert desk.labelPath("case-2").is_file()
    assert desk.case.loader.caseID == "case-3"


def test_labels_that_are_deleted_in_the_scene_cannot_be_saved(desk, ui, scene):
    import slicer
    from plain_text import tool_tip

    desk.open("case-2")
    paint(labels(desk))
    assert ui.saveLabelButton.enabled
    scene.RemoveNode(labels(desk))
    slicer.app.processEvents()
    for button in (ui.saveLabelButton, ui.saveNextButton):
        assert not button.enabled
        assert "no labels yet" in tool_tip(button)
    assert not ui.editorWidget.visible


def test_four_clicks_lead_from_an_empty_scene_to_the_first_saved_label(
    scene, load_module, messages, wait_until, cohort, tmp_path
):
    """Nothing is known before; drawing is not counted. The cohort's folder is typed: one."""
    import drive
    from desk import ROOT

    panel = load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    ui, clicks = panel.ui, []

    def click(button):
        clicks.append(button.objectName)
        drive.click(button)

    ui.recordPathLineEdit.currentPath = str(tmp_path / "record")  # the cohort of the test stays
    drive.browse(ui.cohortPathLineEdit, str(cohort), messages)
    clicks.append("cohortPathLineEdit")
    click(ui.inspectButton)
    wait_until(lambda: not panel.inspection.isBusy and ui.openNextButton.enabled, 120.0)
    click(ui.openNextButton)
    paint(panel.logic.loader.segmentation())
    click(ui.saveNextButton)

    assert list((tmp_path / "record" / "labels").rglob("*.seg.nrrd"))
    assert len(clicks) == 4
    assert messages.messages == []


# --- what an empty case holds -----------------------------------------------------------------


def test_an_empty_case_has_the_labels_of_the_task_on_the_primary_image(desk, ui):
    assert ui.taskComboBox.currentText == "pet-ct"  # suits CT and PET
    desk.open("case-2")
    segmentation = labels(desk).GetSegmentation()
    assert [segmentation.GetNthSegment(0).GetName()] == ["Lesion"]
    pet = desk.case.loader.volumes()["PET"]
    assert labels(desk).GetNodeReference("referenceImageGeometryRef") is pet
    assert not desk.case.hasUnsavedChanges()


def test_labels_are_drawn_on_the_primary_image_whichever_comes_first(desk, ui, monkeypatch):
    import slicer

    from MultimodalSlicerLib.cohort_files import CohortFiles

    images = CohortFiles.images
    monkeypatch.setattr(
        CohortFiles, "images", lambda *of: {m: images(*of)[m] for m in ("CT", "PET")}
    )
    desk.open("case-2")
    pet = desk.case.loader.volumes()["PET"]
    assert desk.selector.labeling.editor.editor.sourceVolumeNode() is pet
    module = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert module.GetSourceVolumeNode() is pet


def test_labels_of_ones_own_are_kept_with_the_cohort(desk, ui, drive):
    """A choice that cannot be read any more is told, and made again."""
    from MultimodalImagingLib.errors import CohortError

    drive.choose(ui.taskComboBox, "Own labels")
    drive.type_text(ui.labelNamesLineEdit, "tumor, edema", end="Return")
    desk.open("case-2")
    segmentation = labels(desk).GetSegmentation()
    names = [segmentation.GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["tumor", "edema"]
    kept = json.loads((desk.record / "labels.json").read_text())
    assert kept == {"task": "", "names": ["tumor", "edema"]}
    desk.know()
    assert ui.labelNamesLineEdit.text == "tumor, edema"
    (desk.record / "labels.json").write_text("{", encoding="utf-8")
    desk.know()
    assert ui.taskComboBox.currentIndex == -1
    assert "Choose the labels again." in ui.taskComboBox.toolTip
    with pytest.raises(CohortError, match=r"Choose the labels again\."):
        desk.open("case-2")
    drive.choose(ui.taskComboBox, "brats")
    assert not ui.labelNamesLineEdit.visible
    assert json.loads((desk.record / "labels.json").read_text())["task"] == "brats"


def test_a_look_at_the_buttons_looks_into_no_folder_of_labels(desk, monkeypatch):
    from MultimodalSlicerLib.cohort_files import CohortFiles

    looked = []
    monkeypatch.setattr(CohortFiles, "is_labelled", lambda *_: looked.append(1))
    desk.selector.updateButtons()
    assert not looked


# --- readers and claims -----------------------------------------------------------------------


def test_every_reader_has_a_file_and_no_other_is_touched(desk, ui, drive):
    from MultimodalImagingLib.cohorts.labelled_cases import reader_labels
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    desk.open("case-2")
    paint(labels(desk), 1)
    drive.click(ui.saveLabelButton)
    first = desk.labelPath("case-2")
    before, name = first.read_bytes(), desk.reader
    assert not ui.readerLineEdit.enabled
    drive.click(ui.closeCaseButton)
    ui.readerLineEdit.clear()
    drive.type_text(ui.readerLineEdit, "MK", end="Return")
    assert desk.reader == "MK"
    desk.open("case-2")  # begins with the label that counts
    image = desk.case.loader.volumes()["PET"]
    labels(desk).SetReferenceImageGeometryParameterFromVolumeNode(image)
    paint(labels(desk), 2)
    drive.click(ui.saveLabelButton)
    assert set(reader_labels("case-2", CohortRecord(desk.record))) == {name, "MK"}
    assert first.read_bytes() == before
    assert desk.labelPath("case-2").name == "MK.seg.nrrd"


def test_a_name_that_is_still_being_typed_counts_when_a_key_opens_the_next_case(desk, ui, drive):
    ui.readerLineEdit.clear()
    drive.type_text(ui.readerLineEdit, "MK")
    press_keys("Ctrl+N")
    assert desk.case.session.reader == desk.reader == "MK" == ui.readerLineEdit.text
    paint(labels(desk))
    press_keys("Ctrl+Shift+S")
    assert desk.labelPath("case-2").name == "MK.seg.nrrd"
    assert desk.labelPath("case-2").is_file()


def test_the_field_says_under_which_name_the_open_labels_are_saved(desk, ui, drive):
    from MultimodalSlicerLib.reader import nameReader

    first = desk.reader
    desk.open("case-2")
    nameReader("MK")  # as by another window
    ui.readerLineEdit.text = "XY"
    desk.selector.labeling.reader.onEdited()
    assert ui.readerLineEdit.text == first
    drive.click(ui.closeCaseButton)
    assert ui.readerLineEdit.text == "MK"


def shortcuts_of(keys):
    """The shortcuts of the application with a key."""
    import qt
    import slicer

    wanted = qt.QKeySequence(keys).toString()
    shortcuts = slicer.util.mainWindow().findChildren("QShortcut")
    return [one for one in shortcuts if one.key.toString() == wanted]


def press_keys(keys):
    """Press keys as a user does, wherever the focus is."""
    import slicer
    from slicer_host.in_application import is_real_application

    slicer.util.mainWindow().activateWindow()
    slicer.app.processEvents()
    if is_real_application():  # what Qt sends there for keys of which there is one shortcut
        import qt

        [shortcut] = shortcuts_of(keys)
        assert shortcut.enabled
        slicer.app.sendEvent(shortcut, qt.QShortcutEvent(shortcut.key, shortcut.id()))
    else:
        from PySide6.QtGui import QKeySequence
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication

        pressed = QKeySequence(keys)[0]
        target = QApplication.focusWidget() or QApplication.activeWindow()
        QTest.keyClick(target, pressed.key(), pressed.keyboardModifiers())
    slicer.app.processEvents()


def test_a_name_that_is_no_readers_is_refused_and_the_former_one_stays(desk, ui, drive, messages):
    from slicer_host import errors

    from MultimodalImagingLib.errors import UsageError

    before = desk.reader
    ui.readerLineEdit.clear()
    with errors.expected(UsageError):
        drive.type_text(ui.readerLineEdit, "a/b", end="Return")
    assert ui.readerLineEdit.text == before == desk.reader
    assert "cannot be kept" in messages.messages[0]


def test_a_case_is_claimed_while_it_is_open(desk, ui, drive):
    desk.open("case-2")
    assert states(desk).claims["case-2"].reader == desk.reader
    desk.open("case-3")
    assert set(states(desk).claims) == {"case-3"}
    drive.click(ui.closeCaseButton)
    assert not states(desk).claims
    assert ("claimed", "case-2") in events(desk)
    assert ("released", "case-2") in events(desk)


def test_a_case_of_another_reader_is_passed_over_and_asked_about(desk, ui, drive, messages):
    import qt

    from MultimodalImagingLib.record.cohort_record import CohortRecord

    desk.record.mkdir(exist_ok=True)
    CohortRecord(desk.record).claim("case-2", "Somebody else")
    drive.click(ui.openNextButton)
    assert desk.case.loader.caseID == "case-3"
    messages.answers.append(qt.QMessageBox.No)
    desk.open("case-2")
    assert "case-2 is open by Somebody else" in messages.messages[0]
    assert desk.case.loader.caseID == "case-3"
    messages.answers.append(qt.QMessageBox.Yes)
    desk.open("case-2")
    assert "claimed by Somebody else" in ui.claimLabel.text
    assert states(desk).claims["case-2"].reader == "Somebody else"
    paint(labels(desk))
    drive.click(ui.saveLabelButton)
    assert desk.labelPath("case-2").is_file()


# --- unsaved work -----------------------------------------------------------------------------


def kept(desk):
    return sorted((desk.record / "autosave").rglob("*.seg.nrrd"))


def test_unsaved_work_is_kept_when_the_module_is_left_and_goes_when_it_is_saved(desk, ui, drive):
    import slicer

    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    desk.open("case-2")
    slicer.util.selectModule("CIMLSegment")
    assert kept(desk) == []  # nothing was drawn
    slicer.util.selectModule("MDALSelector")
    paint(labels(desk))
    desk.keep()
    assert desk.selector.cases.row("case-2").state.value == "in progress"
    slicer.util.selectModule("CIMLSegment")
    [file] = kept(desk)
    assert areAlike(readContents(desk.case._scene, file), contentsOf(labels(desk)))
    assert desk.case.hasUnsavedChanges()
    assert states(desk).of("case-2").value == "in progress"
    slicer.util.selectModule("MDALSelector")
    drive.click(ui.saveLabelButton)
    assert kept(desk) == []
    assert ("autosaved", "case-2") in events(desk)


def test_work_that_the_user_gives_up_is_not_offered_again(desk, ui, drive, messages):
    import qt

    desk.open("case-2")
    paint(labels(desk))
    desk.keep()
    assert len(kept(desk)) == 1
    messages.answers.append(qt.QMessageBox.Discard)
    drive.click(ui.closeCaseButton)
    assert kept(desk) == []
    assert states(desk).of("case-2").value == "unlabelled"


def test_work_is_kept_when_any_module_is_left(desk):
    import slicer

    desk.open("case-2")
    slicer.util.selectModule("CIMLSegment")
    paint(labels(desk))
    slicer.util.selectModule("MDALSelector")
    assert len(kept(desk)) == 1


def test_time_passes_in_whatever_module(desk, ui):
    import slicer

    from MultimodalWidgetsLib.case_keeper import KEEP_S, caseKeeper

    desk.open("case-2")
    slicer.util.selectModule("CIMLSegment")
    paint(labels(desk))
    assert caseKeeper()._timer.active
    for _tick in range(KEEP_S):
        caseKeeper().tick()
    assert len(kept(desk)) == 1


def test_kept_work_survives_the_deletion_of_the_labels(desk, ui, drive, scene):
    desk.open("case-2")
    paint(labels(desk))
    desk.keep()
    scene.RemoveNode(labels(desk))
    drive.click(ui.closeCaseButton)
    assert len(kept(desk)) == 1
    desk.open("case-2")
    assert ui.keptFrame.visible


def test_the_end_of_slicer_releases_the_case(desk):
    from MultimodalWidgetsLib.leaving import guardLeaving

    qt_widgets = pytest.importorskip("PySide6.QtWidgets")  # not in the application
    guardLeaving()
    desk.open("case-2")
    assert set(states(desk).claims) == {"case-2"}
    qt_widgets.QApplication.instance().aboutToQuit.emit()
    assert not states(desk).claims


def test_a_record_in_use_is_waited_for_once_when_a_case_is_left(desk, monkeypatch):
    from MultimodalImagingLib.record.cohort_record import CohortRecord
    from MultimodalImagingLib.record.locks import LockedError

    waits = []

    def wait(*_args):
        waits.append(1)
        msg = "in use"
        raise LockedError(msg)

    desk.open("case-2")
    with monkeypatch.context() as patch:
        patch.setattr(CohortRecord, "update", wait)
        desk.case.close()
    assert len(waits) == 1
    assert set(states(desk).claims) == {"case-2"}
    desk.keep()
    assert not states(desk).claims


def crash(desk):
    """Leave kept work behind as a program that is killed does; return it and what it holds."""
    from MultimodalSlicerLib.label_contents import contentsOf

    desk.open("case-2")
    paint(labels(desk), 5)
    desk.keep()
    contents, [file] = contentsOf(labels(desk)), kept(desk)
    data = file.read_bytes()
    desk.case.discard()
    desk.case.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file, contents


def test_work_of_a_session_that_crashed_is_offered_and_taken_over(desk, ui, drive):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, isEmpty

    file, contents = crash(desk)
    assert not ui.keptFrame.visible
    desk.open("case-2")
    assert ui.keptFrame.visible
    assert "case-2 that were not saved" in ui.keptLabel.text
    assert isEmpty(labels(desk))  # nothing is replaced unasked
    drive.click(ui.takeKeptButton)
    assert areAlike(contentsOf(labels(desk)), contents)
    assert desk.case.hasUnsavedChanges()
    assert file.is_file()
    assert not ui.keptFrame.visible
    drive.click(ui.saveLabelButton)
    assert kept(desk) == []


def test_what_was_drawn_is_kept_when_other_work_is_taken_over(desk, ui, drive):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf

    _file, crashed = crash(desk)
    desk.open("case-2")
    paint(labels(desk), 6)
    drawn = contentsOf(labels(desk))
    drive.click(ui.takeKeptButton)
    assert areAlike(contentsOf(labels(desk)), crashed)
    drive.click(ui.takeKeptButton)
    assert areAlike(contentsOf(labels(desk)), drawn)


def test_nothing_is_offered_any_more_once_the_scene_is_closed(desk, ui, scene):
    crash(desk)
    desk.open("case-2")
    assert "case-2" in ui.keptLabel.text
    scene.Clear(0)
    assert ui.keptLabel.text == ""
    assert not ui.keptFrame.visible


def test_work_of_a_crash_survives_what_is_drawn_before_the_answer(desk, ui, drive):
    file, _contents = crash(desk)
    data = file.read_bytes()
    desk.open("case-2")
    paint(labels(desk), 6)
    desk.keep()
    assert len(kept(desk)) == 2
    drive.click(ui.saveLabelButton)
    assert kept(desk) == [file]
    assert file.read_bytes() == data
    assert ui.keptFrame.visible
    drive.click(ui.dropKeptButton)
    assert kept(desk) == []
    assert not ui.keptFrame.visible


def test_a_case_whose_work_is_deleted_has_its_former_state_again(desk, ui, drive):
    from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

    crash(desk)
    CohortRecord(desk.record).change_states({"case-2": CaseState.IN_PROGRESS})
    desk.open("case-2")
    desk.selector.showRecord()
    assert desk.selector.cases.row("case-2").state is CaseState.IN_PROGRESS
    drive.click(ui.dropKeptButton)
    assert states(desk).of("case-2") is CaseState.UNLABELLED
    assert desk.selector.cases.row("case-2").state is CaseState.UNLABELLED


def test_work_that_cannot_be_kept_is_told_in_the_panel(desk, ui, monkeypatch):
    from MultimodalImagingLib.errors import CrossModalError
    from MultimodalSlicerLib.autosave import Autosave

    def full(*_arguments):
        msg = "The disk is full."
        raise CrossModalError(msg)

    desk.open("case-2")
    paint(labels(desk))
    monkeypatch.setattr(Autosave, "write", full)
    desk.keep()
    assert ui.keepWarningLabel.visible
    assert "The disk is full. Save it now." in ui.keepWarningLabel.text
    monkeypatch.undo()
    desk.keep()
    assert not ui.keepWarningLabel.visible


# --- editor and keys --------------------------------------------------------------------------


def test_segment_editor_shows_the_labels_of_the_open_case(desk, ui, drive):
    assert not ui.editorWidget.visible
    desk.open("case-2")
    editor = desk.selector.labeling.editor.editor
    assert ui.editorWidget.visible
    assert editor.segmentationNode() is labels(desk)
    assert editor.sourceVolumeNode() is desk.case.loader.volumes()["PET"]
    desk.open("case-3")
    assert editor.segmentationNode() is labels(desk)
    drive.click(ui.closeCaseButton)
    assert not ui.editorWidget.visible


def test_keys_are_taken_only_while_the_module_is_shown(desk, ui):
    import slicer

    shortcuts = desk.selector.labeling._shortcuts
    assert len(shortcuts._taken) == 7
    slicer.util.selectModule("CIMLSegment")
    assert shortcuts._taken == []
    slicer.util.selectModule("MDALSelector")
    assert "Save and next: Ctrl+Return" in ui.shortcutsLabel.text


def test_keys_press_the_buttons_wherever_the_focus_is(desk, ui, messages):
    desk.open("case-1")
    press_keys("Ctrl+N")
    assert desk.case.loader.caseID == "case-2"
    messages.answers.append("blurred")
    press_keys("Ctrl+K")
    assert states(desk).of("case-2").value == "skipped"
    press_keys("Ctrl+U")
    assert states(desk).of("case-2").value == "unlabelled"
    press_keys("Ctrl+Shift+N")
    assert desk.case.loader.caseID == "case-2"
    paint(labels(desk))
    press_keys("Ctrl+Return")
    assert states(desk).of("case-2").value == "labelled"
    assert desk.case.loader.caseID == "case-3"


def test_no_key_is_one_of_segment_editors_or_slicers(desk):
    """In the application all its keys are looked at; those of its menus are listed for the host."""
    import qt
    import slicer

    desk.open("case-2")  # with the keys of Segment Editor
    menus = "OSWZYXCVHFP0123456`"
    taken = {qt.QKeySequence(f"Ctrl+{key}").toString() for key in menus}
    for action in slicer.util.mainWindow().findChildren("QAction"):
        taken |= {key.toString() for key in action.shortcuts()}
    own = {str(one.key.toString()) for one in desk.selector.labeling._shortcuts._taken}
    assert len(own) == 7
    assert not own & taken
    assert {key: len(shortcuts_of(key)) for key in own} == dict.fromkeys(own, 1)
    assert len(shortcuts_of("Ctrl+Z")) == 1  # Segment Editor's
    slicer.util.reloadScriptedModule("MDALSelector")
    slicer.app.processEvents()
    assert not shortcuts_of("Ctrl+Z")  # the panel that has gone has let go of them
    assert max(len(shortcuts_of(key)) for key in own) <= 1
