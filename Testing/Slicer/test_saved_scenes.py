"""Scenes that earlier versions saved open in both panels of this one."""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "Testing" / "Data").glob("version-*"))
SAVED_IN = "/data/crossmodal"  # where the files were when the scene was saved
RUN = Path("cohort/.crossmodal/runs/001-DiverseMD-4")
N_CASES, N_MAPS = 32, 8
STATES = {"case-01": "labelled", "case-20": "in progress", "case-21": "skipped"}


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def saved(request, tmp_path):
    """A copy of what a version saved, whose scene names the files of the copy."""
    folder = tmp_path / "saved"
    shutil.copytree(request.param, folder)
    (folder / "record").rename(folder / "cohort" / ".crossmodal")
    file = folder / "scene.mrb"
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder / "moved.mrb", "w") as archive:
        for name, content in parts.items():
            moved = content.replace(SAVED_IN.encode(), os.fsencode(folder))
            archive.writestr(name, moved if name.endswith(".mrml") else content)
    return folder


@pytest.fixture
def panels(scene, load_module, messages):
    """Both panels in an empty scene."""
    selector = load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    segmenter = load_module(ROOT / "CIMLSegment" / "CIMLSegment.py")
    for name in dir(segmenter.ui):
        if name.endswith("CollapsibleButton"):
            getattr(segmenter.ui, name).collapsed = False
    yield selector, segmenter
    segmenter.logic.browser.remove()


def ranks(saved):
    with (saved / RUN / "selection.csv").open(encoding="utf-8", newline="") as file:
        return [row["case"] for row in csv.DictReader(file)]


def open_scene(file, panel, wait_until):
    import slicer

    slicer.util.loadScene(str(file))
    wait_until(lambda: len(panel.cases.visibleCases()) == N_CASES, 30.0)
    slicer.app.processEvents()


def test_the_ranking_is_shown_again_with_plot_states_pictures_and_open_case(
    panels, saved, wait_until, messages
):
    import slicer

    panel, _ = panels
    slicer.util.selectModule("MDALSelector")
    open_scene(saved / "moved.mrb", panel, wait_until)
    assert [row.case_id for row in panel.cases.rows] == ranks(saved)
    assert [row.rank for row in panel.cases.rows] == list(range(1, N_CASES + 1))
    states = {row.case_id: row.state.value for row in panel.cases.rows}
    assert {name: states[name] for name in STATES} == STATES
    assert all(row.modality_difference is not None for row in panel.cases.rows)
    assert panel.ui.trustLabel.text.startswith("Trust the ranking")
    assert panel._parameterNode.cohortPath == str(saved / "cohort")
    assert panel.logic.ranking.pictureFolder == saved / RUN / "thumbnails"
    assert panel.plot.view.chart().GetNumberOfPlots() >= 4
    first = ranks(saved)[0]
    assert panel.logic.loader.caseID == first
    assert list(panel.logic.loader.volumes()) == ["FLAIR", "T1c"]
    assert messages.messages == []


def test_the_result_is_found_again_with_its_matrix_and_every_map(
    panels, saved, wait_until, drive, messages
):
    import slicer

    selector, panel = panels
    open_scene(saved / "moved.mrb", selector, wait_until)
    node = panel._parameterNode.result
    assert node.GetName() == "case-30_FLAIR segmentation"
    rows = range(panel.ui.segmentsTable.rowCount)
    assert [panel.ui.segmentsTable.item(row, 0).text() for row in rows] == ["Whole tumor", "Core"]
    assert all(float(panel.ui.segmentsTable.item(row, 1).text()) > 0 for row in rows)
    assert not panel.ui.shareTable.isHidden()
    assert panel._parameterNode.modelPath.startswith(str(saved))
    assert "Validation Dice" in panel.ui.modelSummaryLabel.text
    assert panel.ui.removeOverlayButton.enabled  # a map was shown when the scene was saved
    drive.click(panel.ui.loadMapsButton)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    maps = [volume for volume in volumes if volume.GetAttribute("CIMLSegment.Map")]
    assert len(maps) == N_MAPS
    assert all(slicer.util.arrayFromVolume(volume).max() > 0 for volume in maps)
    cells = [
        (r, c)
        for r in range(panel.ui.shareTable.rowCount)
        for c in range(panel.ui.shareTable.columnCount)
    ]
    filled = [cell for cell in cells if panel.ui.shareTable.item(*cell).text().endswith("%")]
    assert len(filled) == 2
    drive.click_cell(panel.ui.shareTable, *filled[0])
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetForegroundVolumeID() is not None
    assert messages.messages == []


def test_a_scene_without_its_files_still_shows_ranking_and_result(
    panels, saved, wait_until, messages
):
    selector, panel = panels
    open_scene(saved / "scene.mrb", selector, wait_until)
    assert [row.case_id for row in selector.cases.rows] == ranks(saved)
    assert panel._parameterNode.result.GetName() == "case-30_FLAIR segmentation"
    assert not panel.ui.shareTable.isHidden()
    assert messages.messages == []
