"""The MDALSelector panel, driven as a user drives it: in Slicer, or outside it in the host."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from plain_text import tool_tip
from slicer_host import errors

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "MDALSelector" / "MDALSelector.py"


@pytest.fixture(scope="session")
def small_cohort(host, tmp_path_factory):
    from runs import write_small_cohort

    return write_small_cohort(tmp_path_factory.mktemp("small") / "cohort")


@pytest.fixture(scope="session")
def phantom_cohort(host, tmp_path_factory):
    """Twelve phantoms with four modalities: the smallest cohort that can be ranked."""
    from MDALSelectorLib.synthetic_cohort import write_cohort

    return write_cohort(tmp_path_factory.mktemp("phantoms"), n_cases=12, seed=0)


@pytest.fixture
def panel(scene, load_module, messages, tmp_path):
    """The panel in an empty scene; the record is a folder of the test."""
    panel = load_module(MODULE)
    panel.ui.recordPathLineEdit.currentPath = str(tmp_path / "record")
    for name in ("cohort", "selection", "cases", "plot", "labeling", "report", "setup"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    for name in ("advancedGroupBox", "logGroupBox"):
        getattr(panel.ui, name).collapsed = False
    return panel


@pytest.fixture
def inspect(panel, drive, wait_until):
    """Return a function that inspects a cohort and waits for the table."""

    def inspect(path):
        panel.ui.cohortPathLineEdit.currentPath = str(path)
        drive.click(panel.ui.inspectButton)
        wait_until(lambda: not panel.inspection.isBusy, 60.0)
        if panel.cohort.report is not None:
            n_cases = panel.cohort.report.n_cases
            wait_until(lambda: len(panel.cases.visibleCases()) == n_cases)

    return inspect


class FinishedJob:
    """What the panel needs of a job that is done."""

    def __init__(self, result, cohort="cohort"):
        self.result = result
        self.arguments = ("MDALSelectorLib", "inspect", str(cohort))


@pytest.fixture
def finished(panel):
    """Return a function that makes a job of the present cohort that is done."""
    return lambda result: FinishedJob(result, panel.logic.getParameterNode().cohortPath)


@pytest.fixture
def know(panel, wait_until):
    """Return a function that shows a cohort as after an inspection, without its job."""

    def know(path):
        from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

        panel.ui.cohortPathLineEdit.currentPath = str(path)
        content = inspect_cohort(Path(path)).to_json()
        panel.onInspected(FinishedJob(content, path))
        wait_until(lambda: len(panel.cases.visibleCases()) == content["n_cases"])

    return know


@pytest.fixture
def show_run(panel, wait_until, tmp_path, finished):
    """Return a function that shows a ready-made run of some cases."""

    def show_run(n_cases, **options):
        from runs import write_run

        run = write_run(tmp_path / f"run{n_cases}", n_cases, **options)
        panel.onSelected(finished({"run": str(run)}))
        wait_until(lambda: len(panel.cases.visibleCases()) == n_cases, 30.0)
        return run

    return show_run


STATE, CLASS, DIFFERENCE, PICTURE, FLAGS = range(2, 7)  # columns


def row_texts(panel):
    model = panel.ui.casesTableView.model()
    columns = range(model.columnCount())
    return [
        [str(model.data(model.index(row, column)) or "") for column in columns]
        for row in range(model.rowCount())
    ]


def states(panel):
    return {row.case_id: row.state.value for row in panel.cases.rows}


# --- an empty panel ---------------------------------------------------------------------------


def test_an_empty_panel_says_what_to_do_next(panel):
    ui = panel.ui
    assert "Choose the folder" in ui.cohortSummaryLabel.text
    assert tool_tip(ui.inspectButton) == "Choose the folder of a cohort."
    for name in ("inspect", "start", "cancel", "loadCase", "closeCase", "openReport", "export"):
        button = getattr(ui, f"{name}Button")
        assert not button.enabled
        assert tool_tip(button).endswith(".")
    assert not ui.plotHintLabel.isHidden()
    assert ui.currentCaseLabel.text == "No case is open."


def test_every_disabled_button_gives_a_reason_and_every_enabled_one_says_what_it_does(
    panel, know, small_cohort
):
    before = tool_tip(panel.ui.startButton)
    know(small_cohort)
    assert panel.ui.startButton.enabled
    assert tool_tip(panel.ui.startButton) != before
    assert tool_tip(panel.ui.startButton).startswith("Rank the cases")


def test_choices_of_the_panel_are_kept_in_the_scene(panel, drive):
    ui, parameters = panel.ui, panel._parameterNode
    drive.choose(ui.strategyComboBox, "TypiClust")
    drive.choose(ui.budgetUnitComboBox, "cases")
    drive.choose(ui.estimatorComboBox, "Gaussian (closed form)")
    drive.choose(ui.deviceComboBox, "CPU")
    ui.budgetSpinBox.value = 7
    ui.seedSpinBox.value = 3
    ui.cohortPathLineEdit.currentPath = "/data/cohort"
    from MultimodalSlicerLib.selection_parameters import selectArguments

    record = ui.recordPathLineEdit.currentPath
    assert selectArguments(parameters) == [
        *("MDALSelectorLib", "select", "/data/cohort", "--events"),
        *("--budget", "7", "--strategy", "TypiClust", "--seed", "3"),
        *("--estimator", "gaussian", "--labelled", "auto", "--device", "cpu", "--record", record),
    ]
    assert "typical" in ui.strategyHintLabel.text


def test_every_estimator_can_be_chosen_and_is_what_the_command_gets(panel, drive):
    from MDALSelectorLib.estimation.config import ESTIMATORS
    from MultimodalSlicerLib.selection_parameters import Estimator, selectArguments

    panel.ui.cohortPathLineEdit.currentPath = "/data/cohort"
    labels = [estimator.label() for estimator in Estimator]
    assert len({*labels}) == len(ESTIMATORS)
    for label, name in zip(labels, ESTIMATORS, strict=True):
        assert label != name  # words, not the option
        drive.choose(panel.ui.estimatorComboBox, label)
        arguments = selectArguments(panel._parameterNode)
        assert arguments[arguments.index("--estimator") + 1] == name


def test_paths_belong_to_their_scene(panel, tmp_path):
    import slicer

    names = ("cohortPath", "recordPath")
    for name in names:
        getattr(panel.ui, f"{name}LineEdit").currentPath = str(tmp_path / name)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert {getattr(panel._parameterNode, name) for name in names} == {""}
    for name in names:
        getattr(panel.ui, f"{name}LineEdit").currentPath = str(tmp_path / "of another scene")
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    for name in names:
        assert getattr(panel._parameterNode, name) == str(tmp_path / name)
        assert getattr(panel.ui, f"{name}LineEdit").currentPath == str(tmp_path / name)


def test_the_strategies_and_estimators_are_those_of_the_command():
    from MDALSelectorLib.estimation.config import ESTIMATORS
    from MDALSelectorLib.selection.config import LABELLED_RULES
    from MDALSelectorLib.strategies import STRATEGIES
    from MultimodalSlicerLib.selection_parameters import Estimator, LabelledRule, Strategy

    assert [strategy.value for strategy in Strategy] == list(STRATEGIES)
    assert [estimator.value for estimator in Estimator] == list(ESTIMATORS)
    assert [rule.value for rule in LabelledRule] == list(LABELLED_RULES)
    assert all(strategy.hint().endswith(".") for strategy in Strategy)
    # Scenes of earlier versions keep these names.
    saved = "DIVERSE_MD MAX_MD RANDOM ALPS TYPI_CLUST K_CENTER VOXEL_NMI MIN_MD SCORE"
    assert set(saved.split()) <= {strategy.name for strategy in Strategy}


def test_the_command_line_understands_what_the_panel_asks_for(panel):
    from MDALSelectorLib.__main__ import build_parser
    from MultimodalSlicerLib.selection_parameters import inspectArguments, selectArguments

    parameters = panel._parameterNode
    parameters.cohortPath = "/data/cohort"
    parameters.corrections = ["t1_gd=T1c", "foo=label"]
    parameters.acceptedCases = ["A", "B"]
    parameters.keepsModalityNames = True
    parameters.scoreColumn = "entropy"
    options = build_parser().parse_args(selectArguments(parameters)[1:])
    assert options.modality == ["t1_gd=T1c", "foo=label"]
    assert options.accept == ["A", "B"]
    assert options.budget == "20%"
    assert options.score_column == "entropy"
    assert options.device is None
    options = build_parser().parse_args(inspectArguments(parameters)[1:])
    assert options.save_modalities
    assert options.events


# --- cohort -----------------------------------------------------------------------------------


def test_inspecting_shows_cases_names_geometry_and_problems(panel, inspect, small_cohort):
    inspect(small_cohort)
    assert "3 cases" in panel.ui.cohortSummaryLabel.text
    assert panel.cases.visibleCases() == ["case-0001", "case-0002", "case-0003"]
    names = panel.ui.namesTable
    assert {names.item(row, 1).text() for row in range(names.rowCount)} == {"CT", "PET", "label"}
    assert panel.cohort._geometry.rowCount() == 3
    times = "\N{MULTIPLICATION SIGN}"
    assert f"22{times}24{times}20, 4{times}4{times}5 mm, LPS" in panel.cohort._geometry.text(0, 3)
    assert panel.ui.cohortTabs.tabText(2) == "Problems (0)"
    assert panel.ui.inspectStatusLabel.text == "Done."
    assert panel.ui.statusLabel.text == ""


def test_a_folder_is_chosen_with_the_browse_button(panel, drive, messages, small_cohort):
    drive.browse(panel.ui.cohortPathLineEdit, str(small_cohort), messages)
    assert panel._parameterNode.cohortPath == str(small_cohort)
    assert panel.ui.inspectButton.enabled


def test_a_manifest_is_chosen_in_place_of_a_folder(panel, drive, messages):
    messages.files.append("/data/cohort.csv")
    drive.click(panel.ui.manifestButton)
    assert panel._parameterNode.cohortPath == "/data/cohort.csv"
    drive.click(panel.ui.manifestButton)  # nothing chosen
    assert panel._parameterNode.cohortPath == "/data/cohort.csv"


def test_a_folder_that_is_no_cohort_is_told_and_the_panel_stays_usable(
    panel, inspect, messages, tmp_path
):
    (tmp_path / "empty").mkdir()
    inspect(tmp_path / "empty")
    assert panel.ui.inspectStatusLabel.text.startswith("Failed: ")
    assert panel.ui.cohortSummaryLabel.text.startswith("Choose the folder")  # said once
    assert len(messages.messages) == 1
    assert panel.ui.inspectButton.enabled
    assert not panel.ui.startButton.enabled


def test_problems_are_whole_in_as_many_lines_as_they_need(panel, know, small_cohort, tmp_path):
    import shutil

    cohort = shutil.copytree(small_cohort, tmp_path / "cohort")
    (cohort / "case-0003" / "ct.nii.gz").write_bytes(b"x")
    know(cohort)
    view = panel.ui.problemsView
    model = view.model()
    assert [model.headerData(n, qt_horizontal()) for n in range(2)] == ["Severity", "Problem"]
    assert "ends after 1 byte." in model.data(model.index(0, 1))
    assert view.rowHeight(0) > 2 * view.fontMetrics().height()


def qt_horizontal():
    import qt

    return qt.Qt.Horizontal


def test_a_report_that_makes_no_sense_is_told(panel, messages, finished):
    with pytest.raises(ValueError, match="Inspect it again"):
        panel.onInspected(finished({"summary": "?"}))
    assert "The cohort cannot be shown." in messages.messages[0]


def test_a_corrected_name_counts_when_the_cohort_is_inspected_again(
    panel, inspect, drive, wait_until, small_cohort
):
    inspect(small_cohort)
    names = panel.ui.namesTable
    row = next(row for row in range(names.rowCount) if names.item(row, 0).text() == "ct")
    names.item(row, 1).setText("CTA")
    assert "Press Inspect again" in panel.ui.cohortSummaryLabel.text
    assert list(panel._parameterNode.corrections) == ["ct=CTA"]
    inspect(small_cohort)
    assert panel.cohort.report.modalities == ("CTA", "PET")
    drive.click(panel.ui.resetNamesButton)
    wait_until(lambda: not panel.inspection.isBusy, 30.0)
    assert panel.cohort.report.modalities == ("CT", "PET")
    assert list(panel._parameterNode.corrections) == []


# --- jobs -------------------------------------------------------------------------------------


def test_a_selection_runs_from_the_folder_to_the_highlighted_list(
    panel, know, drive, wait_until, phantom_cohort
):
    know(phantom_cohort)
    drive.choose(panel.ui.budgetUnitComboBox, "cases")
    panel.ui.budgetSpinBox.value = 3
    drive.choose(panel.ui.estimatorComboBox, "Gaussian (closed form)")
    seen = []
    panel.ui.statusLabel.text = ""
    drive.click(panel.ui.startButton)
    assert not panel.ui.startButton.enabled
    assert tool_tip(panel.ui.startButton) == "A job is running. Wait, or press Cancel."
    assert panel.ui.cancelButton.enabled

    def is_over():
        seen.append(panel.ui.statusLabel.text)
        return not panel.jobs.isBusy

    wait_until(is_over, 120.0)
    assert panel.ui.statusLabel.text == "Done."
    assert any(" of 12" in text for text in seen)
    assert any(text.startswith("Step 2 of ") for text in seen)
    wait_until(lambda: panel.cases.rows[0].rank == 1)
    assert [row.state.value for row in panel.cases.rows[:3]] == ["suggested"] * 3
    assert [row.rank for row in panel.cases.rows] == list(range(1, 13))
    assert all(row.files for row in panel.cases.rows)
    assert Path(panel.logic.ranking.run).is_dir()
    assert panel.ui.openReportButton.enabled
    assert "record of the cohort" in panel.ui.logTextEdit.toPlainText()
    assert not panel.ui.trustLabel.isHidden()


def test_jobs_that_cannot_be_started_say_why(
    panel, know, small_cohort, drive, messages, monkeypatch
):
    def fail(*_arguments):
        msg = "It went wrong."
        raise RuntimeError(msg)

    know(small_cohort)
    monkeypatch.setattr(panel.logic, "inspection", fail)
    monkeypatch.setattr(panel.logic, "selection", fail)
    for name, message in (
        ("inspectButton", "The cohort could not be inspected."),
        ("startButton", "The selection could not be started."),
    ):
        messages.clear()
        with errors.expected(RuntimeError, "went wrong"):
            drive.click(getattr(panel.ui, name))
        assert message in messages.messages[0]
        assert getattr(panel.ui, name).enabled


def test_an_impossible_budget_is_told_by_the_command(
    panel, know, drive, wait_until, messages, small_cohort
):
    know(small_cohort)
    drive.choose(panel.ui.budgetUnitComboBox, "cases")
    panel.ui.budgetSpinBox.value = 50
    drive.click(panel.ui.startButton)
    wait_until(lambda: not panel.jobs.isBusy, 60.0)
    assert "50" in panel.ui.statusLabel.text
    assert "Exit code: 2" in messages.messages[0]
    assert panel.ui.startButton.enabled


@pytest.mark.parametrize("button", ["inspectButton", "startButton"])
def test_cancel_ends_a_job_at_once_and_the_panel_stays_usable(
    panel, know, drive, wait_until, small_cohort, button
):
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    know(small_cohort)
    ui = panel.ui
    section, cancel, label = {
        "inspectButton": (panel.inspection, ui.inspectCancelButton, ui.inspectStatusLabel),
        "startButton": (panel.jobs, ui.cancelButton, ui.statusLabel),
    }[button]
    drive.click(getattr(panel.ui, button))
    drive.click(cancel)
    assert label.text in {"Cancelling…", "Cancelled."}
    wait_until(lambda: not section.isBusy, 2.5)
    assert label.text == "Cancelled."
    assert getattr(panel.ui, button).enabled
    CohortRecord(Path(panel._parameterNode.recordPath)).read_states()


def test_cancel_in_the_middle_of_a_stage_leaves_a_valid_record(
    panel, know, drive, wait_until, small_cohort
):
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    know(small_cohort)
    drive.click(panel.ui.startButton)
    wait_until(lambda: panel.jobs.job.progress is not None, 60.0)
    drive.click(panel.ui.cancelButton)
    wait_until(lambda: not panel.jobs.isBusy, 2.5)
    assert panel.ui.statusLabel.text == "Cancelled."
    assert CohortRecord(Path(panel._parameterNode.recordPath)).read_states().entries == {}


def test_a_job_goes_on_while_another_module_is_shown(
    panel, inspect, drive, wait_until, small_cohort
):
    import slicer

    panel.ui.cohortPathLineEdit.currentPath = str(small_cohort)
    drive.click(panel.ui.inspectButton)
    slicer.util.selectModule("Data")
    wait_until(lambda: not panel.inspection.isBusy, 60.0)
    slicer.util.selectModule("MDALSelector")
    assert "3 cases" in panel.ui.cohortSummaryLabel.text
    assert panel.ui.startButton.enabled
    assert panel._parameterNode.cohortPath == str(small_cohort)


def test_a_selection_waits_for_another_long_job_and_says_so_while_an_inspection_does_not(
    panel, inspect, drive, wait_until, small_cohort
):
    from MultimodalWidgetsLib.background_process import BackgroundProcess
    from MultimodalWidgetsLib.job_queue import jobQueue

    other = BackgroundProcess(["timeit", "-n1", "-r1", "-s", "import time", "time.sleep(600)"],
                              title="Train", owner="CIMLSegment")  # fmt: skip
    jobQueue().submit(other)
    inspect(small_cohort)
    assert panel.ui.inspectStatusLabel.text == "Done."
    drive.click(panel.ui.startButton)
    assert panel.ui.statusLabel.text == "Waiting for: Train"
    assert panel.ui.inspectButton.enabled
    drive.click(panel.ui.cancelButton)  # the one that waits, alone
    assert panel.ui.statusLabel.text == "Cancelled."
    assert other.isRunning
    other.cancel()
    wait_until(lambda: not jobQueue().jobs, 10.0)


def test_a_result_that_names_no_run_is_told(panel, messages, finished):
    with pytest.raises(ValueError, match="no run folder"):
        panel.onSelected(finished(None))
    assert "The ranking cannot be shown." in messages.messages[0]


def test_a_run_that_is_gone_is_told(panel, messages, tmp_path, finished):
    from MultimodalImagingLib.errors import CohortError

    with pytest.raises(CohortError):
        panel.onSelected(finished({"run": str(tmp_path / "gone")}))
    assert "gone" in messages.messages[0]


def test_a_ranking_of_a_cohort_that_was_left_meanwhile_is_not_shown(panel, tmp_path):
    from runs import write_run

    panel.ui.cohortPathLineEdit.currentPath = "/data/other"
    run = write_run(tmp_path / "run", 3)
    panel.onSelected(FinishedJob({"run": str(run)}, "/data/former"))
    assert panel.cases.rows == []
    assert "/data/former" in panel.ui.statusLabel.text


def test_cases_of_a_cohort_that_was_left_meanwhile_are_not_shown(panel, small_cohort, know):
    from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

    know(small_cohort)
    panel.ui.cohortPathLineEdit.currentPath = "/data/other"
    panel.onInspected(FinishedJob(inspect_cohort(small_cohort).to_json(), "/data/former"))
    assert "/data/former" in panel.ui.inspectStatusLabel.text
    assert not panel.logic.isInspected("/data/former")


def test_inspecting_another_cohort_takes_the_former_ranking_away(ranked, know, tmp_path):
    from runs import write_small_cohort

    know(write_small_cohort(tmp_path / "other", 2))
    assert [row.rank for row in ranked.cases.rows] == [None, None]
    assert ranked.logic.ranking.run == ""
    assert not ranked.ui.openReportButton.enabled


def test_inspecting_again_shows_the_states_of_the_record(ranked, know, small_cohort, tmp_path):
    from MultimodalImagingLib.record.cohort_record import CaseState, open_record

    case = ranked.cases.rows[0].case_id
    open_record(small_cohort, folder=tmp_path / "record").change_states({case: CaseState.LABELLED})
    know(small_cohort)
    assert states(ranked)[case] == "labelled"
    assert [row.rank for row in ranked.cases.rows] == [1, 2, 3]


def test_the_last_run_of_a_cohort_is_opened_when_one_comes_back_to_it(
    panel, know, small_cohort, tmp_path
):
    from runs import write_run

    write_run(tmp_path / "record" / "runs" / "001-DiverseMD", 3)
    last = write_run(tmp_path / "record" / "runs" / "002-MaxMD", 3)
    (tmp_path / "record" / "runs" / "003-broken").mkdir()
    know(small_cohort)
    assert panel.logic.ranking.run == str(last)
    assert [row.rank for row in panel.cases.rows] == [1, 2, 3]
    assert all(row.files for row in panel.cases.rows)


# --- the table --------------------------------------------------------------------------------


def test_suggested_cases_come_first_with_state_bar_and_reason(panel, show_run):
    show_run(20)
    texts = row_texts(panel)
    assert [row[0] for row in texts] == [str(n) for n in range(1, 21)]
    assert [row[2] for row in texts[:5]] == ["suggested"] * 4 + ["check pairing"]
    assert texts[4][FLAGS] == "check pairing"
    assert texts[19][DIFFERENCE] == ""
    index = panel.cases._model.item(4, FLAGS)
    assert "4 nats too little" in index.toolTip()


def number(text):
    """Read a number of the list, which writes a true minus sign as the report does."""
    assert "-" not in text
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_differences_below_zero_have_a_true_minus_sign(panel, show_run):
    show_run(20)
    texts = [row[DIFFERENCE] for row in row_texts(panel) if row[DIFFERENCE]]
    values = [round(row.modality_difference or 0.0, 2) for row in panel.cases.rows]
    below = sum(value < 0.0 for value in values)
    assert below > 1
    assert sum(text.startswith("\N{MINUS SIGN}") for text in texts) == below


def test_clicking_a_title_sorts_numbers_as_numbers_and_unknown_ones_last(panel, show_run, drive):
    show_run(20)
    view = panel.ui.casesTableView
    view.sortByColumn(DIFFERENCE, 0)
    values = [number(row[DIFFERENCE]) for row in row_texts(panel) if row[DIFFERENCE]]
    assert values == sorted(values)
    view.sortByColumn(DIFFERENCE, 1)
    values = [number(row[DIFFERENCE]) for row in row_texts(panel) if row[DIFFERENCE]]
    assert values == sorted(values, reverse=True)
    assert row_texts(panel)[-1][DIFFERENCE] == ""
    view.sortByColumn(0, 0)
    assert [row[0] for row in row_texts(panel)][:11] == [str(n) for n in range(1, 12)]


def test_the_filter_finds_names_and_flags_in_any_case(panel, show_run, drive):
    show_run(20)
    drive.type_text(panel.ui.filterLineEdit, "CASE-0007")
    assert panel.cases.visibleCases() == ["case-0007"]
    panel.ui.filterLineEdit.text = "nats too"
    assert len(panel.cases.visibleCases()) == 1
    panel.ui.filterLineEdit.text = "("
    assert panel.cases.visibleCases() == []
    panel.ui.filterLineEdit.text = ""
    assert len(panel.cases.visibleCases()) == 20


def test_the_state_filter_shows_one_state(panel, show_run, drive):
    show_run(20)
    drive.choose(panel.ui.stateFilterComboBox, "suggested")
    assert {states(panel)[case] for case in panel.cases.visibleCases()} == {"suggested"}
    assert len(panel.cases.visibleCases()) == 4
    panel.ui.filterLineEdit.text = panel.cases.visibleCases()[0]
    assert len(panel.cases.visibleCases()) == 1
    panel.ui.filterLineEdit.text = ""
    drive.choose(panel.ui.stateFilterComboBox, "all states")
    assert len(panel.cases.visibleCases()) == 20


def test_the_count_is_that_of_the_rows_that_are_shown(panel, show_run, drive):
    import slicer

    def is_true():
        shown, total = len(panel.cases.visibleCases()), len(panel.cases.rows)
        return panel.ui.countLabel.text == f"{shown} of {total} cases"

    assert panel.ui.countLabel.text == "0 of 0 cases"
    show_run(20)
    assert panel.ui.countLabel.text == "20 of 20 cases"
    drive.type_text(panel.ui.filterLineEdit, "case-000")
    assert panel.ui.countLabel.text == "9 of 20 cases"
    drive.choose(panel.ui.stateFilterComboBox, "suggested")
    assert is_true()
    panel.ui.filterLineEdit.text = ""
    assert panel.ui.countLabel.text == "4 of 20 cases"
    drive.choose(panel.ui.stateFilterComboBox, "check pairing")
    assert panel.ui.countLabel.text == "1 of 20 cases"
    panel.cases.selectCase(panel.cases.visibleCases()[0])
    drive.click(panel.ui.acceptPairingButton)
    assert panel.ui.countLabel.text == "0 of 20 cases"
    drive.choose(panel.ui.stateFilterComboBox, "all states")
    show_run(15)
    assert panel.ui.countLabel.text == "15 of 15 cases"
    slicer.mrmlScene.Clear(0)
    assert panel.ui.countLabel.text == "0 of 0 cases"


def test_the_state_is_written_and_not_told_by_color_alone(panel, show_run):
    import qt

    show_run(20)
    for row in range(20):
        item = panel.cases._model.item(row, STATE)
        assert item.text() in {"suggested", "check pairing", "unlabeled"}
        assert item.data(qt.Qt.DecorationRole) is not None
    color = panel.cases._model.item(0, 1).background().color()
    assert 0 < color.alpha() < 128  # lets the palette's own background through, dark or light


def test_pictures_are_loaded_for_the_rows_that_can_be_seen(panel, show_run, wait_until):
    import qt

    show_run(200)

    def loaded():
        return [
            row
            for row in range(200)
            if panel.cases._model.item(row, PICTURE).data(qt.Qt.DecorationRole) is not None
        ]

    wait_until(lambda: len(loaded()) > 0)
    assert len(loaded()) < 60
    panel.ui.casesTableView.scrollToBottom()
    wait_until(lambda: 199 in loaded())


def test_pictures_of_rows_that_are_about_to_go_are_not_looked_for(panel, show_run, wait_until):
    show_run(3)
    table = panel.cases
    others = [replace(row, case_id=f"other-{row.case_id}") for row in table.rows]
    table.setRows(others, pictureFolder=panel.logic.ranking.pictureFolder)
    assert table._model.rowCount() == 3  # still those of before
    table._loadPictures()  # as its timer does, meanwhile
    wait_until(lambda: set(table.visibleCases()) == {row.case_id for row in others})


def test_a_run_without_pictures_hides_their_column(panel, show_run):
    show_run(5, with_pictures=False)
    view = panel.ui.casesTableView
    assert view.isColumnHidden(PICTURE)
    assert view.isColumnHidden(CLASS)  # only in cohorts to classify
    header = view.horizontalHeader()
    widths = [header.sectionSize(column) for column in range(view.model().columnCount())]
    assert header.length() == sum(widths)  # no gap where the pictures would be


# --- the plot ---------------------------------------------------------------------------------


def pick(panel, series_name, index):
    """Select a point of a chart as its mouse interaction does."""
    import vtk

    chart = panel.plot.view.chart()
    plots = [chart.GetPlot(n) for n in range(chart.GetNumberOfPlots())]
    plot = next(plot for plot in plots if plot.GetLabel() == series_name)
    selection = vtk.vtkIdTypeArray()
    selection.InsertNextValue(index)
    plot.SetSelection(selection)
    chart.InvokeEvent(vtk.vtkCommand.SelectionChangedEvent)


def test_every_state_is_a_series_of_the_plot(panel, show_run):
    from MultimodalSlicerLib.table_nodes import seriesByName

    show_run(20)
    series = seriesByName(panel.logic.ranking.plot.chart())
    assert list(series) == ["unlabeled", "suggested", "check pairing"]
    assert panel.ui.plotHintLabel.isHidden()


def test_outliers_do_not_squeeze_the_others_and_are_named(panel, show_run, wait_until):
    from dataclasses import replace

    show_run(20)
    rows = panel.logic.rows()
    usual = [row.modality_difference for row in rows if row.modality_difference is not None]
    rows[4] = replace(rows[4], measures={"modality difference": 400.0})
    panel.logic.ranking.update(rows)
    panel.showRanking()
    chart = panel.logic.ranking.plot.chart()
    assert not chart.GetYAxisRangeAuto()
    assert chart.GetYAxisRange()[1] < max(usual) + 1
    assert rows[4].case_id in panel.ui.plotHintLabel.text
    rows[4] = replace(rows[4], measures={"modality difference": 0.0})
    panel.logic.ranking.update(rows)
    panel.showRanking()
    assert chart.GetYAxisRangeAuto()
    assert panel.ui.plotHintLabel.isHidden()


def test_picking_a_point_picks_the_row(panel, show_run, wait_until):
    from MultimodalSlicerLib.table_nodes import pointLabels, seriesByName

    show_run(20)
    [case] = pointLabels(seriesByName(panel.logic.ranking.plot.chart())["suggested"], [2])
    assert panel.cases.currentCase() != case
    pick(panel, "suggested", 2)
    wait_until(lambda: panel.cases.currentCase() == case)
    assert pointLabels(seriesByName(panel.logic.ranking.plot.chart())["selected"], [0]) == [case]


def test_picking_a_row_marks_the_point_and_tells_the_reason(panel, show_run, drive):
    from MultimodalSlicerLib.table_nodes import pointLabels, seriesByName

    show_run(20)
    drive.click_cell(panel.ui.casesTableView, 3, 1)
    case = panel.cases.currentCase()
    selected = seriesByName(panel.logic.ranking.plot.chart())["selected"]
    assert pointLabels(selected, [0]) == [case]
    assert "number 4 of 20" in panel.ui.reasonLabel.text
    drive.click_cell(panel.ui.casesTableView, 4, 1)
    assert "check pairing: CT and PET" in panel.ui.reasonLabel.text


# --- cases ------------------------------------------------------------------------------------


@pytest.fixture
def ranked(panel, know, show_run, small_cohort):
    """The small cohort with a ranking of its three cases."""
    know(small_cohort)
    show_run(3)
    return panel


def test_a_double_click_opens_a_case_in_one_linked_view_per_modality(ranked, drive):
    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    case = ranked.cases.currentCase()
    loader, layout = ranked.logic.loader, ranked.logic.layout
    assert loader.caseID == case
    assert layout.isShown
    shown = [composite.GetBackgroundVolumeID() for composite in layout.compositeNodes()[:2]]
    assert shown == [volume.GetID() for volume in loader.volumes().values()]
    assert all(composite.GetHotLinkedControl() for composite in layout.compositeNodes()[:2])
    assert not loader.segmentation().GetDisplayNode().GetVisibility2DFill()
    assert ranked.ui.currentCaseLabel.text == f"Open: {case}"


def test_closing_a_case_brings_the_former_layout_back(ranked, drive):
    import slicer

    usual = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    before = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    slicer.app.layoutManager().setLayout(before)
    drive.click_cell(ranked.ui.casesTableView, 0, 1)
    drive.click(ranked.ui.loadCaseButton)
    assert slicer.app.layoutManager().layout != before
    drive.click(ranked.ui.closeCaseButton)
    assert slicer.app.layoutManager().layout == before
    assert not ranked.ui.closeCaseButton.enabled
    assert tool_tip(ranked.ui.closeCaseButton) == "Load a case first."
    slicer.app.layoutManager().setLayout(usual)


def edit_labels(loader):
    node = loader.segmentation()
    node.GetSegmentation().GetNthSegment(0).SetName("edited")


def test_unsaved_labels_are_only_discarded_when_the_person_says_so(ranked, drive, messages):
    import qt

    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    loader, first = ranked.logic.loader, ranked.logic.loader.caseID
    edit_labels(loader)
    messages.answers.append(qt.QMessageBox.Cancel)
    drive.click_cell(ranked.ui.casesTableView, 1, 1, double=True)
    assert loader.caseID == first
    assert first in messages.messages[0]
    messages.answers.append(qt.QMessageBox.Cancel)
    drive.click(ranked.ui.closeCaseButton)
    assert loader.caseID == first
    messages.answers.append(qt.QMessageBox.Discard)
    drive.click(ranked.ui.closeCaseButton)
    assert loader.caseID == ""


def test_a_case_whose_files_are_gone_is_told_and_the_open_one_stays(
    panel, know, show_run, drive, messages, tmp_path
):
    from runs import write_small_cohort

    cohort = write_small_cohort(tmp_path / "cohort")
    know(cohort)
    show_run(3)
    drive.click_cell(panel.ui.casesTableView, 0, 1, double=True)
    first, second = panel.logic.loader.caseID, panel.cases.visibleCases()[1]
    (cohort / second / "pet.nii.gz").unlink()
    with errors.expected(ValueError, "Inspect the cohort again"):
        drive.click_cell(panel.ui.casesTableView, 1, 1, double=True)
    assert "The case cannot be opened." in messages.messages[0]
    assert panel.logic.loader.caseID == first


def test_own_labels_come_before_those_of_the_cohort(ranked, drive, tmp_path):
    import slicer

    case = ranked.cases.visibleCases()[0]
    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    node = ranked.logic.loader.segmentation()
    node.GetSegmentation().GetNthSegment(0).SetName("made here")
    folder = tmp_path / "record" / "labels"
    assert slicer.util.saveNode(node, str(folder / f"{case}.seg.nrrd"))
    drive.click(ranked.ui.closeCaseButton)
    drive.click(ranked.ui.loadCaseButton)
    segmentation = ranked.logic.loader.segmentation().GetSegmentation()
    assert segmentation.GetNthSegment(0).GetName() == "made here"


def test_segment_editor_opens_on_the_labels_of_the_case(ranked, drive):
    import slicer

    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    drive.click(ranked.ui.segmentEditorButton)
    node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert node.GetSegmentationNode() is ranked.logic.loader.segmentation()
    assert slicer.util.selectedModule() == "SegmentEditor"


def test_segment_editor_leaves_one_modality_in_each_view(ranked, drive, wait_until):
    import slicer

    for row in (0, 1):  # Segment Editor makes its panel only once
        slicer.util.selectModule("MDALSelector")
        drive.click_cell(ranked.ui.casesTableView, row, 1, double=True)
        images = [volume.GetID() for volume in ranked.logic.loader.volumes().values()]
        drive.click(ranked.ui.segmentEditorButton)
        slicer.app.processEvents()
        views = ranked.logic.layout.compositeNodes()[: len(images)]
        assert [view.GetBackgroundVolumeID() for view in views] == images


def test_segment_editor_without_a_case_is_told(panel, messages):
    with pytest.raises(ValueError, match="Load a case first"):
        panel.onSegmentEditorButton()
    assert len(messages.messages) == 1


def test_a_pairing_that_was_checked_may_be_suggested_next_time(ranked, drive, tmp_path):
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    drive.click_cell(ranked.ui.casesTableView, 0, 1)
    assert not ranked.ui.acceptPairingButton.enabled
    assert "check pairing" in tool_tip(ranked.ui.acceptPairingButton)
    drive.click_cell(ranked.ui.casesTableView, 1, 1)
    case = ranked.cases.currentCase()
    assert states(ranked)[case] == "check pairing"
    drive.click(ranked.ui.acceptPairingButton)
    assert states(ranked)[case] == "confirmed"
    assert row_texts(ranked)[1][STATE] == "pairing confirmed"
    assert list(ranked._parameterNode.acceptedCases) == [case]
    entry = CohortRecord(tmp_path / "record").read_states().entries[case]
    assert entry.state.value == "confirmed"
    assert not ranked.ui.acceptPairingButton.enabled


def test_a_record_that_cannot_be_written_is_told(ranked, drive, messages, tmp_path):
    from MultimodalImagingLib.errors import UsageError

    (tmp_path / "file").write_text("no folder")
    ranked.ui.recordPathLineEdit.currentPath = str(tmp_path / "file" / "record")
    drive.click_cell(ranked.ui.casesTableView, 1, 1)
    with errors.expected(UsageError):
        drive.click(ranked.ui.acceptPairingButton)
    assert "The state cannot be kept." in messages.messages[0]
    assert states(ranked)[ranked.cases.currentCase()] == "check pairing"


def test_closing_the_scene_brings_the_former_layout_back(ranked, drive):
    import slicer

    before = slicer.app.layoutManager().layout
    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    slicer.mrmlScene.Clear(0)
    assert slicer.app.layoutManager().layout == before


# --- report -----------------------------------------------------------------------------------


def test_the_report_opens_in_the_browser(panel, show_run, drive, messages):
    run = show_run(5)
    drive.click(panel.ui.openReportButton)
    assert messages.messages == [f"open {(run / 'report.html').as_uri()}"]


def test_a_report_that_is_gone_is_told(panel, show_run, drive, messages):
    run = show_run(5)
    (run / "report.html").unlink()
    with errors.expected(FileNotFoundError, "Start the selection again"):
        drive.click(panel.ui.openReportButton)
    assert "The report cannot be opened." in messages.messages[0]


def test_the_list_is_exported_with_its_states(panel, show_run, drive, messages, tmp_path):
    show_run(5)
    messages.files.append(str(tmp_path / "cases.csv"))
    drive.click(panel.ui.exportButton)
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["state"] for row in rows[:2]] == ["suggested", "check pairing"]


def test_an_export_that_fails_is_told(panel, show_run, drive, messages, tmp_path):
    from MultimodalImagingLib.errors import CrossModalError

    show_run(5)
    messages.files.append(str(tmp_path / "absent" / "cases.csv"))
    with errors.expected((CrossModalError, OSError)):
        drive.click(panel.ui.exportButton)
    assert "The table cannot be written." in messages.messages[0]


def test_an_export_that_is_called_off_writes_nothing(panel, show_run, drive, messages):
    show_run(5)
    drive.click(panel.ui.exportButton)
    assert messages.messages == []


# --- scenes -----------------------------------------------------------------------------------


def drawn(columns):
    """Points of the plot without the mark of the row that is chosen in the table."""
    return {name: values for name, values in columns.items() if not name.startswith("selected:")}


def test_a_saved_scene_brings_list_plot_states_and_case_back(ranked, drive, wait_until, tmp_path):
    import slicer

    from MultimodalSlicerLib.table_nodes import columnsOf, seriesByName

    drive.click_cell(ranked.ui.casesTableView, 1, 1)
    drive.click(ranked.ui.acceptPairingButton)
    drive.click_cell(ranked.ui.casesTableView, 0, 1, double=True)
    texts, rows = row_texts(ranked), ranked.cases.rows
    case, trust = ranked.logic.loader.caseID, ranked.ui.trustLabel.text
    points = seriesByName(ranked.logic.ranking.plot.chart())["suggested"].GetTableNode()
    columns = drawn(columnsOf(points))
    parameters = ranked._parameterNode.cohortPath
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))

    slicer.mrmlScene.Clear(0)
    wait_until(lambda: ranked.cases.rows == [])
    assert not ranked.logic.isInspected(ranked._parameterNode.cohortPath)
    assert not ranked.ui.plotHintLabel.isHidden()

    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    wait_until(lambda: len(ranked.cases.visibleCases()) == 3)
    assert row_texts(ranked) == texts
    assert ranked.cases.rows == rows
    assert ranked.ui.trustLabel.text == trust
    assert ranked.logic.loader.caseID == case
    assert ranked._parameterNode.cohortPath == parameters
    chart = ranked.logic.ranking.plot.chart()
    assert drawn(columnsOf(seriesByName(chart)["suggested"].GetTableNode())) == columns
    assert ranked.plot.view.chart().GetNumberOfPlots() == chart.GetNumberOfPlotSeriesNodes()
    drive.click_cell(ranked.ui.casesTableView, 2, 1, double=True)
    assert ranked.logic.loader.caseID == ranked.cases.currentCase()


def test_a_scene_without_a_ranking_shows_none(panel, show_run, wait_until):
    import slicer

    show_run(5)
    slicer.mrmlScene.Clear(0)
    wait_until(lambda: panel.cases.visibleCases() == [])
    assert not panel.ui.openReportButton.enabled
    assert panel.ui.trustLabel.isHidden()


def test_showing_a_run_again_adds_no_nodes(panel, show_run, census):
    show_run(30)
    before = census()
    for _ in range(3):
        panel.showRanking()
        panel.onCaseSelected(panel.cases.visibleCases()[0])
        panel.logic.draw()
    grown = census().grown(before)
    assert not {name for name in grown if name.startswith("vtkMRML")}, grown
    assert "observers" not in grown
    assert "widgets" not in grown


# --- setup ------------------------------------------------------------------------------------


def test_missing_packages_are_named_and_start_waits_for_them(
    panel, know, small_cohort, monkeypatch
):
    from MultimodalWidgetsLib import setup_section

    know(small_cohort)
    monkeypatch.setattr(setup_section, "missingRequirements", lambda names: ["torch>=2.0"])
    panel.setupSection.refresh()
    assert "torch" in panel.ui.requirementsLabel.text
    assert not panel.ui.startButton.enabled
    assert tool_tip(panel.ui.startButton) == "Python packages are missing: torch. Press Install."
    assert panel.ui.installButton.enabled
    assert not panel.ui.checkButton.enabled
    assert panel.ui.inspectButton.enabled
    monkeypatch.undo()
    panel.setupSection.refresh()
    assert panel.ui.startButton.enabled


def test_torch_is_checked_in_a_child_process(panel, drive, wait_until):
    drive.click(panel.ui.checkButton)
    wait_until(lambda: not panel.jobs.isBusy, 60.0)
    assert panel.ui.requirementsLabel.text.startswith("PyTorch ")
    assert "cpu" in panel.ui.requirementsLabel.text


def test_an_installation_that_fails_is_told_and_looked_at_again(
    panel, drive, messages, monkeypatch
):
    from MultimodalWidgetsLib import setup_section

    monkeypatch.setattr(setup_section, "missingRequirements", lambda names: ["monai>=1.3"])
    panel.setupSection.refresh()

    def fail(requirements, *, requester):
        msg = "No network."
        raise RuntimeError(msg)

    monkeypatch.setattr(setup_section, "ensureRequirements", fail)
    with errors.expected(RuntimeError, "No network"):
        drive.click(panel.ui.installButton)
    assert "The packages could not be installed." in messages.messages[0]
    assert panel.ui.installButton.enabled
    monkeypatch.undo()
    panel.setupSection.refresh()


def test_the_panel_can_be_left_for_good(host, scene, load_module, census):
    import slicer

    panel = load_module(MODULE)
    slicer.util.reloadScriptedModule("MDALSelector")
    again = slicer.modules.MDALSelectorWidget
    assert again is not panel
    again.ui.cohortPathLineEdit.currentPath = "/data/other"
    assert again._parameterNode.cohortPath == "/data/other"
    assert panel._parameterNode is None
