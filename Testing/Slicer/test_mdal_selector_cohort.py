"""The MDALSelector panel on a real cohort, from an empty scene to a scene that was read again."""

from __future__ import annotations

from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "MDALSelector" / "MDALSelector.py"

pytestmark = pytest.mark.cohort


def texts(panel):
    model = panel.ui.casesTableView.model()
    rows, columns = range(model.rowCount()), range(model.columnCount())
    return [[model.data(model.index(row, column)) for column in columns] for row in rows]


@pytest.fixture
def panel(scene, load_module, tmp_path):
    panel = load_module(MODULE)
    for name in ("cohort", "selection", "cases", "plot", "labeling"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    panel.ui.advancedGroupBox.collapsed = False
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "record")
    return panel


@pytest.fixture
def rank(panel, wait_until, messages):
    """Return a function that ranks a cohort from its folder to the list."""

    def rank(folder):
        import drive

        drive.browse(panel.ui.cohortPathLineEdit, str(folder), messages)
        drive.click(panel.ui.inspectButton)
        wait_until(lambda: not panel.inspection.isBusy, 120.0)
        drive.choose(panel.ui.estimatorComboBox, "Gaussian (closed form)")
        drive.click(panel.ui.startButton)
        wait_until(lambda: not panel.jobs.isBusy, 300.0)
        assert panel.ui.statusLabel.text == "Done.", messages.messages
        wait_until(lambda: panel.cases.rows[0].rank == 1 and panel.cases.visibleCases())
        panel.ui.casesCollapsibleButton.collapsed = False

    return rank


@pytest.mark.evidence  # a minute
def test_a_real_cohort_from_the_folder_to_a_saved_scene(
    panel, rank, wait_until, messages, real_cohorts, tmp_path
):
    import drive
    import slicer

    rank(real_cohorts / "sts51")
    suggested = [row for row in panel.cases.rows if row.state.value == "suggested"]
    assert [row.rank for row in suggested] == list(range(1, 12))  # 20% of 51, rounded up
    drive.click_cell(panel.ui.casesTableView, 0, 1, double=True)
    assert panel.logic.loader.caseID == suggested[0].case_id
    assert list(panel.logic.loader.volumes()) == ["CT", "PET", "T1"]

    before, rows, trust = texts(panel), panel.cases.rows, panel.ui.trustLabel.text
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    wait_until(lambda: panel.cases.rows == [])
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    wait_until(lambda: len(panel.cases.visibleCases()) == 51)
    assert texts(panel) == before
    assert panel.cases.rows == rows
    assert panel.ui.trustLabel.text == trust
    assert panel.logic.loader.caseID == suggested[0].case_id
    assert panel.plot.view.chart().GetNumberOfPlots() > 1
    assert messages.messages == []
