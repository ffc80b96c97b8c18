"""The menus of the tables of cases in both panels, with mouse and keys."""

from __future__ import annotations

import json

import pytest
from desk import CASES, LABELLED, SEGMENTED, Desk, hashes, paint, write_cohort, write_results

ENTRIES = [
    "Open",
    "Open result",
    "Copy name",
    "Show folder",
    "Accept pairing",
    "Skip…",
    "Undo skip",
]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("menu") / "cohort")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("menu") / "results")


@pytest.fixture
def desk(scene, load_module, wait_until, cohort, results, tmp_path):
    before = hashes(cohort)
    desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
    desk.know(results)
    yield desk
    assert hashes(cohort) == before


@pytest.fixture(params=["MDALSelector", "CIMLSegment"])
def table(request, desk):
    """The table of cases of each panel."""
    import slicer

    slicer.util.selectModule(request.param)
    slicer.app.processEvents()
    if request.param == "MDALSelector":
        return desk.selector.ui.casesTableView
    return desk.segmenter.ui.batchView


def row_of(table, case):
    model = table.model()
    for row in range(model.rowCount()):
        texts = [str(model.data(model.index(row, c))) for c in range(model.columnCount())]
        if case in texts:
            return row
    raise AssertionError(case)


def entries(menu):
    return {action.text: action for action in menu.actions()}


def close(menu, drive):
    drive.press(menu, "Escape")
    assert not menu.visible


def record_entry(desk, case):
    return json.loads((desk.record / "cases.json").read_text())["cases"][case]


def test_a_right_click_offers_everything_and_says_why_not(table, drive):
    for case in CASES:
        menu = drive.menu(table, row_of(table, case))
        found = entries(menu)
        assert list(found)[2:] == ENTRIES[2:]
        assert set(found) == set(ENTRIES)
        assert menu.toolTipsVisible
        for action in found.values():
            assert action.enabled or action.toolTip.endswith(".")
        assert found["Open"].enabled
        assert found["Show folder"].enabled
        assert not found["Undo skip"].enabled
        assert not found["Accept pairing"].enabled
        assert found["Open result"].enabled == (case in SEGMENTED)
        close(menu, drive)


def test_the_menu_key_opens_the_menu_of_the_current_row(table, drive):
    drive.click_cell(table, row_of(table, "case-3"), 0)
    menu = drive.menu(table, -1, key=True)
    drive.choose_entry(menu, "Copy name")
    import slicer

    assert slicer.app.clipboard().text() == "case-3"


def test_a_click_beside_the_rows_offers_nothing(table, drive):
    import qt
    import slicer

    place = qt.QPoint(5, table.viewport().height - 2)
    assert not table.indexAt(place).isValid()
    event = qt.QContextMenuEvent(qt.QContextMenuEvent.Mouse, place, place)
    slicer.app.sendEvent(table.viewport(), event)
    slicer.app.processEvents()
    assert slicer.app.activePopupWidget() is None


def test_open_opens_the_images_of_that_row(table, desk, drive):
    drive.choose_entry(drive.menu(table, row_of(table, "case-3")), "Open")
    assert desk.case.loader.caseID == "case-3"
    assert set(desk.case.loader.volumes()) == {"CT", "PET"}


def test_return_opens_as_a_double_click_does(table, desk, drive):
    drive.click_cell(table, row_of(table, LABELLED[0]), 0)
    drive.press(table, "Return")
    assert desk.case.loader.caseID == LABELLED[0]
    drive.click_cell(table, row_of(table, "case-2"), 0, double=True)
    assert desk.case.loader.caseID == "case-2"


def test_escape_in_the_table_loses_nothing(table, desk, drive):
    drive.click_cell(table, row_of(table, "case-3"), 0)
    drive.press(table, "Return")
    desk.case.segmentationForEditing()
    paint(desk.case.loader.segmentation())
    drive.press(table, "Escape")
    assert desk.case.hasUnsavedChanges()
    assert desk.case.loader.caseID == "case-3"


def test_open_result_shows_it_in_the_panel_of_results(table, desk, drive):
    import slicer

    drive.choose_entry(drive.menu(table, row_of(table, "case-3")), "Open result")
    slicer.app.processEvents()
    assert slicer.util.selectedModule() == "CIMLSegment"
    assert desk.segmenter._parameterNode.result.GetName() == "case-3 segmentation"
    assert desk.case.loader.caseID == "case-3"


def test_show_folder_opens_the_file_manager_where_the_images_are(table, desk, drive, messages):
    drive.choose_entry(drive.menu(table, row_of(table, "case-2")), "Show folder")
    assert messages.messages == [f"open file://{desk.cohort / 'case-2'}"]


def test_a_case_is_skipped_with_a_reason_and_taken_back(table, desk, drive, messages):
    row = row_of(table, "case-2")
    messages.answers.append("PET is cut off")
    drive.choose_entry(drive.menu(table, row), "Skip…")
    assert messages.messages == ["Why should case-2 not be labeled?"]
    entry = record_entry(desk, "case-2")
    assert (entry["state"], entry["note"]) == ("skipped", "PET is cut off")
    menu = drive.menu(table, row)
    found = entries(menu)
    assert not found["Skip…"].enabled
    assert "PET is cut off" in found["Skip…"].toolTip
    drive.choose_entry(menu, "Undo skip")
    entry = record_entry(desk, "case-2")
    assert (entry["state"], entry["note"]) == ("unlabelled", "")


def test_escape_in_the_question_skips_nothing(table, desk, drive, messages):
    messages.answers.append("Escape")
    drive.choose_entry(drive.menu(table, row_of(table, "case-2")), "Skip…")
    assert not (desk.record / "cases.json").exists()


def test_a_skipped_case_gets_back_the_state_that_it_had(table, desk, drive, messages):
    from MultimodalImagingLib.record.cohort_record import CaseState, open_record

    record = open_record(desk.cohort, folder=desk.record)
    record.change_states({"case-2": CaseState.CHECK_PAIRING})
    row = row_of(table, "case-2")
    messages.answers.append("")
    drive.choose_entry(drive.menu(table, row), "Skip…")
    assert record.read_states().of("case-2") is CaseState.SKIPPED
    drive.choose_entry(drive.menu(table, row), "Undo skip")
    assert record.read_states().of("case-2") is CaseState.CHECK_PAIRING
    drive.choose_entry(drive.menu(table, row), "Accept pairing")
    assert record.read_states().of("case-2") is CaseState.CONFIRMED
    assert list(desk.selector.logic.getParameterNode().acceptedCases) == ["case-2"]


def test_the_list_shows_a_skipped_case_wherever_it_was_skipped(table, desk, drive, messages):
    import slicer

    messages.answers.append("blurred")
    drive.choose_entry(drive.menu(table, row_of(table, "case-3")), "Skip…")
    slicer.util.selectModule("MDALSelector")
    own = desk.selector.ui.casesTableView
    texts = [own.model().data(own.model().index(row_of(own, case), 2)) for case in CASES]
    assert texts[2] == "skipped"
    assert "skipped" not in texts[:2]


def test_a_record_that_cannot_be_read_is_told_in_the_menu(table, desk, drive):
    desk.record.mkdir(exist_ok=True)
    (desk.record / "cases.json").write_text("{")
    menu = drive.menu(table, row_of(table, "case-2"))
    found = entries(menu)
    assert "cannot be read" in found["Skip…"].toolTip
    assert found["Open"].enabled
    close(menu, drive)
