"""The local PMI map in the MDALSelector panel, clicked through."""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_text import tool_tip

MODULE = Path(__file__).parents[2] / "MDALSelector" / "MDALSelector.py"
N_CASES = 11  # two of them are suggested


@pytest.fixture(scope="module")
def cohort(host, tmp_path_factory):
    from runs import write_small_cohort

    return write_small_cohort(tmp_path_factory.mktemp("maps") / "cohort", N_CASES)


@pytest.fixture
def panel(scene, load_module, messages, cohort, wait_until, tmp_path):
    """The panel with a ranking whose first two cases have maps."""
    from runs import Inspected, write_mapped_run

    write_mapped_run(tmp_path / "record" / "runs" / "001-DiverseMD", N_CASES)
    panel = load_module(MODULE)
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "record")
    panel.ui.cohortPathLineEdit.currentPath = str(cohort)
    for name in ("cohort", "selection", "plot"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = True
    for name in ("cases", "labeling"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    panel.onInspected(Inspected(cohort))
    wait_until(lambda: len(panel.cases.visibleCases()) == N_CASES)
    yield panel
    panel.logic.case.close()


@pytest.fixture
def opened(panel, drive):
    """The first case is open."""
    drive.click_cell(panel.ui.casesTableView, 0, 1, double=True)
    return panel


def shown(panel):
    """Names of the volumes over the images, view by view."""
    import slicer

    views = panel.logic.layout.compositeNodes()[:2]
    nodes = (slicer.mrmlScene.GetNodeByID(v.GetForegroundVolumeID() or "none") for v in views)
    return [node.GetName() if node is not None else "" for node in nodes]


def slice_offsets():
    import slicer

    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    nodes = (slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLSliceNode") for n in range(count))
    return {node.GetName(): node.GetSliceOffset() for node in nodes}


def test_without_an_open_case_the_row_says_what_to_do(panel):
    for name in ("showMapCheckBox", "mapComboBox", "mapOpacitySlider", "leastFitButton"):
        widget = getattr(panel.ui, name)
        assert not widget.enabled
        assert tool_tip(widget) == "Load a case first."
    assert panel.ui.mapLabel.isHidden()


def test_a_click_shows_the_map_over_the_first_image_with_words_and_a_legend(opened, drive):
    import slicer

    ui, case = opened.ui, opened.logic.loader.caseID
    assert shown(opened) == ["", ""]
    assert tool_tip(ui.leastFitButton) == "Show the map first."
    drive.click(ui.showMapCheckBox)
    assert shown(opened) == [f"{case} CT and PET", ""]
    assert "CT and PET tell about each other" in ui.mapLabel.text
    assert "nats" in ui.mapLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 1
    drive.click(ui.showMapCheckBox)
    assert shown(opened) == ["", ""]
    assert ui.mapLabel.isHidden()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0


def drawn(number):
    """The pixels of one of the case's views, red, green and blue."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    view = slicer.app.layoutManager().sliceWidget(f"CrossModal{number}").sliceView()
    view.forceRender()
    reader = vtk.vtkWindowToImageFilter()
    reader.SetInput(view.interactor().GetRenderWindow())
    reader.ReadFrontBufferOff()
    reader.Update()
    return vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()).astype(int)


def test_the_map_is_drawn_in_blue_where_modalities_differ(opened, drive):
    def n_colored(number):
        red, _, blue = drawn(number)[:, :3].T
        return int((blue > red + 40).sum()), int((red > blue + 40).sum())

    drive.click(opened.ui.showMapCheckBox)
    drive.click(opened.ui.leastFitButton)  # the last slice, where most is below the median
    blue, orange = n_colored(1)
    assert blue > 1000
    assert blue > 3 * orange
    assert n_colored(2) == (0, 0)


def test_opacity_follows_the_slider(opened, drive):
    drive.click(opened.ui.showMapCheckBox)
    opened.ui.mapOpacitySlider.value = 0.25
    assert opened.logic.layout.compositeNodes()[0].GetForegroundOpacity() == pytest.approx(0.25)
    assert opened.logic.layout.compositeNodes()[1].GetForegroundVolumeID() is None


def test_all_slices_go_to_the_least_fit(opened, drive):
    drive.click(opened.ui.showMapCheckBox)
    before = slice_offsets()
    drive.click(opened.ui.leastFitButton)
    own = {name for name in slice_offsets() if name.startswith("CrossModal")}
    assert {slice_offsets()[name] for name in own} == {5.0 * 19}  # the last of 20 slices
    assert before != slice_offsets()


def test_the_next_case_has_its_own_map_and_a_case_without_one_says_why(opened, drive):
    view, ui = opened.ui.casesTableView, opened.ui
    drive.click(ui.showMapCheckBox)
    drive.click_cell(view, 1, 1, double=True)
    second = opened.logic.loader.caseID
    assert shown(opened) == [f"{second} CT and PET", ""]
    drive.click_cell(view, 4, 1, double=True)
    assert shown(opened) == ["", ""]
    assert not ui.mapLabel.isHidden()
    assert ui.mapLabel.text == tool_tip(ui.showMapCheckBox) == tool_tip(ui.leastFitButton)
    assert "Press Start again." in ui.mapLabel.text
    assert not ui.showMapCheckBox.enabled
    drive.click_cell(view, 0, 1, double=True)
    assert shown(opened)[0].startswith(opened.logic.loader.caseID)
    drive.click(ui.closeCaseButton)
    assert opened.logic.overlay.node is None
    assert ui.mapLabel.isHidden()


@pytest.mark.parametrize("helper", ["map", "display", "table", "legend", "image"])
def test_a_node_that_is_deleted_by_hand_leaves_no_error(opened, drive, wait_until, helper):
    import slicer

    ui = opened.ui
    drive.click(ui.showMapCheckBox)
    node = opened.logic.overlay.node
    nodes = {
        "map": node,
        "display": node.GetDisplayNode(),
        "table": node.GetDisplayNode().GetColorNode(),
        "legend": slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLColorLegendDisplayNode"),
        "image": next(iter(opened.logic.loader.volumes().values())),
    }
    slicer.mrmlScene.RemoveNode(nodes[helper])
    slicer.app.processEvents()
    if helper == "map":
        wait_until(lambda: not ui.showMapCheckBox.checked)
        assert ui.mapLabel.isHidden()
    ui.mapOpacitySlider.value = 0.4
    drive.click(ui.casesCollapsibleButton)
    drive.click(ui.casesCollapsibleButton)
    opened.updateButtons()
    if helper != "image":
        ui.showMapCheckBox.checked = False
        drive.click(ui.showMapCheckBox)
        assert shown(opened)[0] != ""
    drive.click(ui.closeCaseButton)
    assert opened.logic.overlay.node is None


def test_closing_the_scene_takes_all_away_and_a_saved_one_brings_the_map_back(
    opened, drive, wait_until, tmp_path
):
    import slicer

    drive.click(opened.ui.showMapCheckBox)
    name = shown(opened)[0]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    wait_until(lambda: opened.cases.rows == [])
    assert opened.logic.overlay.node is None
    assert not opened.ui.showMapCheckBox.checked
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    wait_until(lambda: len(opened.cases.visibleCases()) == N_CASES)
    assert opened.ui.showMapCheckBox.checked
    assert opened.logic.overlay.node.GetName() == name
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 1


def test_a_map_that_cannot_be_read_is_told_in_the_row(opened, drive, messages, tmp_path):
    for file in (tmp_path / "record").rglob("pmi_*.nii.gz"):
        file.write_bytes(b"no image")
    drive.click(opened.ui.showMapCheckBox)
    assert shown(opened) == ["", ""]
    assert "pmi_1_CT_PET.nii.gz" in opened.ui.mapLabel.text
    assert not opened.ui.showMapCheckBox.enabled
    assert messages.messages == []


def test_segment_editor_keeps_the_map(opened, drive):
    import slicer

    drive.click(opened.ui.showMapCheckBox)
    before = shown(opened)
    drive.click(opened.ui.segmentEditorButton)
    slicer.app.processEvents()
    assert shown(opened) == before
    slicer.util.selectModule("MDALSelector")
    assert shown(opened) == before


def test_maps_leave_nothing_behind(opened, drive, census):
    drive.click(opened.ui.showMapCheckBox)
    drive.click(opened.ui.showMapCheckBox)
    before = census()
    for _ in range(5):
        drive.click(opened.ui.showMapCheckBox)
        drive.click(opened.ui.showMapCheckBox)
    grown = census().grown(before)
    assert not {name for name in grown if name.startswith("vtkMRML")}, grown
    assert "observers" not in grown
    assert "widgets" not in grown
