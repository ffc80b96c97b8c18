"""Where the user is stays: scroll positions, row, focus; Esc and Enter lose nothing."""

from __future__ import annotations

import pytest
from desk import CASES, Desk, paint, write_cohort, write_results


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("place") / "cohort")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("place") / "results")


@pytest.fixture
def desk(scene, load_module, messages, wait_until, cohort, tmp_path):
    return Desk(load_module, wait_until, cohort, tmp_path / "record")


def bar_of(panel):
    widget = panel.parent.parentWidget()
    while not hasattr(widget, "verticalScrollBar"):
        widget = widget.parentWidget()
    return widget.verticalScrollBar()


@pytest.mark.parametrize("module", ["MDALSelector", "CIMLSegment"])
def test_a_panel_is_scrolled_where_it_was_when_one_comes_back(desk, wait_until, module):
    import slicer

    panel = desk.selector if module == "MDALSelector" else desk.segmenter
    desk.know()
    slicer.util.selectModule(module)
    wait_until(lambda: bar_of(panel).maximum > 400)
    wait_until(lambda: not panel.place._triesLeft)  # of a place that a test before has left
    bar_of(panel).setValue(311)
    for other in ("SegmentEditor", "MDALSelector", "CIMLSegment"):
        slicer.util.selectModule(other)
        slicer.app.processEvents()
        slicer.util.selectModule(module)
        wait_until(lambda: bar_of(panel).value == 311)
    assert bar_of(panel).value == 311


def test_a_panel_that_was_left_is_not_asked_for_its_place(host):
    """When the application ends, it is gone before the next try."""
    import slicer

    from MultimodalWidgetsLib.user_place import PanelPlace

    class Panel:
        def parentWidget(self):
            asked.append(1)

    asked = []
    place = PanelPlace(Panel())
    place._value = 311
    place.bringBack()
    place.keep()
    asked.clear()
    slicer.app.processEvents()
    assert asked == []


