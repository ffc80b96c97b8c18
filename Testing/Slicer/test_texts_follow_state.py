"""What both panels say is true of what is there now; a gray button says why it is gray."""

from __future__ import annotations

import pytest
from desk import Desk, write_cohort, write_results
from plain_text import tool_tip

JOBS = {
    "selector": ("jobs", "inspection", "retrospect.jobs"),
    "segmenter": ("jobs", "cohort.inspection", "cohort.train.jobs", "cohort.batch"),
}
MAIN_BUTTONS = {
    "selector": ("inspect", "start", "loadCase", "closeCase", "segmentEditor", "acceptPairing"),
    "segmenter": ("match", "segment", "show3D", "removeOverlay", "train", "batch", "useModel"),
}


@pytest.fixture(scope="module")
def cohort(host, tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("texts") / "liver-cohort")


@pytest.fixture(scope="module")
def results(host, tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("texts") / "results")


@pytest.fixture
def desk(scene, load_module, wait_until, cohort, tmp_path):
    scene.SetRootDirectory(str(tmp_path))
    desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
    yield desk
    desk.segmenter.logic.browser.remove()
    desk.case.close()


@pytest.fixture
def known(desk, results, messages):
    desk.know(results)
    return desk


class Ended:
    """What a section shows of a job that is over."""

    def __init__(self, state, reason: str = "") -> None:
        from MultimodalWidgetsLib.signal import Signal

        self.state, self.errorMessage, self.progress = state, reason, None
        self.stateChanged, self.progressed = Signal(), Signal()
        self.messaged, self.logged = Signal(), Signal()


def sections(desk, panel):
    found = []
    for path in JOBS[panel]:
        section = getattr(desk, panel)
        for name in path.split("."):
            section = getattr(section, name)
        found.append(section)
    return found


def end_jobs(desk, state, about):
    """Let every section show a job that is over."""
    for panel in JOBS:
        for section in sections(desk, panel):
            section.job, section._about = Ended(state, "liver-cohort has no images."), about
            section._showStatus()


def texts(desk):
    """Every text that can be read in a panel, by name."""
    found = {}
    for panel in JOBS:
        ui = getattr(desk, panel).ui
        for name in dir(ui):
            label = getattr(ui, name)
            if name.endswith("Label") and hasattr(label, "text") and not label.isHidden():
                found[f"{panel}.{name}"] = str(label.text)
    return found


def naming(desk, *words):
    return {name: text for name, text in texts(desk).items() if any(w in text for w in words)}


def enter_both(desk):
    import slicer

    for name in ("MDALSelector", "CIMLSegment"):
        slicer.util.selectModule(name)
        slicer.app.processEvents()
        yield name


def silent_buttons(desk):
    """Main buttons that are gray without a reason."""
    wrong = []
    for panel, module in zip(JOBS, enter_both(desk), strict=True):
        widget = getattr(desk, panel)
        for name in MAIN_BUTTONS[panel]:
            button = getattr(widget.ui, f"{name}Button")
            usual = widget._toolTips[f"{name}Button"]
            reason = tool_tip(button)
            if not button.enabled and (not reason or reason in usual):
                wrong.append(f"{module}: {name}")
    return wrong


def show_map(desk, drive):
    desk.openResult("case-2")
    drive.click_cell(desk.segmenter.ui.shareTable, 0, 0)


STEPS = {
    "nothing": lambda desk, drive: None,
    "case": lambda desk, drive: desk.open("case-1"),
    "result": lambda desk, drive: desk.openResult("case-2"),
    "map": show_map,
}


@pytest.mark.parametrize("module", ["MDALSelector", "CIMLSegment"])
@pytest.mark.parametrize(
    ("step", "state"), [*((s, "DONE") for s in STEPS), ("map", "CANCELLED"), ("map", "FAILED")]
)
def test_no_text_speaks_of_a_scene_that_was_closed(known, scene, drive, step, state, module):
    import slicer

    from MultimodalWidgetsLib.background_process import JobState

    before = {name for name, text in texts(known).items() if text}
    STEPS[step](known, drive)
    end_jobs(known, JobState[state], [str(known.cohort)])
    assert silent_buttons(known) == []
    slicer.util.selectModule(module)
    scene.Clear(0)
    slicer.app.processEvents()
    assert silent_buttons(known) == []
    words = ("liver-cohort", "case-1", "case-2", "Done", "Cancelled", "Failed", "over 'case")
    assert naming(known, *words) == {}
    assert before


