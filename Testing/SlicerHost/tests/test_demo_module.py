import pytest
from slicer_host import errors


def test_module_offers_title_and_category(demo):
    import slicer

    module = slicer.modules.hostdemo
    assert module.title == "Host demo"
    assert module.categories == ("Segmentation",)
    assert slicer.modules.HostDemoInstance.parent is module


def test_startup_is_told_once(demo, host):
    import slicer

    assert slicer.modules.HostDemoInstance.startupCount == 1
    host.complete()
    assert slicer.modules.HostDemoInstance.startupCount == 1


def test_apply_is_enabled_only_with_a_volume_and_says_why(demo, make_volume):
    assert not demo.ui.applyButton.enabled
    assert demo.ui.applyButton.toolTip == "<p>Select a volume</p>"
    demo.ui.inputSelector.setCurrentNode(make_volume())
    assert demo.ui.applyButton.enabled
    assert demo.ui.applyButton.toolTip == "<p>Threshold the volume</p>"


def test_apply_thresholds_and_fills_the_table(demo, make_volume):
    demo.ui.inputSelector.setCurrentNode(make_volume())
    demo.ui.thresholdSlider.value = 200.0
    demo.ui.applyButton.click()
    table = demo.ui.resultTable.mrmlTableNode()
    assert table.GetTable().GetValue(0, 0).ToDouble() == 799.0
    assert demo.ui.resultTable.tableModel().rowCount() >= 1


def test_failure_shows_a_message_and_the_panel_stays_usable(demo, messages):
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    demo.ui.inputSelector.setCurrentNode(volume)
    with errors.expected(ValueError, "empty one"):
        demo.ui.applyButton.click()
    assert "found an empty one" in messages.messages[0]
    assert demo.ui.applyButton.enabled


@pytest.mark.parametrize(
    ("widget", "attribute", "parameter", "value"),
    [
        ("thresholdSlider", "value", "threshold", 42.5),
        ("countSpinBox", "value", "count", 7),
        ("invertCheckBox", "checked", "invert", True),
        ("noteEdit", "text", "note", "written"),
    ],
)
def test_parameters_and_widgets_follow_each_other(demo, widget, attribute, parameter, value):
    parameters, target = demo._parameterNode, getattr(demo.ui, widget)
    before = getattr(parameters, parameter)
    setattr(target, attribute, value)
    assert getattr(parameters, parameter) == value
    setattr(parameters, parameter, before)
    assert getattr(target, attribute) == before


def test_enum_choice_and_path_follow_their_widgets(demo, tmp_path):
    import sys

    side = sys.modules["HostDemo"].Side
    assert demo.ui.sideBox.currentText == "below the threshold"
    demo.ui.sideBox.currentIndex = 0
    assert demo._parameterNode.side is side.Above
    demo.ui.strategyBox.currentIndex = 0
    assert demo._parameterNode.strategy == "A"
    demo.ui.folderEdit.currentPath = str(tmp_path)
    assert demo._parameterNode.folder == tmp_path


def test_value_outside_the_range_is_refused(demo):
    with pytest.raises(ValueError, match="within range"):
        demo._parameterNode.threshold = 1000.0
    with pytest.raises(TypeError):
        demo._parameterNode.count = 1.5
    with pytest.raises(ValueError, match="one of"):
        demo._parameterNode.strategy = "C"


def test_list_of_strings_is_kept_item_by_item(demo):
    demo._parameterNode.caseIds = ["a", "b"]
    demo._parameterNode.caseIds.append("c")
    assert list(demo._parameterNode.caseIds) == ["a", "b", "c"]
    assert demo._parameterNode.parameterNode.GetParameter("caseIds.2") == "c"


def test_closing_the_scene_gives_a_new_parameter_node(demo):
    import slicer

    demo.ui.noteEdit.text = "old"
    slicer.mrmlScene.Clear(0)
    assert demo._parameterNode is not None
    assert demo.ui.noteEdit.text == "nothing"
    demo.ui.noteEdit.text = "new"
    assert demo._parameterNode.note == "new"


def test_leaving_and_entering_the_panel_calls_exit_and_enter(demo):
    import slicer

    demo.visits.clear()
    slicer.util.selectModule("Data")
    slicer.util.selectModule("HostDemo")
    assert demo.visits == ["exit", "enter"]
    demo.ui.noteEdit.text = "again"
    assert demo._parameterNode.note == "again"


def test_saved_scene_brings_parameters_back(demo, tmp_path, make_volume):
    import slicer

    demo.ui.inputSelector.setCurrentNode(make_volume("Saved"))
    demo.ui.noteEdit.text = "kept"
    demo._parameterNode.caseIds = ["x"]
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    assert demo.ui.inputSelector.currentNode() is None
    slicer.util.loadScene(str(path))
    demo.initializeParameterNode()
    assert demo.ui.noteEdit.text == "kept"
    assert demo.ui.inputSelector.currentNode().GetName() == "Saved"
    assert list(demo._parameterNode.caseIds) == ["x"]


def test_job_in_a_child_process_reports_progress_and_result(demo, wait_until):
    demo.onStart("0.0")
    assert not demo.ui.startButton.enabled
    wait_until(lambda: demo.exitStatus is not None)
    assert demo.result == 42
    assert demo.ui.progressBar.value == 100
    assert demo.ui.startButton.enabled


def test_cancel_ends_the_job_at_once(demo, wait_until):
    demo.ui.startButton.click()
    wait_until(lambda: demo.ui.progressBar.value > 0)
    demo.ui.cancelButton.click()
    wait_until(lambda: demo.exitStatus is not None)
    assert demo.exitStatus == 1
    assert demo.result is None


def test_own_test_class_of_the_module_passes(demo):
    import slicer

    slicer.modules.HostDemoInstance.runTest(msec=0)


def test_reload_makes_a_new_panel(demo):
    import slicer

    slicer.util.reloadScriptedModule("HostDemo")
    assert slicer.modules.HostDemoWidget is not demo
    slicer.modules.HostDemoWidget.ui.noteEdit.text = "after reload"
    assert slicer.modules.HostDemoWidget._parameterNode.note == "after reload"


def test_panel_is_used_with_clicks_and_keys(demo, make_volume):
    import drive

    volume = make_volume("Clicked")
    demo.ui.inputSelector.setCurrentNode(volume)
    drive.click(demo.ui.invertCheckBox)
    assert demo._parameterNode.invert is True
    demo.ui.noteEdit.clear()
    drive.type_text(demo.ui.noteEdit, "typed", end="Return")
    assert demo._parameterNode.note == "typed"
    drive.choose(demo.ui.strategyBox, "A")
    assert demo._parameterNode.strategy == "A"
    drive.click(demo.ui.applyButton)
    assert demo.ui.resultTable.mrmlTableNode() is not None
    assert demo.ui.jobButton.collapsed
    with pytest.raises(AssertionError, match="hidden widget QPushButton 'startButton'"):
        drive.click(demo.ui.startButton)
    drive.click(demo.ui.jobButton)
    assert not demo.ui.jobButton.collapsed
    assert demo.ui.startButton.visible
    demo.ui.startButton.enabled = False
    with pytest.raises(AssertionError, match="disabled"):
        drive.click(demo.ui.startButton)


def test_nothing_is_left_after_use(demo, make_volume, census):
    import slicer

    def use():
        demo.ui.inputSelector.setCurrentNode(make_volume())
        demo.ui.applyButton.click()
        slicer.mrmlScene.Clear(0)

    use()
    before = census()
    for _ in range(5):
        use()
    assert census().grown(before) == {}
