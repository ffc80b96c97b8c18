"""The models that come with the program in the panel: to segment with, and to start from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "Testing" / "Helpers"))


@pytest.fixture
def included(monkeypatch, tmp_path, host):
    """One model comes with the program, and one that cannot be read."""
    import example_result as example

    from CIMLSegmentLib.model import shipped_models

    monkeypatch.setattr(shipped_models, "_PLACES", (tmp_path / "models",))
    folder = example.write_model_json(tmp_path / "models" / "balls")
    (folder / "model-card.md").write_text("# Balls\n", encoding="utf-8")
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "model.json").write_text("{", encoding="utf-8")
    return folder


@pytest.fixture
def panel(scene, load_module):
    load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    panel = load_module(ROOT / "CIMLSegment" / "CIMLSegment.py")
    panel.ui.trainCollapsibleButton.collapsed = False
    return panel


def menu_of(button, drive):
    import slicer

    drive.click(button)
    menu = slicer.app.activePopupWidget()
    assert menu is not None
    return menu


def test_an_included_model_is_chosen_from_a_list(panel, included, drive):
    panel.updateButtons()
    menu = menu_of(panel.ui.includedButton, drive)
    good, broken = menu.actions()
    assert (good.text, broken.text) == ("balls (PET, CT, T1)", "broken")
    assert "Research only." in good.toolTip
    assert not broken.enabled
    assert "model.safetensors are not there" in broken.toolTip
    drive.choose_entry(menu, "balls (PET, CT, T1)")
    assert panel.logic.getParameterNode().modelPath == str(included)
    assert "Research only: read model-card.md in its folder." in panel.ui.modelSummaryLabel.text
    assert panel.ui.startPathLineEdit.currentPath == ""


def test_a_training_starts_from_an_included_model(panel, included, drive, tmp_path):
    from CIMLSegmentPanelLib.nodes.command_lines import trainArguments

    panel.updateButtons()
    parameters = panel.logic.getParameterNode()
    assert "--from" not in trainArguments(parameters, output=tmp_path)
    menu = menu_of(panel.ui.startIncludedButton, drive)
    drive.choose_entry(menu, "balls (PET, CT, T1)")
    arguments = trainArguments(parameters, output=tmp_path)
    assert arguments[arguments.index("--from") + 1] == str(included)
    assert parameters.modelPath == ""
    panel.ui.startPathLineEdit.currentPath = ""
    assert "--from" not in trainArguments(parameters, output=tmp_path)


def test_what_a_model_started_from_is_said(panel, included, tmp_path):
    from dataclasses import replace

    import example_result as example

    from CIMLSegmentLib.model.model_description import (
        ModelFacts,
        StartedFrom,
        description_from_json,
        description_to_json,
    )

    begun = replace(
        example.describe_model(), facts=ModelFacts(started_from=StartedFrom("balls", "1c0ffee5", 3))
    )
    assert description_from_json(description_to_json(begun), where="here") == begun
    folder = example.write_model_json(tmp_path / "mine", description=begun)
    panel.ui.modelPathLineEdit.currentPath = str(folder)
    assert "Started from balls." in panel.ui.modelSummaryLabel.text
    assert "Research only" not in panel.ui.modelSummaryLabel.text


def test_without_included_models_the_buttons_say_so(panel, included):
    shutil.rmtree(included.parent)
    panel.updateButtons()
    for button in (panel.ui.includedButton, panel.ui.startIncludedButton):
        assert not button.enabled
        assert "No model came with this copy" in button.toolTip


def test_a_folder_that_holds_no_model_cannot_be_started_from(
    panel, included, tmp_path, monkeypatch
):
    work, parameters = panel.cohort.work, panel.logic.getParameterNode()
    cases = type("Cases", (), {"n_labelled": 1, "n_labelled_tests": 0})
    monkeypatch.setattr(work, "_inspected", lambda: cases)
    parameters.startPath = str(tmp_path)
    assert "holds no model to start from" in work._trainingProblem(parameters)
    parameters.startPath = str(included)
    assert work._trainingProblem(parameters) == ""