@pytest.mark.parametrize("state", ["DONE", "CANCELLED", "FAILED"])
def test_no_text_speaks_of_a_cohort_that_is_not_chosen_any_more(known, tmp_path, state):
    from MultimodalWidgetsLib.background_process import JobState

    end_jobs(known, JobState[state], [str(known.cohort)])
    said = {"Done", "Cancelled", "Failed"}
    assert len(naming(known, *said)) >= 3
    (tmp_path / "other").mkdir()
    for name in enter_both(known):
        panel = known.selector if name == "MDALSelector" else known.segmenter
        panel.ui.cohortPathLineEdit.currentPath = str(tmp_path / "other")
    assert silent_buttons(known) == []
    still = naming(known, *said)
    assert set(still) <= {"segmenter.statusLabel"}  # it is about the model
    known.segmenter.ui.modelPathLineEdit.currentPath = str(tmp_path / "other")
    assert naming(known, *said) == {}


def test_a_job_that_runs_is_shown_whatever_is_chosen(known, tmp_path):
    from MultimodalWidgetsLib.background_process import JobState

    end_jobs(known, JobState.CANCELLING, [str(known.cohort)])
    known.selector.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    assert known.selector.ui.statusLabel.text == "Cancelling…"
    for section in [section for panel in JOBS for section in sections(known, panel)]:
        section.job.state = JobState.CANCELLED
        section._onStateChanged(section.job)
    assert known.selector.ui.statusLabel.text == ""
    assert known.segmenter.ui.tryButton.enabled


def test_a_finished_job_is_handed_over_although_its_cohort_is_not_chosen_any_more(known, tmp_path):
    from MultimodalWidgetsLib.background_process import JobState

    section, done = known.selector.jobs, []
    section.job, section._about = Ended(JobState.RUNNING), [str(known.cohort)]
    section._onDone = done.append
    known.selector.ui.cohortPathLineEdit.currentPath = str(tmp_path)
    job = section.job
    job.state = JobState.DONE
    section._onStateChanged(job)
    assert done == [job]


def test_both_modules_count_the_same_cases_as_labeled(known):
    import slicer

    rows = {row.case_id: row.state.value for row in known.selector.cases.rows}
    assert rows == {"case-1": "labelled", "case-2": "unlabelled", "case-3": "unlabelled"}
    assert known.selector.logic.nLabelled == known.segmenter.cohort.work.cases.n_labelled == 1
    slicer.util.selectModule("CIMLSegment")
    text = known.segmenter.ui.trainSummaryLabel.text
    assert text.startswith("Labeled cases: 1.")
    known.segmenter._parameterNode.batchPath = ""
    label = known.segmenter.ui.trainSummaryLabel
    known._wait(lambda: "Unlabeled cases: 2" in label.text)


def test_labeled_cases_for_testing_are_no_cases_to_train_on(known):
    import slicer
    from plain_text import tool_tip

    known.selector.logic.files().open_record().set_evaluation({"case-1": "", "case-2": ""}, seed=0)
    known.know(known.results)
    slicer.util.selectModule("CIMLSegment")
    ui = known.segmenter.ui
    text = ui.trainSummaryLabel.text
    assert text.startswith("Labeled cases: 1, 1 of them for testing. To be segmented: ")
    for button in (ui.trainButton, ui.roundButton):
        assert "All labeled cases are set aside for testing" in tool_tip(button)


def test_the_plot_says_nothing_that_the_list_contradicts(known):
    from MultimodalImagingLib.record.cohort_record import CaseState

    files = known.selector.logic.files()
    files.change_states({"case-2": CaseState.SUGGESTED})
    known.know(known.results)
    states = [row.state for row in known.selector.cases.rows]
    assert CaseState.SUGGESTED in states
    assert "There is no ranking to draw" in known.selector.ui.plotHintLabel.text