def test_row_and_scroll_position_of_the_list_stay_after_a_refresh(desk, wait_until):
    from runs import write_run

    desk.know()
    panel, table = desk.selector, desk.selector.ui.casesTableView
    run = write_run(desk.record.parent / "run", 60)
    panel.logic.openRun(run)
    panel.showRanking()
    wait_until(lambda: len(panel.cases.visibleCases()) == 60)
    case = panel.cases.visibleCases()[2]
    panel.cases.selectCase(case)
    bar = table.verticalScrollBar()
    wait_until(lambda: bar.maximum > 0)
    bar.setValue(bar.maximum // 2)  # away from the row that is chosen
    value = bar.value
    panel.showRanking()
    wait_until(lambda: panel.cases._filler is None)
    assert panel.cases.currentCase() == case
    assert bar.value == value


def test_the_row_of_a_plain_table_stays_after_a_refresh(desk, results, wait_until):
    import slicer

    desk.know(results)
    slicer.util.selectModule("CIMLSegment")
    panel = desk.segmenter.cohort
    panel.table._rows = []
    table = desk.segmenter.ui.batchView
    table.setCurrentIndex(table.model().index(1, 0))
    case = panel.table.currentCase()
    panel.table._rows = []  # so that all rows are made anew
    panel.showCases()
    wait_until(lambda: len(panel.table.texts()) == len(CASES))
    assert panel.table.currentCase() == case


def test_after_close_case_no_key_presses_another_button(desk, drive):
    import slicer

    desk.know()
    desk.open("case-2")
    button = desk.selector.ui.closeCaseButton
    button.setFocus()
    drive.click(button)  # Space is Segment Editor's while a case is open
    assert desk.case.loader.caseID == ""
    assert not button.enabled
    focused = slicer.app.focusWidget()
    assert focused is None or focused.className() != "QPushButton"


def test_after_removing_an_overlay_no_key_deletes_maps(desk, results, drive, messages, wait_until):
    import slicer

    desk.know(results)
    desk.openResult("case-2")
    panel = desk.segmenter
    drive.click_cell(panel.ui.shareTable, 0, 0)
    button = panel.ui.removeOverlayButton
    if not button.enabled:
        drive.click_cell(panel.ui.shareTable, 0, 1)
    assert button.enabled
    button.setFocus()
    presses = []
    button.connect("clicked()", lambda: presses.append(panel.logic.browser.shown))
    drive.press(button, "Space")
    assert presses == [None], (presses, messages.messages)  # pressed, and no map was left
    wait_until(lambda: not button.enabled, 10.0)
    focused = slicer.app.focusWidget()
    assert focused is None or focused.className() != "QPushButton"


def ways(desk, drive):
    """The ways out of a case, as a user goes them."""
    import slicer

    selector, segmenter = desk.selector.ui, desk.segmenter.ui

    def row(table, case):
        model = table.model()
        texts = {
            str(model.data(model.index(n, c))): n
            for n in range(model.rowCount())
            for c in range(model.columnCount())
        }
        return texts[case]

    def shown(table):
        name = "MDALSelector" if table is selector.casesTableView else "CIMLSegment"
        slicer.util.selectModule(name)
        slicer.app.processEvents()
        return table

    def menu(table, case, entry):
        drive.choose_entry(drive.menu(shown(table), row(table, case)), entry)

    def key(table, case):
        drive.click_cell(shown(table), row(table, case), 0)
        drive.press(table, "Return")

    return {
        "double click": lambda: drive.click_cell(
            shown(selector.casesTableView), row(selector.casesTableView, "case-3"), 1, double=True
        ),
        "Return": lambda: key(selector.casesTableView, "case-3"),
        "menu": lambda: menu(selector.casesTableView, "case-3", "Open"),
        "menu, result": lambda: menu(selector.casesTableView, "case-3", "Open result"),
        "Close case": lambda: (
            shown(selector.casesTableView),
            drive.click(selector.closeCaseButton),
        ),
        "double click in Batch": lambda: drive.click_cell(
            shown(segmenter.batchView), row(segmenter.batchView, "case-3"), 0, double=True
        ),
        "Return in Batch": lambda: key(segmenter.batchView, "case-1"),
        "menu of Batch": lambda: menu(segmenter.batchView, "case-1", "Open"),
    }


WAYS = (
    "double click",
    "Return",
    "menu",
    "menu, result",
    "Close case",
    "double click in Batch",
    "Return in Batch",
    "menu of Batch",
)


def answer_by_key(name, drive):
    """Press a key in the dialog that is going to wait, as soon as it does."""
    import qt
    import slicer

    pressed = []

    def press():
        dialog = slicer.app.activeModalWidget()
        if dialog is None:
            qt.QTimer.singleShot(20, press)
        else:
            pressed.append(dialog.windowTitle)
            drive.press(dialog, name)

    qt.QTimer.singleShot(20, press)
    return pressed


@pytest.mark.parametrize("key", ["Escape", "Return"])
@pytest.mark.parametrize("way", WAYS)
def test_no_key_in_the_question_loses_what_was_drawn(desk, results, drive, messages, way, key):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    desk.know(results)
    desk.open("case-2")
    node = desk.case.loader.segmentation()
    paint(node)
    before, place = contentsOf(node), desk.labelPath("case-2")
    desk.selector.updateButtons()
    messages.interactive = True  # the dialog is really shown, and really waits for a key
    try:
        pressed = answer_by_key(key, drive)
        ways(desk, drive)[way]()
    finally:
        messages.interactive = False
    assert pressed == ["Unsaved labels"]
    if key == "Escape":
        assert desk.case.loader.segmentation() is node
        assert desk.case.hasUnsavedChanges()
        assert not place.exists()
    else:
        assert areAlike(readContents(desk.case._scene, place), before)
