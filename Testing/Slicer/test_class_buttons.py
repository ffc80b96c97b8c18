"""The buttons of classes, with mouse and keys."""

from __future__ import annotations

import pytest

from MDALSelectorLib.classification.class_findings import ClassDraft
from MultimodalImagingLib.record.class_task import task_of_names

CLASS = 3  # column of the case table
TASK = task_of_names(["benign", "A & B", "malignant"], question="What is it?")


@pytest.fixture
def drive(host):
    import drive

    return drive


@pytest.fixture
def window(host, scene):
    """A window with the buttons and a text field; what was chosen is in `chosen`."""
    import qt
    import slicer

    from MDALSelectorPanelLib.widgets.class_buttons import ClassButtons

    box = ClassButtons()
    window = qt.QWidget()
    layout = qt.QVBoxLayout(window)
    edit = qt.QLineEdit()
    layout.addWidget(edit)
    layout.addWidget(box.widget)
    chosen = []
    box.chosen.connect(chosen.append)
    box.setTask(TASK)
    window.show()
    window.activateWindow()
    slicer.app.processEvents()
    yield window, box, edit, chosen
    window.hide()
    window.deleteLater()


def test_a_click_chooses_a_class_once(window, drive):
    _, box, _, chosen = window
    box.show("a", "", None)
    drive.click(box.buttons[2])
    assert chosen == ["malignant"]


def test_without_a_case_nothing_can_be_chosen(window, drive):
    _, box, _, _ = window
    box.show("", "", None)
    assert not any(button.enabled for button in box.buttons)
    assert not box.undo.enabled


def test_the_class_that_was_given_is_pressed_and_the_draft_is_marked(window, drive):
    _, box, _, _ = window
    box.show("a", "A & B", ClassDraft("malignant", 0.784, 0.5))
    assert [button.checked for button in box.buttons] == [False, True, False]
    assert box.buttons[0].text == "1  benign"
    assert box.buttons[1].text == "2  A && B"
    assert box.buttons[2].text == "3  malignant   (draft, 78 %)"
    assert box.draft.text == "The draft said malignant."
    box.show("a", "", ClassDraft("malignant", 0.784, 0.5))
    assert "no label" in box.draft.text
    assert not any(button.checked for button in box.buttons)


def test_every_class_has_the_key_of_its_number_also_after_its_text_changed(window, drive):
    _, box, edit, chosen = window
    for draft in (None, ClassDraft("malignant", 0.784, 0.5)):
        box.show("a", "", draft)
        assert [button.shortcut.toString() for button in box.buttons] == ["1", "2", "3"]
    drive.type_text(edit, "13")
    assert edit.text == "13"
    assert chosen == []


def test_undo_says_what_it_takes_back(window, drive):
    _, box, _, _ = window
    undone = []
    box.undone.connect(lambda: undone.append(1))
    box.show("b", "", None, undoes="a")
    assert "Take the class of a back." in box.undo.toolTip
    drive.click(box.undo)
    assert undone == [1]


def test_a_cohort_to_segment_shows_no_buttons(window, drive):
    _, box, _, _ = window
    box.setTask(None)
    assert not box.widget.visible
    assert box.buttons == []


# --- in the panel -----------------------------------------------------------------------------


@pytest.fixture
def desk(scene, load_module, messages, wait_until, tmp_path_factory, tmp_path):
    from desk import Desk, write_cohort

    from MultimodalImagingLib.record.class_task import write_class_task
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    scene.SetRootDirectory(str(tmp_path))
    cohort = write_cohort(tmp_path_factory.mktemp("classes") / "cohort")
    record = CohortRecord(tmp_path / "record")
    record.folder.mkdir()
    write_class_task(record, TASK)
    desk = Desk(load_module, wait_until, cohort, record.folder)
    desk.know()
    return desk


def given(desk):
    from MultimodalImagingLib.cohorts.class_labels import read_class_labels
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    return read_class_labels(CohortRecord(desk.record), TASK).that_count


def classes(desk):
    """The classes that the table shows."""
    model = desk.selector.ui.casesTableView.model()
    rows = range(model.rowCount())
    cells = {model.data(model.index(n, 1)): model.data(model.index(n, CLASS)) for n in rows}
    return {case: name for case, name in cells.items() if name}


def test_in_a_cohort_to_classify_buttons_take_the_place_of_the_editor(desk, drive, messages):
    ui, box = desk.selector.ui, desk.selector.labeling.classes.buttons
    assert box.widget.visible
    drive.click(ui.openNextButton)
    case = desk.case.loader.caseID
    assert case
    assert not ui.editorWidget.visible
    for button in (ui.saveNextButton, ui.nextPlaceButton, ui.endRoundButton):
        assert not button.visible
    view = desk.selector.ui.casesTableView
    assert not view.isColumnHidden(CLASS)
    drive.click(box.buttons[2])
    assert given(desk) == {case: "malignant"}
    assert classes(desk) == {case: "malignant"}
    assert box.buttons[2].checked
    assert desk.case.loader.caseID == case
    drive.click(box.buttons[0])
    assert given(desk) == {case: "benign"}
    assert classes(desk) == {case: "benign"}
    drive.click(box.undo)
    assert given(desk) == {case: "malignant"}
    assert classes(desk) == {case: "malignant"}
    assert messages.messages == []


def test_with_the_mark_a_click_goes_on_and_undo_reaches_the_case_before(desk, drive, messages):
    ui, box = desk.selector.ui, desk.selector.labeling.classes.buttons
    drive.click(ui.openNextButton)
    first = desk.case.loader.caseID
    drive.click(box.goOn)
    drive.click(box.buttons[1])
    second = desk.case.loader.caseID
    assert second not in ("", first)
    assert given(desk) == {first: "A & B"}
    assert f"class of {first}" in box.undo.toolTip
    drive.click(box.undo)
    assert given(desk) == {}
    assert desk.case.loader.caseID == second
    drive.click(box.goOn)
    assert messages.messages == []


def test_a_class_that_is_chosen_again_stays_pressed(desk, drive, messages):
    ui, box = desk.selector.ui, desk.selector.labeling.classes.buttons
    drive.click(ui.openNextButton)
    for _time in range(2):
        drive.click(box.buttons[1])
        assert [button.checked for button in box.buttons] == [False, True, False]
    assert given(desk) == {desk.case.loader.caseID: "A & B"}


def test_a_class_that_cannot_be_saved_is_not_pressed(desk, drive, messages, monkeypatch):
    from slicer_host import errors

    from MDALSelectorPanelLib.nodes import class_reading
    from MultimodalImagingLib.errors import CrossModalError

    def full(*_arguments):
        msg = "The disk is full."
        raise CrossModalError(msg)

    ui, box = desk.selector.ui, desk.selector.labeling.classes.buttons
    drive.click(ui.openNextButton)
    monkeypatch.setattr(class_reading, "save_class_label", full)
    with errors.expected(CrossModalError):
        drive.click(box.buttons[1])
    assert not any(button.checked for button in box.buttons)
    assert "The disk is full." in messages.messages[0]
