"""Setting cases aside for testing, and the section "Readers" of MDALSelector, clicked through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_text import tool_tip

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "MDALSelector" / "MDALSelector.py"
BUTTONS = ("testButton", "agreementButton", "consensusButton", "labelingPageButton")


@pytest.fixture(scope="module")
def cohort(host, tmp_path_factory):
    """Twelve labeled cases."""
    from labelled_toy import toy_cohort

    return toy_cohort(tmp_path_factory.mktemp("toy"), n_cases=12)


@pytest.fixture
def record(tmp_path):
    from MultimodalImagingLib.record.cohort_record import open_record

    return open_record(tmp_path, folder=tmp_path / "record")


@pytest.fixture
def panel(scene, load_module, messages, record):
    panel = load_module(MODULE)
    panel.ui.recordPathLineEdit.currentPath = str(record.folder)
    for name in ("cohort", "cases", "plot", "labeling"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = True
    for name in ("selection", "readers"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    return panel


@pytest.fixture
def know(panel, wait_until):
    """Return a function that shows a cohort as after an inspection."""

    def know(path):
        panel.ui.cohortPathLineEdit.currentPath = str(path)
        from runs import Inspected

        done = Inspected(path)
        panel.onInspected(done)
        wait_until(lambda: len(panel.cases.visibleCases()) == done.result["n_cases"])

    return know


def save(record, cohort, case, reader, shift, *, is_blinded=False):
    """Save the same box as another reader, some voxels away."""
    from MultimodalImagingLib.cohorts.cohort import find_cohort
    from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
    from MultimodalImagingLib.cohorts.readings import grid_of_case
    from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
    from MultimodalImagingLib.images.segmentation_file import (
        SegmentEntry,
        layered,
        segmentation_file,
    )

    found = find_cohort(cohort)
    grid = grid_of_case(next(c for c in found.cases if c.case_id == case), found)
    mask = np.zeros(grid.array_shape, bool)
    mask[4:8, 4:8, 4 + shift : 8 + shift] = True
    voxels, layer_of = layered({"Tumor": mask}, grid)
    place = reader_label_place(case, reader, record, is_blinded=is_blinded)
    place.parent.mkdir(parents=True, exist_ok=True)
    entry = SegmentEntry("t", "Tumor", 1, layer_of["Tumor"])
    place.write_bytes(segmentation_file(voxels, grid, [entry]))
    note_saved_label(record, new_saved_label(case, reader, place, record, is_blinded=is_blinded))


def test_before_an_inspection_every_button_says_what_to_do(panel):
    for name in BUTTONS:
        assert tool_tip(getattr(panel.ui, name)) == "Press Inspect first."
    assert panel.ui.testLabel.isHidden()


def test_cases_are_set_aside_by_one_click(panel, know, drive, wait_until, cohort, record):
    ui = panel.ui
    know(cohort)
    assert ui.testLabel.text.startswith("No case is set aside for testing.")
    assert ui.testCasesSpinBox.value == 4  # 5 would be more than a third
    ui.testSeedSpinBox.value = 3
    drive.click(ui.testButton)
    wait_until(lambda: not panel.readers.jobs.isBusy, 120.0)
    assert ui.readersStatusLabel.text == "Done."
    states = record.read_states()
    assert len(states.evaluation) == 4
    assert {row.case_id for row in panel.cases.rows if row.is_test} == set(states.evaluation)
    assert ui.testLabel.text.startswith("4 cases are set aside for testing, 0 of them labeled.")
    assert tool_tip(ui.testButton).startswith("As many are set aside already: 4.")
    ui.testCasesSpinBox.value = 6
    assert ui.testButton.enabled


def test_readers_are_compared_and_agree_on_a_consensus(
    panel, know, drive, wait_until, cohort, record
):
    from MultimodalImagingLib.cohorts.reader_labels import consensus_place
    from MultimodalImagingLib.cohorts.reading_plan import read_plan

    ui = panel.ui
    for reader, shift in (("AB", 0), ("CD", 2)):
        save(record, cohort, "case00", reader, shift)
    know(cohort)
    assert "No case was read twice" in ui.agreementLabel.text
    ui.readAgainSpinBox.value = 10
    drive.click(ui.agreementButton)
    wait_until(lambda: not panel.readers.jobs.isBusy, 120.0)
    assert "Between readers, Tumor: Dice 0.500" in ui.agreementLabel.text
    assert "Readers disagree (Dice below 0.7) in 1 case: case00." in ui.agreementLabel.text
    assert read_plan(record).share == pytest.approx(0.1)
    ui.consensusComboBox.setCurrentIndex(1)
    drive.click(ui.consensusButton)
    wait_until(lambda: not panel.readers.jobs.isBusy, 120.0)
    assert consensus_place("case00", record).is_file()


def test_the_page_of_the_labeling_is_written_and_opened(
    panel, know, drive, wait_until, monkeypatch, tmp_path
):
    """Also where nobody has labeled anything: the record in the cohort does not exist yet."""
    import qt
    from runs import write_small_cohort

    opened = []
    monkeypatch.setattr(
        qt.QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile()))
    )
    for path in (panel.ui.recordPathLineEdit.currentPath, ""):
        panel.ui.recordPathLineEdit.currentPath = path
        cohort = write_small_cohort(tmp_path / f"cohort-{bool(path)}")
        know(cohort)
        drive.click(panel.ui.labelingPageButton)
        wait_until(lambda: not panel.readers.jobs.isBusy, 120.0)
        record = Path(path) if path else cohort / ".crossmodal"
        assert opened.pop() == record / "labeling.html"
        assert "3 cases" in (record / "labeling.html").read_text(encoding="utf-8")


def test_open_next_brings_a_labeled_case_back_without_its_label(
    panel, know, drive, cohort, record, messages
):
    """Nothing but a choice in the list shows the earlier label: no way back, no key, no crash."""
    from MultimodalImagingLib.cohorts.reader_labels import label_files
    from MultimodalImagingLib.cohorts.reading_plan import RereadingPlan, write_plan
    from MultimodalSlicerLib.reader import currentReader

    ui, reader = panel.ui, currentReader()
    for number in range(10):
        save(record, cohort, f"case{number:02d}", reader, 0)
    write_plan(record, RereadingPlan(share=0.1))
    know(cohort)
    ui.labelingCollapsibleButton.collapsed = False
    drive.click(ui.openNextButton)
    case = panel.logic.loader.caseID
    assert case in {f"case{number:02d}" for number in range(10)}
    assert panel.logic.case.session.isBlinded
    assert "read again without the earlier label" in ui.currentCaseLabel.text
    labels = panel.logic.loader.segmentation()
    assert panel.logic.nothingToSave() or all(
        not content.voxels.size for content in contents_of(labels)
    )
    before = {key: file.read_bytes() for key, file in label_files(case, record).items()}
    assert list(before) == [reader]

    stays_blinded_on_every_way(panel, drive, case)
    kept_work_is_offered_to_the_blinded_reading(panel, drive, case, record)
    after = label_files(case, record)
    assert {key: after[key].read_bytes() for key in before} == before
    assert set(after) == {reader, f"{reader}~blinded"}
    assert messages.messages == []
    panel.logic.case.close()


def stays_blinded_on_every_way(panel, drive, case):
    from plain_text import tool_tip

    ui = panel.ui
    assert "read again" in tool_tip(ui.skipButton)
    assert not ui.skipButton.enabled
    panel.onLoadCase(case)  # a double click on the open case
    assert panel.logic.case.session.isBlinded

    drive.click(ui.openNextButton)  # not now: on with what is not labeled, which is nothing
    assert panel.logic.loader.caseID == ""
    drive.click(ui.previousButton)
    assert panel.logic.loader.caseID == case
    assert panel.logic.case.session.isBlinded


def kept_work_is_offered_to_the_blinded_reading(panel, drive, case, record):
    from desk import paint

    from MultimodalWidgetsLib.case_keeper import caseKeeper

    ui = panel.ui
    paint(panel.logic.loader.segmentation())
    caseKeeper().keep()
    [kept] = (record.folder / "autosave").rglob("*.seg.nrrd")
    panel.logic.case.close()  # as after a crash: nobody has saved or given up
    panel.openCase(case)
    assert not ui.keptFrame.visible  # of no use to a reading that sees the label
    panel.openCase(case, isBlinded=True)
    assert ui.keptFrame.visible
    drive.click(ui.takeKeptButton)
    assert any(content.voxels.size for content in contents_of(panel.logic.loader.segmentation()))
    drive.click(ui.saveLabelButton)
    assert not kept.exists()


def contents_of(node):
    from MultimodalSlicerLib.label_contents import contentsOf

    return contentsOf(node)
