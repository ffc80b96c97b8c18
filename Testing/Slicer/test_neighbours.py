"""Other modules that segment are offered for the open case where they are installed."""

from __future__ import annotations

import pytest
from desk import LABELLED, Desk, write_cohort

ALL = {"SlicerNNInteractive": "nnInteractive", "MONAILabel": "MONAI Label"}
ALL["TotalSegmentator"] = "TotalSegmentator"


class Logic:
    """The logic of TotalSegmentator as far as others may know it."""

    def __init__(self, scene):
        self.node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")

    def getParameterNode(self):
        return self.node


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("neighbours") / "cohort")


@pytest.fixture
def desk(scene, load_module, messages, wait_until, cohort, tmp_path):
    desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
    desk.know()
    return desk


def test_nothing_is_offered_where_nothing_is_installed(desk):
    button = desk.selector.ui.neighbourButton
    assert not button.isVisibleTo(button.parentWidget())


def test_installed_modules_get_the_open_case(desk, scene, monkeypatch, messages, drive):
    import slicer

    for name in ALL:
        monkeypatch.setattr(slicer.modules, name.lower(), object(), raising=False)
    logic, chosen = Logic(scene), []
    monkeypatch.setattr(slicer.util, "getModuleLogic", lambda name: logic)
    panel = desk.selector
    panel.updateButtons()
    button = panel.ui.neighbourButton
    assert button.isVisibleTo(button.parentWidget())
    assert not button.enabled
    desk.open(LABELLED[0])
    assert button.enabled
    drive.click(button)
    actions = {action.text: action for action in panel.neighbours._menu.actions()}
    assert list(actions) == list(ALL.values())
    monkeypatch.setattr(slicer.util, "selectModule", chosen.append)
    labels, volumes = desk.case.loader.segmentation(), desk.case.loader.volumes()
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    for name, title in ALL.items():
        editor.SetAndObserveSegmentationNode(None)
        actions[title].trigger()
        assert chosen.pop() == name
        assert editor.GetSegmentationNode() is labels
        assert editor.GetSourceVolumeNode() is next(iter(volumes.values()))
    image = logic.node.GetNodeReference("InputVolume")
    assert image is next(iter(volumes.values()))
    assert logic.node.GetNodeReference("OutputSegmentation") is None
    assert not messages.messages
