"""What the MDALSelector panel says of acquisition and of labels so far, and what it offers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from plain_text import tool_tip

MODULE = Path(__file__).parents[2] / "MDALSelector" / "MDALSelector.py"
N_CASES = 6
EVIDENCE = {"text": "Among the 12 labeled cases, MinMD did best.", "offered": "MinMD"}


@pytest.fixture
def manifest(host, tmp_path):
    """Cases of two sites."""
    from runs import write_small_cohort

    folder = write_small_cohort(tmp_path / "cohort", N_CASES)
    rows = ["case,CT,PET,site"]
    for number, case in enumerate(sorted(folder.iterdir())):
        rows.append(f"{case.name},{case / 'ct.nii.gz'},{case / 'pet.nii.gz'},S{number % 2}")
    path = folder / "cohort.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def panel(scene, load_module, messages, manifest, wait_until, tmp_path):
    from runs import Inspected

    panel = load_module(MODULE)
    for name in ("selection", "cases"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    panel.ui.advancedGroupBox.collapsed = False
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "record")
    panel.ui.cohortPathLineEdit.currentPath = str(manifest)
    assert entries(panel) == ["all cases"]
    panel.onInspected(Inspected(manifest))
    wait_until(lambda: len(panel.cases.visibleCases()) == N_CASES)
    return panel


@pytest.fixture
def select(panel, wait_until, tmp_path):
    """Return a function that shows a ready-made run as a finished job does."""

    def select(evidence=None, **diagnostics):
        from runs import make_selection

        from MDALSelectorLib.selection.run_folder import write_selection

        made = make_selection(N_CASES)
        found = replace(made.diagnostics, **diagnostics)
        write_selection(tmp_path / "run", replace(made, diagnostics=found))

        class Done:
            arguments = ("MDALSelectorLib", "select", panel._parameterNode.cohortPath)
            result = {"run": str(tmp_path / "run")}  # noqa: RUF012

        if evidence is not None:
            Done.result["evidence"] = evidence
        panel.onSelected(Done())
        wait_until(lambda: panel.cases.rows[0].rank == 1)

    return select


def entries(panel):
    box = panel.ui.withinComboBox
    return [box.itemText(index) for index in range(box.count)]


def test_the_groupings_of_the_cohort_can_be_chosen_and_reach_the_command(panel, drive):
    from MDALSelectorLib.__main__ import build_parser
    from MultimodalSlicerLib.selection_parameters import selectArguments

    assert entries(panel) == ["all cases", "site (2 groups)"]
    assert "--within" not in selectArguments(panel._parameterNode)
    drive.choose(panel.ui.withinComboBox, "site (2 groups)")
    assert panel._parameterNode.within == "site"
    options = build_parser().parse_args(selectArguments(panel._parameterNode)[1:])
    assert options.within == "site"
    drive.choose(panel.ui.withinComboBox, "all cases")
    assert panel._parameterNode.within == ""


def test_a_grouping_is_kept_with_the_scene_also_before_an_inspection(panel, drive, tmp_path):
    import slicer

    drive.choose(panel.ui.withinComboBox, "site (2 groups)")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert entries(panel) == ["all cases"]
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    assert entries(panel) == ["all cases", "site"]
    assert panel.ui.withinComboBox.currentText == "site"


def test_an_order_that_follows_acquisition_is_said_with_what_to_do(panel, select):
    select(acquisition_shares={"site": 0.496, "scanner": 0.1}, followed=("site",))
    lines = panel.ui.trustLabel.text.splitlines()
    assert lines[0].startswith("The ranking can be trusted")
    assert lines[1].startswith("site explains 50% of the order")
    assert "'Compare within'" in lines[1]
    assert "scanner" not in panel.ui.trustLabel.text


def test_an_order_that_does_not_is_not_mentioned(panel, select):
    select(acquisition_shares={"site": 0.1})
    assert len(panel.ui.trustLabel.text.splitlines()) == 1
    assert panel.ui.evidenceLabel.isHidden()
    assert panel.ui.offeredStrategyButton.isHidden()


def test_labels_that_speak_for_another_strategy_offer_it_and_switch_nothing(panel, select, drive):
    ui = panel.ui
    select(EVIDENCE)
    assert ui.evidenceLabel.text == EVIDENCE["text"]
    assert ui.offeredStrategyButton.text == "Use MinMD next"
    assert ui.strategyComboBox.currentText == "DiverseMD"
    drive.click(ui.offeredStrategyButton)
    assert ui.strategyComboBox.currentText == "MinMD"
    assert not ui.offeredStrategyButton.enabled
    assert tool_tip(ui.offeredStrategyButton) == "The selection uses MinMD already."
    drive.choose(ui.strategyComboBox, "DiverseMD")
    assert ui.offeredStrategyButton.enabled


def test_labels_that_speak_for_nothing_offer_nothing(panel, select):
    select({"text": "This is no reason to change the strategy.", "offered": None})
    assert panel.ui.evidenceLabel.text.endswith("to change the strategy.")
    assert panel.ui.offeredStrategyButton.isHidden()


def test_what_labels_say_is_saved_with_the_ranking(panel, select, wait_until, tmp_path):
    import slicer

    select(EVIDENCE, acquisition_shares={"site": 0.5}, followed=("site",))
    trust = panel.ui.trustLabel.text
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    wait_until(panel.ui.evidenceLabel.isHidden)
    assert panel.ui.offeredStrategyButton.isHidden()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    wait_until(lambda: panel.ui.evidenceLabel.text == EVIDENCE["text"])
    assert panel.ui.trustLabel.text == trust
    assert not panel.ui.offeredStrategyButton.isHidden()
