"""What is remembered over a restart: cohorts, model, device, folders; and the recent cohorts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from desk import Desk, write_cohort, write_results

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "Testing" / "Data" / "version-0.1.0" / "record" / "models"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("last") / "cohort")


@pytest.fixture
def desk(scene, load_module, wait_until, cohort, tmp_path):
    own = shutil.copytree(cohort, tmp_path / "cohort")
    return Desk(load_module, wait_until, own, tmp_path / "record")


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(MODELS / "two-regions", tmp_path / "model")


def show(module):
    """Show a panel anew, as after a restart: it was never entered in the present scene."""
    import slicer

    slicer.util.selectModule("SegmentEditor")
    slicer.util.selectModule(module)
    slicer.app.processEvents()


def restart(scene):
    """Begin with an empty scene; what is kept then is in the settings alone."""
    import slicer

    slicer.util.selectModule("SegmentEditor")
    scene.Clear(0)


def chosen(desk):
    return desk.selector.logic.getParameterNode(), desk.segmenter.logic.getParameterNode()


def menu_of(button, drive):
    import slicer

    drive.click(button)
    shown = slicer.app.activePopupWidget()
    assert shown is not None
    return shown


def labels_of(menu):
    return [action.text for action in menu.actions() if action.text]


@pytest.mark.parametrize("module", ["MDALSelector", "CIMLSegment"])
def test_an_inspected_cohort_comes_back_with_its_record(desk, scene, wait_until, module):
    desk.know()
    restart(scene)
    show(module)
    parameters = chosen(desk)[0 if module == "MDALSelector" else 1]
    assert parameters.cohortPath == str(desk.cohort)
    assert parameters.recordPath == str(desk.record)
    panel = desk.selector if module == "MDALSelector" else desk.segmenter
    assert panel.ui.cohortPathLineEdit.currentPath == str(desk.cohort)
    wait_until(lambda: panel.ui.inspectButton.enabled)  # packages may be looked at still


def test_a_cohort_that_was_never_inspected_is_not_remembered(desk, scene, tmp_path):
    desk.selector.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    restart(scene)
    show("MDALSelector")
    assert chosen(desk)[0].cohortPath == ""


def test_a_cohort_that_is_gone_is_said_in_words_and_not_chosen(desk, scene, tmp_path):
    desk.know()
    restart(scene)
    shutil.rmtree(desk.cohort)
    show("MDALSelector")
    assert chosen(desk)[0].cohortPath == ""
    text = desk.selector.ui.cohortSummaryLabel.text
    assert text.startswith(f"The cohort of last time, {desk.cohort}, is not there now.")
    assert not desk.selector.ui.inspectButton.enabled
    desk.selector.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    assert "last time" not in desk.selector.ui.cohortSummaryLabel.text
    restart(scene)
    show("CIMLSegment")
    assert "last time" in desk.segmenter.ui.trainSummaryLabel.text
    assert desk.segmenter.ui.cohortPathLineEdit.currentPath == ""


def test_model_device_and_folders_come_back(desk, scene, drive, model, tmp_path):
    ui = desk.segmenter.ui
    (tmp_path / "kept").mkdir()
    results = write_results(tmp_path / "results")
    desk.know(results)
    show("CIMLSegment")
    ui.modelPathLineEdit.currentPath = str(model)
    ui.outputPathLineEdit.currentPath = str(tmp_path / "kept")
    ui.segmentAdvancedGroupBox.collapsed = False
    drive.choose(ui.deviceComboBox, "CPU")
    show("MDALSelector")
    desk.selector.ui.advancedGroupBox.collapsed = False
    drive.choose(desk.selector.ui.deviceComboBox, "CPU")
    restart(scene)
    for module in ("CIMLSegment", "MDALSelector"):
        show(module)
    selector, segmenter = chosen(desk)
    assert segmenter.modelPath == str(model)
    assert segmenter.outputPath == str(tmp_path / "kept")
    assert segmenter.batchPath == str(results)
    assert segmenter.device.value == selector.device.value == "cpu"
    show("CIMLSegment")
    assert "Voxel size" in ui.modelSummaryLabel.text
    assert ui.deviceComboBox.currentText == "CPU"


def test_a_folder_that_is_no_model_is_not_remembered(desk, scene, model, tmp_path):
    show("CIMLSegment")
    desk.segmenter.ui.modelPathLineEdit.currentPath = str(model)
    desk.segmenter.ui.modelPathLineEdit.currentPath = str(tmp_path)
    restart(scene)
    show("CIMLSegment")
    assert chosen(desk)[1].modelPath == str(model)


def test_model_and_folders_that_are_gone_are_said_in_words(desk, scene, model, tmp_path):
    ui = desk.segmenter.ui
    results = write_results(tmp_path / "results")
    desk.know(results)
    show("CIMLSegment")
    ui.modelPathLineEdit.currentPath = str(model)
    shutil.rmtree(model)
    shutil.rmtree(results)
    restart(scene)
    show("CIMLSegment")
    assert ui.modelPathLineEdit.currentPath == ui.batchPathLineEdit.currentPath == ""
    assert str(model) in ui.modelSummaryLabel.text
    assert str(results) in ui.batchSummaryLabel.text
    ui.modelPathLineEdit.currentPath = str(MODELS / "two-regions")
    assert "last time" not in ui.modelSummaryLabel.text


def test_the_parameters_of_a_scene_come_first(desk, scene, tmp_path, model):
    import slicer

    desk.know()
    show("MDALSelector")
    desk.selector.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    desk.selector.ui.recordPathLineEdit.currentPath = ""
    show("CIMLSegment")
    desk.segmenter.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    desk.segmenter.ui.modelPathLineEdit.currentPath = str(model)
    desk.segmenter.ui.modelPathLineEdit.currentPath = ""
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    restart(scene)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    for module in ("MDALSelector", "CIMLSegment"):
        show(module)
    selector, segmenter = chosen(desk)
    assert selector.cohortPath == segmenter.cohortPath == str(tmp_path)
    assert selector.recordPath == ""
    assert segmenter.modelPath == ""


def test_an_older_scene_keeps_what_is_empty_in_it(desk, scene, tmp_path):
    """A scene that was saved before choices were remembered has no mark of that."""
    import slicer

    show("CIMLSegment")
    node = scene.GetSingletonNode("CIMLSegment", "vtkMRMLScriptedModuleNode")
    node.UnsetParameter("CrossModal.OwnChoices")
    slicer.util.selectModule("SegmentEditor")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    desk.know()
    restart(scene)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    show("CIMLSegment")
    assert chosen(desk)[1].cohortPath == ""


def test_what_was_emptied_stays_empty(desk):
    desk.know()
    show("MDALSelector")
    desk.selector.ui.cohortPathLineEdit.currentPath = ""
    show("MDALSelector")
    assert chosen(desk)[0].cohortPath == ""


def test_the_last_ten_cohorts_are_offered_newest_first(desk, drive, tmp_path):
    from MultimodalWidgetsLib.remembered import recentCohorts, rememberCohort

    show("MDALSelector")
    button = desk.selector.ui.recentButton
    desk.selector.updateButtons()
    assert not button.enabled
    assert "No cohort was inspected yet." in button.toolTip
    for number in range(12):
        (tmp_path / f"c{number}").mkdir()
        rememberCohort(str(tmp_path / f"c{number}"), "")
    rememberCohort(str(tmp_path / "c5"), str(tmp_path / "record"))
    assert len(recentCohorts()) == 10
    shutil.rmtree(tmp_path / "c9")
    desk.selector.updateButtons()
    menu = menu_of(button, drive)
    names = [text.split(" in ")[0] for text in labels_of(menu)]
    others = [f"c{number}" for number in (11, 10, 9, 8, 7, 6, 4, 3, 2)]
    assert names == ["c5", *others, "Forget those that are not there"]
    gone = menu.actions()[3]
    assert not gone.enabled
    assert "not there" in gone.text
    assert str(tmp_path / "c9") in gone.toolTip
    drive.choose_entry(menu, f"c5 in {tmp_path}")
    selector = chosen(desk)[0]
    assert selector.cohortPath == str(tmp_path / "c5")
    assert selector.recordPath == str(tmp_path / "record")
    drive.choose_entry(menu_of(button, drive), "Forget those that are not there")
    assert not [one for one in recentCohorts() if one.path.endswith("c9")]
    assert len(recentCohorts()) == 9


def test_a_recent_cohort_brings_its_results_with_it(desk, drive, tmp_path):
    results = write_results(tmp_path / "results")
    desk.know(results)
    show("CIMLSegment")
    ui = desk.segmenter.ui
    ui.cohortPathLineEdit.currentPath = str(tmp_path)
    ui.batchPathLineEdit.currentPath = ""
    drive.choose_entry(menu_of(ui.recentButton, drive), f"cohort in {tmp_path}")
    assert chosen(desk)[1].batchPath == str(results)


def test_a_list_that_cannot_be_read_is_taken_for_empty(desk, scene):
    from MultimodalWidgetsLib.remembered import recentCohorts, remember

    for text in ("{", '[{"what": 1}]', "7"):
        remember("Cohorts", text)
        assert recentCohorts() == []
    restart(scene)
    show("MDALSelector")


def test_the_place_of_the_results_is_shown_and_opened(desk, drive, messages, tmp_path):
    ui = desk.segmenter.ui
    show("CIMLSegment")
    assert not ui.showResultsButton.enabled
    folder = tmp_path / ("a-long-name-" * 12)
    results = write_results(folder)
    desk.know(results)
    show("CIMLSegment")
    assert str(results) in ui.resultsLabel.toolTip
    assert "…" in ui.resultsLabel.text
    width = ui.resultsLabel.fontMetrics().boundingRect(ui.resultsLabel.text).width()
    assert width <= ui.resultsLabel.width
    drive.click(ui.showResultsButton)
    assert messages.messages == [f"open file://{results}"]
