"""The CIMLSegment panel, driven as a user drives it: in Slicer, or outside it in the host."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "Testing" / "Helpers"))

from plain_text import tool_tip  # noqa: E402
from slicer_host import errors  # noqa: E402

from MultimodalImagingLib.errors import CrossModalError  # noqa: E402

MODULE = ROOT / "CIMLSegment" / "CIMLSegment.py"
BUTTONS = (
    *("try", "match", "segment", "cancel", "show3D", "measure", "segmentEditor", "removeOverlay"),
    *("loadMaps", "deleteMaps", "inspect", "train", "trainCancel", "useModel", "batch"),
    *("batchCancel", "install", "check"),
)


@pytest.fixture(scope="session")
def model(host, tmp_path_factory):
    """A small model with random weights for PET, CT and T1."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    import example_result

    return example_result.write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="session")
def large_model(host, tmp_path_factory):
    """The same with larger windows, for whole patients."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    import example_result

    folder = tmp_path_factory.mktemp("models") / "large"
    return example_result.write_model(folder, patch_size=(64, 64, 64))


@pytest.fixture
def panel(scene, load_module, messages):
    """The panel in an empty scene, all sections open."""
    load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    panel = load_module(MODULE)
    for name in ("inputs", "segment", "segments", "contributions", "train", "batch", "setup"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    for name in ("segmentAdvanced", "segmentLog", "trainLog", "batchLog"):
        getattr(panel.ui, f"{name}GroupBox").collapsed = False
    yield panel
    panel.logic.browser.remove()


@pytest.fixture
def volumes(panel):
    """PET, CT and T1 of a phantom on three grids, shown as a user would have them."""
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    grids = {
        "PET": example.grid(),
        "CT": example.grid((60, 64, 20), (1.0, 1.0, 3.0)),
        "T1": example.grid((40, 40, 16), (1.6, 1.6, 4.0), example.oblique()),
    }
    nodes = {
        name: addVolume(slicer.mrmlScene, example.image(name, on), f"Patient {name}")
        for name, on in grids.items()
    }
    slicer.util.setSliceViewerLayers(background=nodes["PET"], fit=True)
    slicer.app.processEvents()
    return nodes


@pytest.fixture
def segmented(panel, volumes, tmp_path):
    """Return a function that puts a ready-made result into the scene as a finished job does."""
    import example_result as example
    import slicer

    def segmented(**options):
        folder = example.write_model_json(tmp_path / "model")
        panel.ui.modelPathLineEdit.currentPath = str(folder)
        run = panel.logic._runs.prepare(panel._parameterNode, panel.logic.model)
        example.write_example(run.output, example.grid(), case=run.case, **options)
        job = FinishedJob()
        panel.logic._running[job] = run
        panel.onSegmented(job)
        slicer.app.processEvents()
        return panel._parameterNode.result

    return segmented


class FinishedJob:
    """What the panel needs of a job that is done."""

    result = None


def selector(panel, index):
    return getattr(panel.ui, f"inputSelector{index}")


def choose_volume(panel, index, node):
    selector(panel, index).setCurrentNode(node)
    import slicer

    slicer.app.processEvents()


def census_of_scene():
    import slicer

    counts = {}
    for index in range(slicer.mrmlScene.GetNumberOfNodes()):
        name = slicer.mrmlScene.GetNthNode(index).GetClassName()
        counts[name] = counts.get(name, 0) + 1
    return counts


def shown_state():
    import slicer

    from CIMLSegmentPanelLib.nodes.former_views import viewState

    return viewState(slicer.mrmlScene, slicer.modules.CIMLSegmentWidget._parameterNode.result)


# --- an empty panel ---------------------------------------------------------------------------


def test_an_empty_panel_says_what_to_do_next(panel):
    ui = panel.ui
    assert ui.verdictLabel.text.startswith("Choose the folder of a trained model. 'Try it' takes")
    assert tool_tip(ui.segmentButton) == ui.verdictLabel.text
    assert "Choose the folder of a cohort" in ui.trainSummaryLabel.text
    assert "in Train and press Inspect" in ui.batchSummaryLabel.text
    assert not ui.contributionsHintLabel.isHidden()
    assert ui.segmentsTable.rowCount == 0
    assert not ui.shareTable.visible
    assert all(selector(panel, index).isHidden() for index in range(1, 9))


def test_every_button_says_what_it_does_or_why_it_cannot(panel):
    for name in BUTTONS:
        assert tool_tip(getattr(panel.ui, f"{name}Button")).endswith("."), name
    for name in BUTTONS[1:15]:  # all but *Try it*, which needs nothing
        assert not getattr(panel.ui, f"{name}Button").enabled, name


def test_a_folder_without_a_model_is_named(panel, tmp_path):
    panel.ui.modelPathLineEdit.currentPath = str(tmp_path)
    assert "model.json" in panel.ui.verdictLabel.text
    assert panel.ui.modelSummaryLabel.isHidden()
    assert not panel.ui.segmentButton.enabled
    assert "Choose the folder that training wrote" in tool_tip(panel.ui.segmentButton)


# --- inputs -----------------------------------------------------------------------------------


def test_volumes_are_matched_by_name_when_a_model_is_chosen(panel, volumes, model):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    assert [selector(panel, index).currentNode() for index in (1, 2, 3)] == list(volumes.values())
    assert panel.ui.inputLabel1.text == "PET (primary):"
    assert panel.ui.inputLabel3.text == "T1 (auxiliary):"
    assert selector(panel, 4).isHidden()
    assert "overlap" in panel.ui.verdictLabel.text
    assert panel.ui.segmentButton.enabled


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_volumes_are_matched_in_whatever_order_they_were_loaded(panel, scene, tmp_path, order):
    """Also with several primaries, whose empty entries have another name than those of others."""
    import example_result as example

    from MultimodalSlicerLib.volume_nodes import addVolume

    names = ("FLAIR", "T1C", "T1", "T2")
    for name in (names[index] for index in order):
        addVolume(scene, example.image("T1", example.grid()), f"case-1 {name}")
    panel.ui.modelPathLineEdit.currentPath = str(
        example.write_model_json(tmp_path / "model", "brats")
    )
    chosen = {
        getattr(panel.ui, f"inputLabel{n}").text.partition(" (")[0]: selector(panel, n)
        .currentNode()
        .GetName()
        for n in (1, 2, 3, 4)
    }
    assert chosen == {
        "FLAIR": "case-1 FLAIR",
        "T1c": "case-1 T1C",
        "T1": "case-1 T1",
        "T2": "case-1 T2",
    }


def test_no_volume_is_chosen_for_a_modality_that_none_shows(panel, scene, tmp_path):
    import example_result as example

    from MultimodalSlicerLib.volume_nodes import addVolume

    addVolume(scene, example.image("T1", example.grid()), "scout")
    panel.ui.modelPathLineEdit.currentPath = str(
        example.write_model_json(tmp_path / "model", "brats")
    )
    assert [selector(panel, n).currentNode() for n in (1, 2, 3, 4)] == [None] * 4


def test_a_volume_that_is_loaded_later_is_matched_too(panel, model):
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    panel.ui.modelPathLineEdit.currentPath = str(model)
    assert tool_tip(panel.ui.segmentButton).startswith("Choose the volume of PET")
    node = addVolume(slicer.mrmlScene, example.image("PET", example.grid()), "late PET")
    slicer.app.processEvents()
    assert selector(panel, 1).currentNode() is node
    assert panel.ui.segmentButton.enabled


def test_a_volume_that_the_person_removed_stays_removed(panel, volumes, model):
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    panel.ui.modelPathLineEdit.currentPath = str(model)
    choose_volume(panel, 2, None)
    addVolume(slicer.mrmlScene, example.image("T1", example.grid()), "T2 of another day")
    slicer.app.processEvents()
    assert selector(panel, 2).currentNode() is None
    assert panel.ui.inputNotesLabel.text == "Without CT the result may be worse."
    assert panel.ui.segmentButton.enabled


def test_match_by_name_chooses_anew(panel, volumes, model, drive):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    choose_volume(panel, 1, volumes["CT"])
    assert not panel.ui.segmentButton.enabled
    assert "is chosen for PET and for CT" in tool_tip(panel.ui.segmentButton)
    drive.click(panel.ui.matchButton)
    assert selector(panel, 1).currentNode() is volumes["PET"]
    assert panel.ui.segmentButton.enabled


def test_of_two_candidates_none_is_chosen(panel, volumes, model, drive):
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    addVolume(slicer.mrmlScene, example.image("PET", example.grid()), "Patient PET late")
    panel.ui.modelPathLineEdit.currentPath = str(model)
    assert selector(panel, 1).currentNode() is None
    assert not panel.ui.segmentButton.enabled
    assert "'Patient PET', 'Patient PET late'" in panel.ui.inputNotesLabel.text


def test_volumes_without_telling_names_are_left_to_the_person(panel, model, drive):
    import example_result as example
    import slicer

    from MultimodalSlicerLib.volume_nodes import addVolume

    names = ("", "Volume", "Volume_1")
    nodes = [addVolume(slicer.mrmlScene, example.image("PET", example.grid()), n) for n in names]
    panel.ui.modelPathLineEdit.currentPath = str(model)
    drive.click(panel.ui.matchButton)
    assert [selector(panel, index).currentNode() for index in (1, 2, 3)] == [None] * 3
    notes = panel.ui.inputNotesLabel.text.split("\n")
    assert notes[0] == "No volume is named like PET. Choose one."
    assert notes[1].endswith("Choose one, or go on without it.")
    assert tool_tip(panel.ui.segmentButton).startswith("Choose the volume of PET")
    choose_volume(panel, 1, nodes[0])
    assert panel.ui.segmentButton.enabled


def test_what_cannot_be_segmented_is_said_and_nothing_happens(panel, volumes, model):
    import slicer
    import vtk

    panel.ui.modelPathLineEdit.currentPath = str(model)
    label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    label.SetAndObserveImageData(volumes["CT"].GetImageData())
    image = vtk.vtkImageData()
    image.SetDimensions(5, 5, 5)
    image.AllocateScalars(vtk.VTK_FLOAT, 4)
    vector = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "4-D")
    vector.SetAndObserveImageData(image)
    wrong = {
        "label map": label,
        "4 values per voxel": vector,
        "no voxels": slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"),
        "sequence": slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "series"),
    }
    for text, node in wrong.items():
        choose_volume(panel, 2, node)
        before = census_of_scene()
        assert not panel.ui.segmentButton.enabled
        assert text in tool_tip(panel.ui.segmentButton)
        assert text in panel.ui.inputNotesLabel.text
        with pytest.raises(ValueError, match=text):
            panel.logic.segmentation(panel._parameterNode)
        assert census_of_scene() == before


def test_a_volume_without_content_is_refused_when_the_button_is_pressed(
    panel, volumes, model, drive, messages
):
    import slicer

    panel.ui.modelPathLineEdit.currentPath = str(model)
    array = np.zeros_like(slicer.util.arrayFromVolume(volumes["CT"]))
    slicer.util.updateVolumeFromArray(volumes["CT"], array)
    before = census_of_scene()
    with errors.expected(ValueError, "the value 0 everywhere"):
        drive.click(panel.ui.segmentButton)
    assert "The volumes cannot be segmented." in messages.messages[0]
    assert "Choose another volume" in messages.messages[0]
    assert census_of_scene() == before
    assert not panel.jobs.isBusy


def test_paths_belong_to_their_scene(panel, drive, wait_until, tmp_path):
    import slicer

    names = (
        *("modelPath", "outputPath", "cohortPath", "recordPath"),
        *("taskPath", "trainedModelPath", "batchPath"),
    )
    paths = {name: str(tmp_path / name) for name in names}
    for name, path in paths.items():
        getattr(panel.ui, f"{name}LineEdit").currentPath = path
    file = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(0)
    assert {getattr(panel._parameterNode, name) for name in names} == {""}
    for name in names:
        getattr(panel.ui, f"{name}LineEdit").currentPath = str(tmp_path / "of another scene")
    slicer.util.loadScene(str(file))
    slicer.app.processEvents()
    assert {name: getattr(panel._parameterNode, name) for name in names} == paths
    assert {name: getattr(panel.ui, f"{name}LineEdit").currentPath for name in names} == paths


# --- segmenting -------------------------------------------------------------------------------


@pytest.fixture
def segment(panel, volumes, model, drive, wait_until):
    """Return a function that segments the phantom with the small model."""

    def segment(**checks):
        panel.ui.modelPathLineEdit.currentPath = str(model)
        for name, value in checks.items():
            getattr(panel.ui, f"{name}CheckBox").checked = value
        drive.click(panel.ui.segmentButton)
        wait_until(lambda: not panel.jobs.isBusy, 120.0)
        return panel._parameterNode.result

    return segment


def test_three_volumes_on_three_grids_become_a_segmentation_with_every_map(
    panel, volumes, segment, drive, messages, wait_until
):
    import slicer

    from CIMLSegmentPanelLib.nodes.segmentation_parameters import MapKind

    node = segment(gradcam=True, uncertainty=True)
    assert messages.messages == []
    assert panel.ui.statusLabel.text == "Done."
    assert node.GetName() == "Patient PET segmentation"
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is volumes["PET"]
    assert panel.ui.segmentsTable.item(0, 0).text() == "Gross tumor volume"
    assert float(panel.ui.segmentsTable.item(0, 1).text()) > 0
    assert panel.ui.shareTable.rowCount == 2
    total = sum(int(panel.ui.shareTable.item(row, 0).text()[:-1]) for row in range(2))
    assert total in (99, 100, 101)
    before = shown_state()
    computed = [kind for kind in MapKind if kind is not MapKind.PROBABILITY]  # by the command only
    for kind in computed:
        drive.choose(panel.ui.mapKindComboBox, kind.label())
        for row in range(2):
            drive.click_cell(panel.ui.shareTable, row, 0)
            red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
            shown = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID())
            assert kind.value in shown.GetAttribute("CIMLSegment.Map")
            expected = "PET" if kind is MapKind.UNCERTAINTY else ("CT", "T1")[row]
            assert red.GetBackgroundVolumeID() == volumes[expected].GetID()
    assert messages.messages == []
    drive.click(panel.ui.removeOverlayButton)
    assert shown_state() == before


def test_the_job_leaves_no_copies_of_the_images(panel, segment):
    node = segment()
    from CIMLSegmentPanelLib.nodes.result_facts import resultFacts

    folder = Path(resultFacts(node).folder)
    assert folder.is_dir()
    assert not list(folder.parent.rglob("image_*"))


def test_results_do_not_go_into_the_folder_that_an_image_was_loaded_from(
    panel, volumes, model, tmp_path
):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    folder = tmp_path / "case00"
    folder.mkdir()
    volumes["PET"].AddDefaultStorageNode()
    volumes["PET"].GetStorageNode().SetFileName(str(folder / "pet.nrrd"))
    from MultimodalImagingLib.errors import UsageError

    for output in (folder, folder / "results", tmp_path):
        panel._parameterNode.outputPath = str(output)
        with pytest.raises(UsageError, match="holds images"):
            panel.logic.segmentation(panel._parameterNode)
    assert [path.name for path in tmp_path.rglob("*")] == ["case00"]


def test_a_parent_transform_moves_the_result(panel, volumes, segment):
    import slicer

    first = segment()
    center = np.array(first.GetSegmentCenterRAS("GTV"))
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    matrix[:3, 3] = (20.0, -5.0, 7.0)
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    for node in volumes.values():
        node.SetAndObserveTransformNodeID(transform.GetID())
    second = segment()
    assert second is not first
    moved = np.array(second.GetSegmentCenterRAS("GTV"))
    assert np.allclose(moved, center + matrix[:3, 3], atol=0.5)
    assert second.GetParentTransformNode() is None


def test_a_new_result_never_replaces_an_older_one(panel, segment):
    first = segment()
    second = segment()
    assert first is not second
    assert first.GetScene() is not None
    assert second.GetName() == "Patient PET segmentation_1"


def test_a_chosen_segmentation_is_replaced(panel, segment, scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    node.GetSegmentation().AddEmptySegment("old", "old")
    panel.ui.targetSelector.setCurrentNode(node)
    assert segment() is node
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["GTV"]
    assert node.GetName() == "mine"


def test_a_missing_auxiliary_is_said_in_the_result(panel, volumes, model, segment):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    choose_volume(panel, 2, None)
    segment()
    assert "CT" in panel.ui.warningsLabel.text
    assert panel.ui.shareTable.verticalHeaderItem(0).text() == "CT (missing)"


def test_cancel_ends_the_job_and_leaves_the_scene(panel, volumes, model, drive, wait_until):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    before = census_of_scene()
    drive.click(panel.ui.segmentButton)
    assert tool_tip(panel.ui.segmentButton) == "A job is running. Wait, or press Cancel."
    drive.click(panel.ui.cancelButton)
    wait_until(lambda: not panel.jobs.isBusy, 5.0)
    assert panel.ui.statusLabel.text == "Cancelled."
    assert census_of_scene() == before
    assert panel.ui.segmentButton.enabled
    assert not panel.logic._running


def test_a_job_that_fails_says_why_and_leaves_the_scene(
    panel, volumes, drive, wait_until, messages, tmp_path
):
    import example_result as example

    broken = example.write_model_json(tmp_path / "broken")
    panel.ui.modelPathLineEdit.currentPath = str(broken)
    before = census_of_scene()
    drive.click(panel.ui.segmentButton)
    wait_until(lambda: not panel.jobs.isBusy, 60.0)
    assert len(messages.messages) == 1
    assert "model" in messages.messages[0]
    assert census_of_scene() == before
    assert panel.ui.statusLabel.text.startswith("Failed: ")
    assert not panel.logic._running


def test_a_job_goes_on_while_another_module_is_shown(
    panel, volumes, model, drive, wait_until, load_module
):
    import slicer

    panel.ui.modelPathLineEdit.currentPath = str(model)
    drive.click(panel.ui.segmentButton)
    slicer.util.selectModule("MDALSelector")
    wait_until(lambda: not panel.jobs.isBusy, 120.0)
    slicer.util.selectModule("CIMLSegment")
    assert panel._parameterNode.result is not None
    assert panel.ui.shareTable.rowCount == 2


def test_a_scene_that_is_closed_meanwhile_gets_no_result(
    panel, volumes, model, drive, wait_until, messages
):
    import slicer

    panel.ui.modelPathLineEdit.currentPath = str(model)
    drive.click(panel.ui.segmentButton)
    slicer.mrmlScene.Clear(0)
    before = census_of_scene()
    wait_until(lambda: not panel.jobs.isBusy, 120.0)
    slicer.app.processEvents()
    assert census_of_scene() == before
    errors.drain()


def test_a_result_that_cannot_be_read_is_said_and_leaves_the_scene(
    panel, volumes, messages, tmp_path
):
    import example_result as example

    panel.ui.modelPathLineEdit.currentPath = str(example.write_model_json(tmp_path / "model"))
    run = panel.logic._runs.prepare(panel._parameterNode, panel.logic.model)
    folder = example.write_example(run.output, example.grid(), case=run.case)
    (folder / "result.json").write_text("{}", encoding="utf-8")
    before, job = census_of_scene(), FinishedJob()
    panel.logic._running[job] = run
    with pytest.raises(CrossModalError):
        panel.onSegmented(job)
    assert "The result cannot be shown." in messages.messages[0]
    assert census_of_scene() == before
    assert panel._parameterNode.result is None


def test_handlers_that_fail_say_what_could_not_be_done(
    panel, segmented, drive, messages, monkeypatch
):
    from CIMLSegmentPanelLib.widgets import result_section

    def fail(*_arguments, **_options):
        msg = "It went wrong."
        raise RuntimeError(msg)

    segmented()
    monkeypatch.setattr(panel.logic, "match", fail)
    monkeypatch.setattr(result_section, "toggle3D", fail)
    expected = {
        "matchButton": "The volumes cannot be matched.",
        "show3DButton": "The segments cannot be shown in 3-D.",
    }
    for name, message in expected.items():
        messages.clear()
        with errors.expected(RuntimeError, "went wrong"):
            drive.click(getattr(panel.ui, name))
        assert message in messages.messages[0]
        assert "It went wrong." in messages.messages[0]
        assert getattr(panel.ui, name).enabled


# --- what is shown ----------------------------------------------------------------------------


def test_opacity_threshold_and_scale_follow_the_sliders(panel, segmented, drive):
    import slicer

    node = segmented()
    drive.click_cell(panel.ui.shareTable, 0, 0)
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    panel.ui.opacitySlider.value = 0.3
    assert red.GetForegroundOpacity() == pytest.approx(0.3)
    panel.ui.thresholdSlider.value = 50
    from CIMLSegmentPanelLib.nodes.map_nodes import mapNodes, scaleTop

    display = mapNodes(node)[0].GetScalarVolumeDisplayNode()
    top = scaleTop(node, "information")
    assert display.GetLowerThreshold() == pytest.approx(top / 2)
    assert display.GetWindowLevelMax() == pytest.approx(top)
    panel.ui.interpolateCheckBox.checked = True
    assert display.GetInterpolate()


def test_side_by_side_shows_auxiliary_and_primary_and_goes_back(panel, segmented, drive, volumes):
    import slicer

    segmented()
    before = shown_state()
    layout = slicer.app.layoutManager().layout
    panel.ui.sideBySideCheckBox.checked = True
    drive.click_cell(panel.ui.shareTable, 1, 0)
    manager = slicer.app.layoutManager()
    assert manager.layout != layout
    first, second = (
        manager.sliceWidget(f"CrossModal{number}").mrmlSliceCompositeNode() for number in (1, 2)
    )
    assert first.GetBackgroundVolumeID() == volumes["T1"].GetID()
    assert first.GetForegroundVolumeID() is not None
    assert second.GetBackgroundVolumeID() == volumes["PET"].GetID()
    assert second.GetForegroundVolumeID() is None
    for opacity in (panel.ui.opacitySlider.value, 0.3):
        panel.ui.opacitySlider.value = opacity
        slicer.app.processEvents()
        assert first.GetForegroundOpacity() == pytest.approx(opacity)  # linked views have one
    drive.click(panel.ui.removeOverlayButton)
    assert manager.layout == layout
    restored = json.loads(shown_state())
    for name, layers in json.loads(before)["layers"].items():
        assert restored["layers"][name] == layers


def test_cells_are_readable_and_tell_what_they_are(panel, segmented):
    segmented()
    table = panel.ui.shareTable
    for row in range(table.rowCount):
        item = table.item(row, 0)
        assert item.text().endswith("%")
        background, text = item.background().color(), item.foreground().color()
        contrast = abs(background.lightness() - text.lightness())
        assert contrast > 90
        assert "not clinical evidence" in item.toolTip()


def test_a_region_that_was_not_found_is_said(panel, segmented, drive, messages):
    segmented(is_empty=True)
    assert panel.ui.segmentsTable.item(0, 1).text() == "not found"
    with errors.expected(ValueError, "was not found in this case"):
        drive.click_cell(panel.ui.shareTable, 0, 0)
    assert "there is no map to show" in messages.messages[0]
    assert not panel.ui.removeOverlayButton.enabled


def test_a_map_whose_file_is_gone_is_said_and_the_views_stay(panel, segmented, drive, messages):
    import shutil

    from CIMLSegmentPanelLib.nodes.result_facts import resultFacts

    node = segmented()
    shutil.rmtree(resultFacts(node).folder)
    before = shown_state()
    with errors.expected(ValueError, "is not there any more"):
        drive.click_cell(panel.ui.shareTable, 0, 0)
    assert "The map cannot be shown." in messages.messages[0]
    assert shown_state() == before
    with errors.expected(ValueError):
        drive.click(panel.ui.loadMapsButton)
    assert "The maps cannot be read." in messages.messages[1]


def test_all_maps_can_be_added_and_deleted(panel, segmented, drive):
    segmented()
    before = census_of_scene()
    drive.click(panel.ui.loadMapsButton)
    assert panel.ui.overlayLabel.text == "7 maps are in the scene."
    drive.click_cell(panel.ui.shareTable, 0, 0)
    drive.click(panel.ui.deleteMapsButton)
    assert census_of_scene() == before
    assert not panel.ui.removeOverlayButton.enabled


def test_show_3d_shows_and_hides_the_segments(panel, segmented, drive):
    node = segmented()
    drive.click(panel.ui.show3DButton)
    assert node.GetDisplayNode().GetVisibility3D()
    assert panel.ui.show3DButton.text == "Hide 3D"
    drive.click(panel.ui.show3DButton)
    assert not node.GetDisplayNode().GetVisibility3D()


def test_volumes_are_measured_again_after_an_edit(panel, segmented, drive):
    node = segmented()
    before = float(panel.ui.segmentsTable.item(0, 1).text())
    assert before > 0
    node.GetSegmentation().GetSegment("GTV").RemoveAllRepresentations()
    drive.click(panel.ui.measureButton)
    assert panel.ui.segmentsTable.item(0, 1).text() == "not found"


def test_segment_editor_opens_on_the_result(panel, segmented, drive, volumes, messages):
    import slicer

    node = segmented()
    drive.click(panel.ui.segmentEditorButton)
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.GetSegmentationNode() is node
    assert editor.GetSourceVolumeNode() is volumes["PET"]
    slicer.util.selectModule("CIMLSegment")
    for volume in volumes.values():
        slicer.mrmlScene.RemoveNode(volume)
    with errors.expected(ValueError, "not in the scene any more"):
        drive.click(panel.ui.segmentEditorButton)
    assert "Segment Editor cannot be opened." in messages.messages[0]


def test_segment_editor_leaves_a_map_where_it_is(panel, segmented, drive):
    import slicer

    segmented()
    drive.click_cell(panel.ui.shareTable, 0, 0)
    every = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    views = [view for view in every if view.GetBackgroundVolumeID()]  # empty ones may be filled
    before = [(view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) for view in views]
    assert any(foreground for _, foreground in before)
    drive.click(panel.ui.segmentEditorButton)
    slicer.app.processEvents()
    after = [(view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) for view in views]
    assert after == before


def test_a_result_is_forgotten_with_its_segmentation(panel, segmented, drive, scene):
    from CIMLSegmentPanelLib.nodes.result_facts import resultFacts

    before = census_of_scene()
    node = segmented()
    folder = Path(resultFacts(node).folder)
    drive.click_cell(panel.ui.shareTable, 0, 0)
    scene.RemoveNode(node)
    import slicer

    slicer.app.processEvents()
    left = census_of_scene()
    left.pop("vtkMRMLSegmentationDisplayNode", None)
    assert left == before
    assert not folder.exists()
    assert not panel.ui.removeOverlayButton.enabled
    assert not panel.ui.shareTable.visible


def test_a_saved_scene_comes_back_with_matrix_and_overlay(panel, segmented, drive, tmp_path):
    import slicer

    segmented()
    drive.click_cell(panel.ui.shareTable, 0, 0)
    texts = [panel.ui.shareTable.item(row, 0).text() for row in range(2)]
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    assert not panel.ui.shareTable.visible
    slicer.util.loadScene(str(path))
    slicer.app.processEvents()
    assert [panel.ui.shareTable.item(row, 0).text() for row in range(2)] == texts
    assert panel.ui.removeOverlayButton.enabled
    drive.click(panel.ui.removeOverlayButton)
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetForegroundVolumeID() is None
    drive.click_cell(panel.ui.shareTable, 0, 0)
    assert red.GetForegroundVolumeID() is not None


@pytest.mark.parametrize("n_results", [12, pytest.param(50, marks=pytest.mark.evidence)])
def test_results_shown_and_removed_leave_nothing(panel, segmented, drive, scene, census, n_results):
    def once():
        node = segmented()
        drive.click_cell(panel.ui.shareTable, 0, 0)
        drive.click(panel.ui.removeOverlayButton)
        display = node.GetDisplayNode()
        scene.RemoveNode(node)
        scene.RemoveNode(display)

    for _ in range(3):
        once()
    before = census()
    for _ in range(n_results):
        once()
    after = census()
    assert after.grown(before) == {}
    assert after.memory_mb - before.memory_mb < 50


# --- cohorts ----------------------------------------------------------------------------------


@pytest.fixture
def cohort(panel, tmp_path):
    """Three cases of PET and CT on coarse voxels; the first is labeled."""
    from runs import write_small_cohort

    folder = write_small_cohort(tmp_path / "cohort")
    for number in (2, 3):
        (folder / f"case-000{number}" / "seg.nii.gz").unlink()
    panel._parameterNode.recordPath = str(tmp_path / "record")
    panel.ui.cohortPathLineEdit.currentPath = str(folder)
    return folder


@pytest.fixture
def inspected(panel, cohort, drive, wait_until):
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.cohort.inspection.isBusy, 60.0)
    wait_until(lambda: len(panel.cohort.table.texts()) == 3)
    return cohort


def test_a_cohort_is_inspected_and_its_cases_are_listed(panel, inspected):
    text = panel.ui.trainSummaryLabel.text
    assert text.startswith("Labeled cases: 1. Unlabeled cases: 2. Modalities: ")
    states = {name: state for name, state, _ in panel.cohort.table.texts()}
    assert states == {
        "case-0001": "labeled",
        "case-0002": "unlabeled",
        "case-0003": "unlabeled",
    }
    assert panel.ui.trainButton.enabled
    assert tool_tip(panel.ui.batchButton) == "Choose the folder of a trained model above."


def test_a_cohort_that_is_not_there_is_said(panel, drive, wait_until, messages, tmp_path):
    panel.ui.cohortPathLineEdit.currentPath = str(tmp_path / "nothing")
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.cohort.inspection.isBusy, 60.0)
    assert len(messages.messages) == 1
    assert "nothing" in messages.messages[0]
    assert not panel.ui.trainButton.enabled


def test_the_cohort_of_the_selector_is_taken_over_with_its_corrected_names(
    panel, cohort, drive, wait_until, tmp_path
):
    import slicer

    panel.ui.cohortPathLineEdit.currentPath = panel.ui.recordPathLineEdit.currentPath = ""
    slicer.util.selectModule("MDALSelector")
    selector_panel = slicer.modules.MDALSelectorWidget
    selector_panel.ui.cohortPathLineEdit.currentPath = str(cohort)
    selector_panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "other record")
    selector_panel.onNamesCorrected(["ct=MYCT"])
    slicer.util.selectModule("CIMLSegment")
    assert panel.ui.cohortPathLineEdit.currentPath == str(cohort)
    assert panel.ui.recordPathLineEdit.currentPath == str(tmp_path / "other record")
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.cohort.inspection.isBusy, 60.0)
    assert "Modalities: MYCT, PET." in panel.ui.trainSummaryLabel.text
    arguments, _output = panel.cohort.work.training(panel._parameterNode)
    assert arguments[-2:] == ["--modality", "ct=MYCT"]
    assert "--modality" in panel.cohort.work.batch(panel._parameterNode)
    panel.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    assert not panel.ui.trainButton.enabled


def test_the_fields_of_a_task_can_be_used_when_it_needs_them(panel, drive):
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import TaskPreset

    path, primary = panel.ui.taskPathLineEdit, panel.ui.primaryLineEdit
    assert not path.enabled
    assert tool_tip(path) == tool_tip(primary) == "The chosen task needs none."
    drive.choose(panel.ui.taskComboBox, TaskPreset.FILE.label())
    assert path.enabled
    assert primary.enabled
    drive.choose(panel.ui.taskComboBox, TaskPreset.SINGLE_TARGET.label())
    assert not path.enabled
    assert primary.enabled
    assert tool_tip(primary) != "The chosen task needs none."


def test_what_label_values_are_reaches_the_training(panel, inspected, tmp_path):
    from CIMLSegmentPanelLib.nodes.command_lines import trainArguments

    parameters = panel._parameterNode
    assert "label-values" not in " ".join(trainArguments(parameters, output=tmp_path))
    panel.ui.labelValuesLineEdit.text = " -1=ignore "
    assert "--label-values=-1=ignore" in trainArguments(parameters, output=tmp_path)


def test_a_training_that_cannot_start_says_why(panel, inspected, drive, wait_until, messages):
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import TaskPreset

    drive.choose(panel.ui.taskComboBox, TaskPreset.BRATS.label())
    drive.click(panel.ui.trainButton)
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 120.0)
    assert len(messages.messages) == 1
    assert panel.ui.trainStatusLabel.text.startswith("Failed: ")
    assert not panel.ui.useModelButton.enabled


def test_jobs_on_a_cohort_that_cannot_be_started_say_why(
    panel, inspected, model, messages, monkeypatch, wait_until
):
    import drive

    from CIMLSegmentPanelLib.widgets import cohort_panel

    def fail(*_arguments):
        msg = "It went wrong."
        raise RuntimeError(msg)

    panel.ui.modelPathLineEdit.currentPath = str(model)
    wait_until(lambda: panel.ui.batchButton.enabled)
    monkeypatch.setattr(panel.cohort.work, "training", fail)
    monkeypatch.setattr(panel.cohort.work, "batch", fail)
    monkeypatch.setattr(cohort_panel, "cohortJob", fail)
    for name, message in (
        ("trainButton", "The training could not be started."),
        ("batchButton", "The cases cannot be segmented."),
        ("inspectButton", "The cohort could not be inspected."),
    ):
        messages.clear()
        with errors.expected(RuntimeError, "went wrong"):
            drive.click(getattr(panel.ui, name))
        assert message in messages.messages[0]
    assert not panel.cohort.train.jobs.isBusy
    assert not panel.cohort.batch.isBusy


def test_the_time_of_a_training_is_told_before_it_begins(
    panel, inspected, drive, wait_until, messages
):
    ui = panel.ui
    assert ui.estimateButton.enabled
    ui.stepsSpinBox.setValue(40)
    ui.patchSpinBox.setValue(16)
    drive.click(ui.estimateButton)
    assert not ui.trainButton.enabled
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 240.0)
    assert messages.messages == []
    assert ui.trainStatusLabel.text == "Done."
    assert re.search(
        r" 40 steps: (a few seconds|about .*) on this CPU\.$", ui.trainSummaryLabel.text
    )
    assert not panel.cohort.work.trained
    ui.stepsSpinBox.setValue(41)  # another training
    assert "on this" not in ui.trainSummaryLabel.text


def test_length_and_patch_are_chosen_in_words_and_numbers(panel, inspected, drive, tmp_path):
    from CIMLSegmentPanelLib.nodes.command_lines import trainArguments

    ui, parameters = panel.ui, panel._parameterNode
    assert (ui.lengthComboBox.currentText, ui.patchComboBox.currentText) == (
        "Standard",
        "Medium (fits 8 GB)",
    )
    drive.choose(ui.lengthComboBox, "Quick try")
    drive.choose(ui.patchComboBox, "Small (fits 4 GB)")
    assert (ui.stepsSpinBox.value, ui.patchSpinBox.value) == (500, 64)
    arguments = trainArguments(parameters, output=tmp_path)
    assert arguments[arguments.index("--steps") + 1] == "500"
    assert arguments[arguments.index("--largest-patch") + 1] == "64"
    ui.stepsSpinBox.setValue(501)
    assert ui.lengthComboBox.currentText == "As written beside"
    drive.choose(ui.lengthComboBox, "Overnight")
    drive.choose(ui.lengthComboBox, "As written beside")  # changes nothing
    assert ui.stepsSpinBox.value == 20000


def test_a_training_can_be_cancelled(panel, inspected, drive, wait_until, messages):
    drive.click(panel.ui.trainButton)
    assert tool_tip(panel.ui.trainButton) == "A job is running. Wait, or press Cancel."
    drive.click(panel.ui.trainCancelButton)
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 5.0)
    assert panel.ui.trainStatusLabel.text == "Cancelled."
    assert messages.messages == []


def test_the_course_of_a_training_is_drawn_while_it_runs(panel, scene):
    import slicer

    for step in (50, 100, 150):
        for content in ({"step": step, "loss": 2.0 / step}, {"step": step, "dice": step / 200}):
            job = FinishedJob()
            job.result = content
            panel.cohort.train.onTrainingEvent(job)
    slicer.app.processEvents()
    curve, section = panel.cohort.work.curve, panel.cohort.train
    for plot, name, view in (
        (curve.loss, "loss", section.lossPlot.view),
        (curve.dice, "validation Dice", section.dicePlot.view),
    ):
        chart = plot.chart()
        assert chart.GetNumberOfPlotSeriesNodes() == 1  # each on an axis of its own
        assert chart.GetNthPlotSeriesNode(0).GetName() == chart.GetYAxisTitle() == name
        table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
        assert table.GetNumberOfRows() == 3
        assert view.visible
        assert view.chart().GetNumberOfPlots() == 1
    assert curve.dice.chart().GetYAxisRange() == (0.0, 1.0)
    curve.clear()
    panel.cohort.show()
    assert not section.lossPlot.view.visible
    assert panel.ui.curveHintLabel.visible


def test_the_best_model_is_offered_also_after_a_cancel(panel, inspected, drive, tmp_path):
    import example_result as example

    from MultimodalWidgetsLib.background_process import JobState

    job = FinishedJob()
    job.state = JobState.CANCELLED
    folder = example.write_model_json(tmp_path / "trained")
    panel.cohort.train.onTrainingState(job, folder)
    assert str(folder) in panel.ui.trainSummaryLabel.text
    drive.click(panel.ui.useModelButton)
    assert panel._parameterNode.modelPath == str(folder)
    assert panel.logic.model.modalities == ("PET", "CT", "T1")


def test_all_unlabelled_cases_are_segmented_and_can_be_opened(
    panel, inspected, model, drive, wait_until, messages
):
    panel.ui.modelPathLineEdit.currentPath = str(model)
    panel.ui.batchPathLineEdit.currentPath = str(inspected.parent / "results")
    wait_until(lambda: panel.ui.batchButton.enabled)
    drive.click(panel.ui.batchButton)
    wait_until(lambda: not panel.cohort.batch.isBusy, 200.0)
    assert messages.messages == []
    wait_until(lambda: len(panel.cohort.table.texts()) == 3)
    states = {name: state for name, state, _ in panel.cohort.table.texts()}
    assert states["case-0002"] == states["case-0003"] == "segmented"
    assert not panel.ui.batchButton.enabled
    row = [name for name, _, _ in panel.cohort.table.texts()].index("case-0003")
    drive.click_cell(panel.ui.batchView, row, 0, double=True)
    assert panel._parameterNode.result.GetName() == "case-0003 segmentation"
    assert set(panel.cohort.work.case.loader.volumes()) == {"PET", "CT"}
    first = [name for name, _, _ in panel.cohort.table.texts()].index("case-0001")
    drive.click_cell(panel.ui.batchView, first, 0, double=True)
    assert panel.cohort.work.case.loader.caseID == "case-0001"  # without a result


def batch_states(panel):
    return {name: state for name, state, _ in panel.cohort.table.texts()}


def test_results_that_are_there_already_are_found_when_their_model_is_chosen(
    panel, inspected, wait_until, tmp_path
):
    import example_result as example

    results = tmp_path / "results"
    example.write_example(results, example.grid(), case="case-0003")
    panel.ui.modelPathLineEdit.currentPath = str(example.write_model_json(tmp_path / "model"))
    panel.ui.batchPathLineEdit.currentPath = str(results)
    assert tool_tip(panel.ui.batchButton) == "Looking for existing results…"
    wait_until(lambda: batch_states(panel)["case-0003"] == "segmented")
    assert "To be segmented: 1." in panel.ui.batchSummaryLabel.text
    assert panel.ui.batchButton.enabled
    panel.ui.batchPathLineEdit.currentPath = str(tmp_path / "other")
    wait_until(lambda: batch_states(panel)["case-0003"] == "unlabeled")
    assert "To be segmented: 2." in panel.ui.batchSummaryLabel.text


def test_results_that_cannot_be_looked_for_do_not_lock_the_button(
    panel, inspected, model, wait_until, monkeypatch, tmp_path
):
    def fail(_folder):
        yield from ()
        msg = "The disk is gone."
        raise OSError(msg)

    monkeypatch.setattr(panel.cohort.work.cases, "find", fail)
    with errors.expected(OSError, "disk is gone"):
        panel.ui.modelPathLineEdit.currentPath = str(model)
        wait_until(lambda: not panel.cohort.work._isSearching)
    panel.updateButtons()
    assert panel.ui.batchButton.enabled


def test_a_result_of_another_case_is_shown_over_its_own_images_alone(
    panel, inspected, segmented, drive, wait_until, tmp_path
):
    import example_result as example
    import slicer

    results = tmp_path / "results"
    example.write_example(results, example.grid(), task_name="pet-ct", case="case-0003")
    former = segmented()
    drive.click_cell(panel.ui.shareTable, 0, 0)
    panel.ui.batchPathLineEdit.currentPath = str(results)
    wait_until(lambda: batch_states(panel)["case-0003"] == "segmented")
    row = [name for name, _, _ in panel.cohort.table.texts()].index("case-0003")
    drive.click_cell(panel.ui.batchView, row, 0, double=True)
    node = panel._parameterNode.result
    assert node.GetName() == "case-0003 segmentation"
    pet = panel.cohort.work.case.loader.volumes()["PET"]
    for name in ("Red", "Green", "Yellow"):
        view = slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
        assert view.GetBackgroundVolumeID() == pet.GetID()
        assert view.GetForegroundVolumeID() is None
    assert not former.GetDisplayNode().GetVisibility()
    assert node.GetDisplayNode().GetVisibility()
    assert panel.ui.overlayLabel.isHidden()


def test_models_in_folders_of_one_name_have_results_of_their_own(
    panel, inspected, wait_until, tmp_path
):
    import example_result as example

    folders = set()
    for place, step in (("a", 5), ("b", 5), ("b", 9)):
        folder = example.write_model_json(tmp_path / place / "model", "pet-ct-mr")
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content |= {"model_id": f"{place}0123456789", "step": step}
        (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
        panel._parameterNode.modelPath = str(folder)
        folders.add(panel.cohort.work.resultFolder(panel._parameterNode))
    names = sorted(folder.name for folder in folders)
    assert names == ["model-a0123456-5", "model-b0123456-5", "model-b0123456-9"]


def test_a_result_that_arrives_leaves_the_chosen_row(panel, inspected, drive, tmp_path):
    import example_result as example

    folder = example.write_example(tmp_path / "results", example.grid(), case="case-0002")
    view = panel.ui.batchView
    view.sortByColumn(0, 1)
    drive.click_cell(view, 0, 0)
    job = FinishedJob()
    job.result, job.arguments = (
        {"folder": str(folder)},
        ("CIMLSegmentLib", "segment", str(inspected)),
    )
    panel.cohort.onBatchEvent(job)
    texts = panel.cohort.table.texts()
    assert [row[:2] for row in texts] == [
        ("case-0003", "unlabeled"),
        ("case-0002", "segmented"),
        ("case-0001", "labeled"),
    ]
    assert "ml" in texts[1][2]
    assert view.currentIndex().row() == 0


@pytest.mark.cohort
@pytest.mark.evidence  # half a minute; phantoms on three grids are segmented above
def test_a_patient_on_three_native_grids_becomes_a_segmentation_with_overlays(
    panel, large_model, drive, wait_until, messages, real_cohorts
):
    import slicer

    case = real_cohorts / "sts51_native" / "STS_001"
    if not case.is_dir():
        pytest.skip("The cohort sts51_native is not here.")
    for name in ("pet", "ct", "t1"):
        slicer.util.loadVolume(str(case / f"{name}.nii.gz"), {"name": f"STS_001_{name}"})
    slicer.app.processEvents()
    panel.ui.modelPathLineEdit.currentPath = str(large_model)
    assert panel.ui.segmentButton.enabled, tool_tip(panel.ui.segmentButton)
    drive.click(panel.ui.segmentButton)
    wait_until(lambda: not panel.jobs.isBusy, 900.0)
    assert messages.messages == []
    before = shown_state()
    for row in range(panel.ui.shareTable.rowCount):
        drive.click_cell(panel.ui.shareTable, row, 0)
        assert panel.ui.overlayLabel.text.startswith("Influence ")
    drive.click(panel.ui.removeOverlayButton)
    assert shown_state() == before
