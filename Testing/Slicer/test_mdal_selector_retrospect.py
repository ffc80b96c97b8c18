"""The section "Would it have helped?" of the MDALSelector panel, clicked through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from plain_text import tool_tip

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "MDALSelector" / "MDALSelector.py"
FIELDS = ("budgetsLineEdit", "learnerComboBox", "drawsSpinBox")


@pytest.fixture(scope="module")
def cohort(host, tmp_path_factory):
    """Twelve labeled cases."""
    from labelled_toy import toy_cohort

    return toy_cohort(tmp_path_factory.mktemp("toy"), n_cases=12)


@pytest.fixture
def panel(scene, load_module, messages, tmp_path):
    panel = load_module(MODULE)
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "record")
    for name in ("cohort", "cases", "plot", "labeling"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = True
    for name in ("selection", "retrospect"):
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


def quick(ui):
    """Settings with which a run takes seconds."""
    ui.budgetsLineEdit.text = "4"
    ui.drawsSpinBox.value = 2


DIFFERENCES = {"DiverseMD": -0.01, "CSCS": 0.012, "Random": 0.0}


def result(folder: Path, budgets=("10%", "20%"), differences=DIFFERENCES) -> Path:
    """Write a ready-made result and return its folder."""
    from MDALSelectorLib.retrospect.outcomes import Outcome, RandomBand
    from MDALSelectorLib.retrospect.retrospective import Retrospective
    from MDALSelectorLib.retrospect.run_files import write_retrospective

    def outcome(strategy, budget, difference):
        ends = (difference - 0.02, difference + 0.03)
        return Outcome(strategy, budget, 0.6, difference, *ends, 0.0, 0.01, 0.01, 0.9, 0.5, 20)

    outcomes = [
        outcome(strategy, budget, value * (budget + 1))
        for budget in range(len(budgets))
        for strategy, value in differences.items()
    ]
    found = Retrospective(
        cohort="toy",
        modalities=("T1", "T2"),
        learner="linear",
        budgets=budgets,
        bands=tuple(RandomBand(4.0, 0.6, 0.5, 0.7, 0.05, 0.8) for _ in budgets),
        outcomes=tuple(outcomes),
        areas=(),
        main_budget=len(budgets) - 1,
        sentence="On toy at 20%, DiverseMD is 0.020 below the median random draw.",
        notes=("The learner is a proxy.",),
        n_cases=12,
        n_patients=12,
        configuration={},
        versions={},
    )
    folder.mkdir(parents=True)
    write_retrospective(folder, found)
    (folder / "retrospect.html").write_text("<html></html>", encoding="utf-8")
    return folder


def shown(panel):
    table = panel.retrospect._table
    n_columns = panel.ui.retrospectView.model().columnCount()
    return [[table.text(r, c) for c in range(n_columns)] for r in range(table.rowCount())]


# --- what hinders ----------------------------------------------------------------------------


def test_before_an_inspection_the_section_says_what_to_do(panel):
    ui = panel.ui
    assert ui.retrospectHintLabel.text == "Press Inspect in Cohort first."
    for name in (*FIELDS, "retrospectButton"):
        assert not getattr(ui, name).enabled
        assert tool_tip(getattr(ui, name)) == "Press Inspect in Cohort first."
    assert tool_tip(ui.useStrategyButton) == "There is no result yet: press Start."
    assert not ui.retrospectPageButton.enabled
    assert ui.retrospectView.isHidden()
    assert ui.verdictLabel.isHidden()


def test_too_few_labels_are_told_with_what_to_do(panel, know, tmp_path):
    from runs import write_small_cohort

    know(write_small_cohort(tmp_path / "small", 3))
    text = panel.ui.retrospectHintLabel.text
    assert "10 at least, found 3" in text
    assert "Label more cases" in text
    assert tool_tip(panel.ui.retrospectButton) == text
    assert not any(getattr(panel.ui, name).enabled for name in (*FIELDS, "retrospectButton"))


def test_labels_of_the_record_count(panel, know, tmp_path):
    from runs import write_small_cohort

    cohort = write_small_cohort(tmp_path / "small", 10)
    labels = tmp_path / "record" / "labels"
    labels.mkdir(parents=True)
    for case in ("case-0001", "case-0002"):
        (cohort / case / "seg.nii.gz").replace(labels / f"{case}.nii.gz")
    know(cohort)
    assert panel.ui.retrospectHintLabel.text.startswith("10 labeled cases.")
    assert panel.ui.retrospectButton.enabled


def test_no_budget_is_told(panel, know, cohort):
    know(cohort)
    assert panel.ui.retrospectButton.enabled
    panel.ui.budgetsLineEdit.text = " "
    assert tool_tip(panel.ui.retrospectButton) == "Write at least one budget, such as 20%."


# --- runs ------------------------------------------------------------------------------------


def test_the_command_line_understands_what_the_panel_asks_for(panel):
    from MDALSelectorLib.__main__ import build_parser
    from MDALSelectorLib.commands.retrospect import config_from_options
    from MDALSelectorLib.retrospect.config import LEARNERS
    from MultimodalSlicerLib.selection_parameters import Device, Learner, retrospectArguments

    parameters = panel._parameterNode
    parameters.cohortPath = "/data/cohort"
    parameters.corrections = ["t1_gd=T1c"]
    parameters.scoreColumn = "score"
    parameters.device = Device.CPU
    quick(panel.ui)
    assert [learner.value for learner in Learner] == list(LEARNERS)
    for learner in Learner:
        parameters.learner = learner
        options = build_parser().parse_args(retrospectArguments(parameters)[1:])
        config = config_from_options(options)
        assert (config.budgets, config.n_draws, config.learner) == (("4",), 2, learner.value)
        assert (config.network is not None) == (learner.value == "network")
        assert config.network is None or config.network.device == "cpu"
        assert config.modality_patterns == ("t1_gd=T1c",)
        assert config.score_column == "score"
        assert config.record == Path(parameters.recordPath)
        assert options.events


def test_a_run_goes_from_the_labels_to_the_strategy_of_the_next_selection(
    panel, know, drive, wait_until, messages, cohort
):
    ui = panel.ui
    know(cohort)
    quick(ui)
    drive.click(ui.retrospectButton)
    assert tool_tip(ui.retrospectButton) == "A job is running. Wait, or press Cancel."
    seen = set()

    def is_over():
        seen.add(ui.retrospectStatusLabel.text.partition(":")[0])
        return not panel.retrospect.jobs.isBusy

    wait_until(is_over, 300.0)
    assert ui.retrospectStatusLabel.text == "Done.", messages.messages
    assert any("rain and test" in text for text in seen), seen
    assert "at 4," in ui.verdictLabel.text
    assert "proxy" in tool_tip(ui.verdictLabel)
    wait_until(lambda: panel.retrospect._table.isFilled)
    rows = shown(panel)
    assert {"ALPS", "KCenter", "Random"} <= {row[0] for row in rows}
    assert all("\n" in row[1] for row in rows)
    assert Path(panel._parameterNode.retrospectRun).name == "001-retrospect"

    assert ui.usedStrategyLabel.text == "The selection uses DiverseMD."
    assert tool_tip(ui.useStrategyButton) == "Choose a strategy in the table."
    row = [row[0] for row in rows].index("KCenter")
    drive.click_cell(ui.retrospectView, row, 0)
    assert ui.strategyComboBox.currentText == "DiverseMD"  # never silently
    drive.click(ui.useStrategyButton)
    assert ui.strategyComboBox.currentText == "KCenter"
    assert ui.usedStrategyLabel.text == "The selection uses KCenter."
    assert tool_tip(ui.useStrategyButton) == "The selection uses KCenter already."
    drive.click(ui.retrospectPageButton)
    page = Path(panel._parameterNode.retrospectRun) / "retrospect.html"
    assert messages.messages == [f"open {page.as_uri()}"]


@pytest.mark.evidence  # test_cancelled_retrospect cancels without a panel
def test_cancel_ends_a_run_and_start_goes_on_in_its_folder(
    panel, know, drive, wait_until, cohort, tmp_path
):
    from MDALSelectorLib.retrospect.run_files import is_unfinished

    know(cohort)
    quick(panel.ui)
    drive.click(panel.ui.retrospectButton)
    jobs, runs = panel.retrospect.jobs, tmp_path / "record" / "runs"
    wait_until(lambda: any(map(is_unfinished, runs.glob("*"))), 120.0)
    drive.click(panel.ui.retrospectCancelButton)
    wait_until(lambda: not jobs.isBusy, 2.5)
    assert panel.ui.retrospectStatusLabel.text == "Cancelled."
    assert panel.ui.retrospectView.isHidden()
    assert panel.ui.retrospectButton.enabled
    drive.click(panel.ui.retrospectButton)
    wait_until(lambda: not jobs.isBusy, 300.0)
    assert panel.ui.retrospectStatusLabel.text == "Done."
    assert [path.name for path in runs.iterdir()] == ["001-retrospect"]


def test_an_impossible_budget_is_told_by_the_command(
    panel, know, drive, wait_until, messages, cohort
):
    know(cohort)
    panel.ui.budgetsLineEdit.text = "many"
    drive.click(panel.ui.retrospectButton)
    wait_until(lambda: not panel.retrospect.jobs.isBusy, 120.0)
    assert panel.ui.retrospectStatusLabel.text.startswith("Failed: ")
    assert "many" in panel.ui.retrospectStatusLabel.text
    assert len(messages.messages) == 1
    assert panel.ui.retrospectButton.enabled


def test_a_result_of_a_cohort_that_was_left_meanwhile_is_not_shown(panel, tmp_path):
    class Done:
        arguments = ("MDALSelectorLib", "retrospect", "/data/former")
        result = {"run": str(tmp_path)}  # noqa: RUF012

    panel.ui.cohortPathLineEdit.currentPath = "/data/other"
    panel.retrospect.onDone(Done())
    assert panel._parameterNode.retrospectRun == ""


def test_a_run_that_ends_in_the_folder_of_the_one_before_is_shown_anew(
    panel, know, cohort, wait_until, tmp_path
):
    folder = result(tmp_path / "record" / "runs" / "001-retrospect", ("20%",))
    know(cohort)
    wait_until(lambda: len(shown(panel)) == len(DIFFERENCES))
    shutil.rmtree(folder)
    result(folder, ("20%",), {"CSCS": 0.02})

    class Done:
        arguments = ("MDALSelectorLib", "retrospect", str(cohort))
        result = {"run": str(folder)}  # noqa: RUF012

    panel.retrospect.onDone(Done())
    wait_until(lambda: [row[0] for row in shown(panel)] == ["CSCS"])


# --- results that come back --------------------------------------------------------------------


def test_the_last_result_of_a_cohort_is_shown_when_one_comes_back_to_it(
    panel, know, cohort, wait_until, tmp_path
):
    result(tmp_path / "record" / "runs" / "001-retrospect", ("20%",))
    last = result(tmp_path / "record" / "runs" / "010-retrospect")
    (tmp_path / "record" / "runs" / "011-retrospect").mkdir()
    know(cohort)
    assert panel._parameterNode.retrospectRun == str(last)
    wait_until(lambda: panel.retrospect._table.isFilled)
    minus = "\N{MINUS SIGN}"
    assert shown(panel) == [
        ["CSCS", f"+0.012\n{minus}0.008 to +0.042", "+0.024\n+0.004 to +0.054"],
        ["Random", f"0.000\n{minus}0.020 to +0.030", f"0.000\n{minus}0.020 to +0.030"],
        [
            "DiverseMD",
            f"{minus}0.010\n{minus}0.030 to +0.020",
            f"{minus}0.020\n{minus}0.040 to +0.010",
        ],
    ]
    assert "below the median random draw" in panel.ui.verdictLabel.text


def test_a_result_is_saved_with_the_scene_and_goes_with_the_cohort(
    panel, know, cohort, wait_until, tmp_path
):
    import slicer
    from runs import write_small_cohort

    result(tmp_path / "record" / "runs" / "001-retrospect")
    know(cohort)
    text = panel.ui.verdictLabel.text
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    wait_until(panel.ui.verdictLabel.isHidden)
    assert panel.ui.retrospectView.isHidden()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    wait_until(lambda: panel.ui.verdictLabel.text == text)
    assert not panel.ui.retrospectView.isHidden()
    assert panel.ui.retrospectHintLabel.text == "Press Inspect in Cohort first."
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "other record")
    know(write_small_cohort(tmp_path / "other", 3))
    assert panel.ui.verdictLabel.isHidden()


def test_a_result_that_is_gone_or_damaged_is_said(panel, know, cohort, drive, wait_until, tmp_path):
    run = result(tmp_path / "record" / "runs" / "001-retrospect")
    know(cohort)
    (run / "retrospect.html").unlink()
    panel._parameterNode.retrospectRun = ""
    panel._parameterNode.retrospectRun = str(run)
    assert "not there any more" in tool_tip(panel.ui.retrospectPageButton)
    file = run / "retrospect.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**content, "version": 99}), encoding="utf-8")
    panel._parameterNode.retrospectRun = ""
    panel._parameterNode.retrospectRun = str(run)
    assert "Run the command again." in panel.ui.verdictLabel.text
    assert panel.ui.retrospectView.isHidden()
    assert not panel.ui.useStrategyButton.enabled


def test_draws_that_no_selection_knows_cannot_be_used(
    panel, know, drive, cohort, tmp_path, wait_until
):
    differences = {"SiteStratifiedRandom": 0.01, "MinMD": 0.0}
    result(tmp_path / "record" / "runs" / "001-retrospect", differences=differences)
    know(cohort)
    wait_until(lambda: panel.retrospect._table.isFilled)
    drive.click_cell(panel.ui.retrospectView, 0, 0)
    button = panel.ui.useStrategyButton
    assert not button.enabled
    assert "SiteStratifiedRandom is there to compare with" in tool_tip(button)
    drive.click_cell(panel.ui.retrospectView, 1, 0)
    assert button.enabled
