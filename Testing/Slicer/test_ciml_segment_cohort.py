"""The CIMLSegment panel on a cohort: train, use the model, segment the rest; all by clicks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from plain_text import tool_tip

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "Testing" / "Helpers"))

MODULE = ROOT / "CIMLSegment" / "CIMLSegment.py"
N_CASES, N_LABELLED, STEPS = 6, 4, 12


@pytest.fixture(scope="session")
def phantoms(host, tmp_path_factory):
    """PET and CT of phantoms with a bright lesion; the first four are labeled."""
    import example_result as example
    import SimpleITK as sitk  # noqa: N813

    from MultimodalImagingLib.images.geometry import Volume, image_from_volume

    folder, on = tmp_path_factory.mktemp("phantoms") / "cohort", example.grid()
    for number in range(1, N_CASES + 1):
        case = folder / f"case-{number}"
        case.mkdir(parents=True)
        for modality in ("PET", "CT"):
            path = case / f"case-{number}_{modality.lower()}.nii.gz"
            array = example.image(modality, on).array
            own = Volume(array + array.dtype.type(number), on)  # equal images are one patient's
            sitk.WriteImage(image_from_volume(own), str(path))
        if number <= N_LABELLED:
            mask = (example.ball(on, example.LESION, 9) > 0.5).astype("uint8")
            path = case / f"case-{number}_seg.nii.gz"
            sitk.WriteImage(image_from_volume(Volume(mask, on)), str(path))
    return folder


@pytest.fixture
def panel(scene, load_module, messages):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    panel = load_module(MODULE)
    for name in ("inputs", "segment", "segments", "contributions", "train", "batch"):
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    yield panel
    panel.logic.browser.remove()


@pytest.fixture
def inspected(panel, phantoms, drive, wait_until, messages, tmp_path):
    """The cohort after a click on Inspect; its record is a folder of the test."""
    panel._parameterNode.recordPath = str(tmp_path / "record")
    drive.browse(panel.ui.cohortPathLineEdit, str(phantoms), messages)
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.cohort.inspection.isBusy, 120.0)
    wait_until(lambda: len(panel.cohort.table.texts()) == N_CASES)
    return phantoms


@pytest.fixture
def train(panel, inspected, drive):
    """Return a function that begins to train by a click."""

    def train(steps):
        drive.choose(panel.ui.taskComboBox, "Lesion in PET/CT")
        panel.ui.stepsSpinBox.setValue(steps)
        drive.click(panel.ui.trainButton)
        return panel.cohort.train.jobs.job

    return train


def states(panel):
    return {name: state for name, state, _ in panel.cohort.table.texts()}


def points(panel, name):
    """Steps at which the curve has a point."""
    curve = panel.cohort.work.curve
    charts = [plot.chart() for plot in (curve.loss, curve.dice)]
    series = [chart.GetNthPlotSeriesNode(0) for chart in charts if chart is not None]
    node = next((node for node in series if node.GetName() == name), None)
    if node is None:
        return set()
    column = node.GetTableNode().GetTable().GetColumnByName(node.GetXColumnName())
    return {column.GetValue(row) for row in range(column.GetNumberOfValues())}


def test_from_labelled_cases_to_a_model_to_the_results_of_all_others(
    panel, inspected, train, drive, wait_until, messages
):
    import slicer

    train(STEPS)
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 600.0)
    assert messages.messages == []
    assert panel.ui.trainStatusLabel.text == "Done."
    assert points(panel, "loss") == {10.0, 12.0} or points(panel, "loss") == {10.0}
    assert STEPS in points(panel, "validation Dice")

    drive.click(panel.ui.useModelButton)
    assert panel.logic.model.modalities == ("PET", "CT")
    assert "Validation Dice" in panel.ui.modelSummaryLabel.text
    case = inspected / "case-5"
    for name in ("pet", "ct"):
        slicer.util.loadVolume(str(case / f"case-5_{name}.nii.gz"), {"name": f"case-5 {name}"})
    slicer.app.processEvents()
    assert panel.ui.inputSelector1.currentNode().GetName() == "case-5 pet"
    drive.click(panel.ui.segmentButton)
    wait_until(lambda: not panel.jobs.isBusy, 300.0)
    assert panel.ui.statusLabel.text == "Done.", messages.messages
    assert panel._parameterNode.result.GetName() == "case-5 pet segmentation"
    assert panel.ui.shareTable.rowCount == 1

    wait_until(lambda: panel.ui.batchButton.enabled)
    drive.click(panel.ui.batchButton)
    wait_until(lambda: not panel.cohort.batch.isBusy, 300.0)
    assert messages.messages == []
    expected = {f"case-{n}": "labeled" for n in range(1, N_LABELLED + 1)}
    assert states(panel) == {**expected, "case-5": "segmented", "case-6": "segmented"}
    row = [name for name, _, _ in panel.cohort.table.texts()].index("case-6")
    drive.click_cell(panel.ui.batchView, row, 0, double=True)
    assert panel._parameterNode.result.GetName() == "case-6 segmentation"


def test_a_cohort_that_was_labeled_in_the_other_module_is_ready_to_train(
    panel, phantoms, wait_until, tmp_path, drive, monkeypatch
):
    """Its round is its own, also if another cohort is chosen before the training is over."""
    from MultimodalSlicerLib.cohort_files import CohortFiles

    drive.choose(panel.ui.taskComboBox, "Lesion in PET/CT")
    panel.ui.trainCollapsibleButton.collapsed = True
    panel.cohort.beginRound(CohortFiles(str(phantoms), str(tmp_path / "record")))
    wait_until(lambda: len(panel.cohort.table.texts()) == N_CASES, 120.0)
    assert not panel.ui.trainCollapsibleButton.collapsed
    assert panel._parameterNode.cohortPath == str(phantoms)
    wait_until(lambda: panel.cohort.train.jobs.isBusy)
    assert "--estimate" in panel.cohort.train.jobs.job.arguments
    drive.click(panel.ui.trainCancelButton)
    wait_until(lambda: panel.ui.roundButton.enabled)

    jobs, cohort = [], panel.cohort
    monkeypatch.setattr(cohort.train.jobs, "submit", lambda *job, **_: jobs.append(job))
    monkeypatch.setattr(cohort.batch, "submit", lambda *job, **_: jobs.append(job))
    drive.click(panel.ui.roundButton)
    panel._parameterNode.cohortPath, panel._parameterNode.recordPath = str(tmp_path), ""
    training, isDone = jobs[0]
    isDone(training)
    rest = jobs[1][0].arguments
    assert rest[1:3] == ("round", str(phantoms))
    assert rest[rest.index("--record") + 1] == str(tmp_path / "record")
    assert not panel._parameterNode.modelPath


@pytest.mark.usefixtures("inspected")
def test_a_look_that_does_not_end_well_asks_for_the_time_of_no_other_cohort(
    panel, tmp_path, monkeypatch
):
    from MultimodalSlicerLib.cohort_files import CohortFiles

    chosen = panel._parameterNode
    before, job = (chosen.cohortPath, chosen.recordPath), panel.cohort.inspection.job
    with monkeypatch.context() as patch:
        patch.setattr(panel.cohort.inspection, "submit", lambda *_, **__: None)
        panel.cohort.beginRound(CohortFiles(str(tmp_path)))
    chosen.cohortPath, chosen.recordPath = before
    panel.cohort.onInspected(job)
    assert panel.ui.estimateButton.enabled
    assert not panel.cohort.train.jobs.isBusy


@pytest.mark.usefixtures("inspected")
@pytest.mark.evidence  # a whole training and segmentation: minutes
def test_the_end_of_a_round_trains_segments_the_rest_and_notes_it(
    panel, drive, wait_until, messages, tmp_path
):
    from MultimodalImagingLib.record.cohort_record import CohortRecord
    from MultimodalImagingLib.record.rounds import read_rounds

    drive.choose(panel.ui.taskComboBox, "Lesion in PET/CT")
    panel.ui.stepsSpinBox.setValue(STEPS)
    drive.click(panel.ui.roundButton)
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 600.0)
    wait_until(lambda: not panel.cohort.batch.isBusy, 300.0)
    assert messages.messages == []
    expected = {f"case-{n}": "labeled" for n in range(1, N_LABELLED + 1)}
    assert states(panel) == {**expected, "case-5": "segmented", "case-6": "segmented"}
    (found,) = read_rounds(CohortRecord(tmp_path / "record"))
    assert len(found.labels) == N_LABELLED
    assert found.n_drafts == N_CASES - N_LABELLED
    assert panel._parameterNode.modelPath.endswith(found.model)


def test_a_cancelled_training_leaves_its_best_model(
    panel, inspected, train, drive, wait_until, messages
):
    train(300)  # validated every 15 steps
    assert tool_tip(panel.ui.useModelButton) == "Train a model first."
    wait_until(lambda: bool(panel.cohort.work.curve.loss.chart()), 300.0)
    folder = Path(panel._parameterNode.recordPath) / "models" / "pet-ct"
    wait_until((folder / "model.json").is_file, 600.0)
    drive.click(panel.ui.trainCancelButton)
    wait_until(lambda: not panel.cohort.train.jobs.isBusy, 10.0)
    assert panel.ui.trainStatusLabel.text == "Cancelled."
    assert messages.messages == []
    assert str(folder) in panel.ui.trainSummaryLabel.text
    drive.click(panel.ui.useModelButton)
    assert panel.logic.model.modalities == ("PET", "CT")
    assert panel._parameterNode.modelPath == str(folder)


def test_a_cancelled_batch_keeps_what_is_finished_and_can_go_on(
    panel, inspected, drive, wait_until, messages, tmp_path
):
    import example_result as example

    model = example.write_model(tmp_path / "model", "pet-ct", patch_size=(8, 8, 8))
    panel.ui.modelPathLineEdit.currentPath = str(model)
    panel.ui.mirrorCheckBox.checked = True  # eight times the work
    wait_until(lambda: panel.ui.batchButton.enabled)
    drive.click(panel.ui.batchButton)
    wait_until(lambda: "segmented" in states(panel).values(), 300.0)
    isOver = not panel.cohort.batch.isBusy
    if not isOver:
        drive.click(panel.ui.batchCancelButton)
        wait_until(lambda: not panel.cohort.batch.isBusy, 10.0)
        assert panel.ui.batchStatusLabel.text == "Cancelled."
    assert messages.messages == []
    finished = [name for name, state in states(panel).items() if state == "segmented"]
    times = {
        name: (panel.cohort.work.resultFolder(panel._parameterNode) / name / "result.json")
        .stat()
        .st_mtime_ns
        for name in finished
    }
    panel.ui.mirrorCheckBox.checked = False
    if panel.ui.batchButton.enabled:
        drive.click(panel.ui.batchButton)
        wait_until(lambda: not panel.cohort.batch.isBusy, 300.0)
    assert set(states(panel).values()) == {"labeled", "segmented"}
    folder = panel.cohort.work.resultFolder(panel._parameterNode)
    for name, time in times.items():
        assert (folder / name / "result.json").stat().st_mtime_ns == time
