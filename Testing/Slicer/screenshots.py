"""Takes the pictures of both panels, on the synthetic cohort, in host or application.

    python Testing/Slicer/screenshots.py WORK [OUT] [--modules MDALSelector,CIMLSegment,TryIt]
    Slicer --no-splash --testing --python-script Testing/Slicer/screenshots.py WORK [OUT]

WORK receives the cohorts and their record; the model is one that comes with CrossModal. Pictures go
to OUT (default: Resources/Screenshots).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from studio import ROOT, Studio

N_CASES = 60
N_TRAINING, N_LABELLED, TRAINING_STEPS = 24, 16, 500
MODEL = "brain-mr-demonstration"


def take_selector(studio: Studio, work: Path) -> None:
    """Go through the states of MDALSelector."""
    from MDALSelectorLib.synthetic_cohort import write_cohort

    if not (work / "cohort").is_dir():
        write_cohort(work, n_cases=N_CASES, seed=0)
    studio.show("MDALSelector")
    studio.open_sections("cohort", "selection", "cases")
    studio.picture("empty")
    take_cohort(studio, work)
    take_selection(studio)
    take_ranking(studio)
    take_retrospect(studio, work)


def take_cohort(studio: Studio, work: Path) -> None:
    """An error, then the cohort with its geometry."""
    panel, ui = studio.panel, studio.panel.ui
    for path, tab, name in ((work / "nothing-here", 0, "error"), (work / "cohort", 1, "cohort")):
        ui.cohortPathLineEdit.currentPath = str(path)
        ui.recordPathLineEdit.currentPath = str(work / "record")
        ui.inspectButton.click()
        studio.wait(lambda: not panel.inspection.isBusy)
        ui.cohortTabs.currentIndex = tab
        studio.picture(name)


def take_selection(studio: Studio) -> None:
    """A selection that runs."""
    panel, ui = studio.panel, studio.panel.ui
    ui.estimatorComboBox.setCurrentText("Local (positions, closed form)")
    studio.open_sections("selection", "cases")
    ui.logGroupBox.collapsed = False
    ui.startButton.click()
    job = panel.jobs.job
    studio.wait(lambda: job.state.isOver or (job.progress is not None and job.progress.done > 20))
    studio.picture("running")
    studio.wait(lambda: not panel.jobs.isBusy)
    ui.logGroupBox.collapsed = True


def take_ranking(studio: Studio) -> None:
    """The ranking with an open case, the whole panel, and both in the dark theme."""
    panel, sections = studio.panel, ("cases", "plot", "labeling")
    studio.open_sections(*sections)
    studio.wait(lambda: len(panel.cases.visibleCases()) == N_CASES)
    panel.cases.selectCase(panel.cases.rows[0].case_id)
    panel.onLoadCase()
    studio.picture("ranking")
    studio.open_sections("labeling")
    studio.scroll_to("labelingCollapsibleButton")
    studio.picture("labeling")
    studio.open_sections(*sections)
    take_map(studio)
    studio.open_sections("cohort", "selection", *sections, "report", "setup")
    studio.picture("panel", whole_panel=True)
    studio.dark(is_dark=True)
    studio.open_sections(*sections)
    studio.picture("dark")
    studio.dark(is_dark=False)


def take_map(studio: Studio) -> None:
    """The local PMI map of the open case, where its modalities fit least."""
    ui = studio.panel.ui
    studio.open_sections("labeling")
    ui.showMapCheckBox.click()
    ui.leastFitButton.click()
    studio.picture("map")
    ui.showMapCheckBox.click()


def take_retrospect(studio: Studio, work: Path) -> None:
    """Which strategy would have helped on the labeled cases of the other cohort."""
    panel, ui = studio.panel, studio.panel.ui
    studio.open_sections("labeling")
    ui.closeCaseButton.click()
    ui.cohortPathLineEdit.currentPath = str(training_cohort(work))
    ui.recordPathLineEdit.currentPath = str(work / "retrospect-record")
    ui.inspectButton.click()
    studio.wait(lambda: not panel.inspection.isBusy)
    studio.open_sections("retrospect")
    if ui.retrospectView.isHidden():
        ui.budgetsLineEdit.text, ui.drawsSpinBox.value = "25%,50%", 8
        ui.retrospectButton.click()
        studio.wait(lambda: not panel.retrospect.jobs.isBusy)
    ui.retrospectView.selectRow(0)
    studio.scroll_to("retrospectButton")
    studio.picture("retrospect")


def take_segment(studio: Studio, work: Path) -> None:
    """Go through the states of CIMLSegment."""
    from CIMLSegmentLib.model.shipped_models import model_folder

    cohort = training_cohort(work)
    model = model_folder(MODEL)
    studio.host.core.scene.Clear(0)
    studio.show("CIMLSegment")
    studio.open_sections("inputs", "segment")
    studio.picture("empty")
    take_inputs(studio, cohort, model)
    take_segmentation(studio)
    take_maps(studio)
    take_training(studio, work, cohort)
    take_batch(studio, work, model)


def training_cohort(work: Path) -> Path:
    """A cohort of which two thirds have label maps."""
    from MDALSelectorLib.synthetic_cohort import write_cohort

    folder = work / "training"
    if not (folder / "cohort").is_dir():
        write_cohort(folder, n_cases=N_TRAINING, seed=0)
        for case in sorted((folder / "cohort").iterdir())[:N_LABELLED]:
            label = folder / "reference" / f"{case.name}.nii.gz"
            shutil.copyfile(label, case / f"{case.name}_seg.nii.gz")
    return folder / "cohort"


def take_inputs(studio: Studio, cohort: Path, model: Path) -> None:
    """A folder without a model, then volumes that are matched."""
    import slicer

    ui = studio.panel.ui
    ui.modelPathLineEdit.currentPath = str(cohort)
    studio.picture("error")
    case = cohort / "case-019"
    for name in ("flair", "t1c", "t1", "t2"):
        path = case / f"{case.name}_{name}.nii.gz"
        slicer.util.loadVolume(str(path), {"name": f"{case.name} {name.upper()}"})
    ui.modelPathLineEdit.currentPath = str(model)
    studio.picture("inputs")


def take_segmentation(studio: Studio) -> None:
    """A segmentation that runs, and its result."""
    panel, ui = studio.panel, studio.panel.ui
    ui.segmentAdvancedGroupBox.collapsed = False
    for name in ("uncertainty", "gradcam"):
        getattr(ui, f"{name}CheckBox").checked = True
    ui.segmentLogGroupBox.collapsed = False
    studio.scroll_to("segmentCollapsibleButton")
    ui.segmentButton.click()
    job = panel.jobs.job
    studio.wait(lambda: job.state.isOver or job.progress is not None)
    studio.picture("running")
    studio.wait(lambda: not panel.jobs.isBusy)
    ui.segmentLogGroupBox.collapsed = True
    ui.segmentAdvancedGroupBox.collapsed = True
    studio.open_sections("segments", "contributions")
    studio.scroll_to("segmentsCollapsibleButton")
    ui.show3DButton.click()
    studio.picture("done")


def take_maps(studio: Studio) -> None:
    """Maps over their images, side by side, and in the dark theme."""
    import drive

    ui = studio.panel.ui
    drive.click_cell(ui.shareTable, 0, 0)
    studio.picture("contributions")
    ui.sideBySideCheckBox.click()
    studio.picture("side-by-side")
    studio.dark(is_dark=True)
    studio.picture("dark")
    studio.dark(is_dark=False)
    ui.sideBySideCheckBox.click()
    for index, name in enumerate(("information", "attention", "gradcam", "uncertainty"), start=1):
        ui.mapKindComboBox.currentIndex = index
        studio.picture(name)
    ui.mapKindComboBox.currentIndex = 0
    ui.removeOverlayButton.click()
    sections = ("inputs", "segment", "segments", "contributions", "train", "batch", "setup")
    studio.open_sections(*sections)
    studio.picture("panel", whole_panel=True)


def take_training(studio: Studio, work: Path, cohort: Path) -> None:
    """A training that runs, with its curve; it is cancelled then."""
    panel, ui = studio.panel, studio.panel.ui
    studio.open_sections("train")
    studio.scroll_to("inputsCollapsibleButton")
    ui.cohortPathLineEdit.currentPath = str(cohort)
    panel._parameterNode.recordPath = str(work / "record")
    ui.inspectButton.click()
    studio.wait(lambda: not panel.cohort.inspection.isBusy)
    ui.taskComboBox.currentIndex = 0
    ui.stepsSpinBox.value = TRAINING_STEPS
    ui.patchSpinBox.value = 32
    ui.trainButton.click()
    job, points = panel.cohort.train.jobs.job, panel.cohort.work.curve
    studio.wait(lambda: job.state.isOver or len(points._points) >= 4)
    studio.scroll_to("trainButton")
    studio.picture("training")
    ui.trainCancelButton.click()
    studio.wait(lambda: not panel.cohort.train.jobs.isBusy)


def take_batch(studio: Studio, work: Path, model: Path) -> None:
    """The unlabeled cases; the last one is opened."""
    import drive

    panel, ui = studio.panel, studio.panel.ui
    studio.open_sections("batch")
    shutil.rmtree(work / "results", ignore_errors=True)
    for name in ("uncertainty", "gradcam"):
        getattr(ui, f"{name}CheckBox").checked = False
    ui.batchPathLineEdit.currentPath = str(work / "results")
    studio.wait(lambda: ui.batchButton.enabled)
    ui.batchButton.click()
    job = panel.cohort.batch.job
    cases = panel.cohort.work.cases
    n_all = len(cases.unlabelled)
    studio.wait(lambda: job.state.isOver or len(cases.unlabelled) <= n_all - 3)
    studio.picture("batch")
    studio.wait(lambda: not panel.cohort.batch.isBusy)
    names = [name for name, state, _ in panel.cohort.table.texts() if state == "segmented"]
    row = [name for name, _, _ in panel.cohort.table.texts()].index(names[-1])
    drive.click_cell(ui.batchView, row, 0, double=True)
    studio.picture("batch-result")


def take_try_it(studio: Studio) -> None:
    """The tutorial: from nothing to a ranking, and to a segmentation with a map."""
    studio.host.core.scene.Clear(0)
    panel = studio.show("MDALSelector")
    panel.ui.tryButton.click()
    studio.wait(lambda: panel.ui.startButton.enabled)
    studio.picture("try-it")
    panel.ui.startButton.click()
    studio.wait(lambda: any(row.rank == 1 for row in panel.cases.rows) and not panel.jobs.isBusy)
    studio.open_sections("cases", "labeling")
    panel.cases.selectCase(panel.cases.rows[0].case_id)
    panel.onLoadCase()
    studio.picture("try-it-ranking")
    studio.host.core.scene.Clear(0)
    panel = studio.show("CIMLSegment")
    panel.ui.tryButton.click()
    studio.wait(lambda: panel.ui.segmentButton.enabled)
    studio.open_sections("inputs", "segment")
    studio.picture("try-it")
    panel.ui.segmentButton.click()
    studio.wait(lambda: panel.logic.browser.shown is not None)
    studio.open_sections("segments", "contributions")
    studio.picture("try-it-result")


def main() -> int:
    """Take all pictures of the chosen modules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "Resources" / "Screenshots")
    parser.add_argument("--modules", default="MDALSelector,CIMLSegment,TryIt")
    options = parser.parse_args()
    studio, work = Studio(options.out.resolve()), options.work.absolute()
    if "MDALSelector" in options.modules:
        take_selector(studio, work)
    if "CIMLSegment" in options.modules:
        take_segment(studio, work)
    if "TryIt" in options.modules:
        take_try_it(studio)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
