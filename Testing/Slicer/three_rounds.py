"""Goes through three rounds of labeling as two readers would, in host or application.

    python Testing/Slicer/three_rounds.py WORK [OUT] [--cohort ../shared/data/sts51]
    Slicer --no-splash --testing --python-script Testing/Slicer/three_rounds.py WORK [OUT]

Everything is done with clicks and keys in the two panels, but for one thing: drawing. In its place
the reference of the case is written into the open labels, as Segment Editor would leave them. WORK
receives a copy of the images (the references stay where they are, so no case has a label at first)
and its record; pictures of the panels, which show no image, and `labeling.html` go to OUT. What is
claimed about the rounds is checked at the end, and printed with the seconds of every step.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from round_checks import check, voxels
from studio import ROOT, Studio

FIRST, SECOND = "AB", "CD"  # the readers
TASK, TASK_TEXT = "pet-ct-mr", "Lesion in PET/CT/MR"
IMAGES, REFERENCE = ("ct.nii.gz", "pet.nii.gz", "t1.nii.gz"), "seg.nii.gz"
N_TESTS, N_LABELS = 8, 5  # set aside for testing; labeled in a round
AGAIN_PERCENT = 5  # of the labels come back blinded: one of 20
SHIFT = 1  # voxels that the second reader's border lies farther out
STRATEGIES = ("DiverseMD", "EpistemicMD", "EpistemicMD")


class Rounds:
    """The two readers at the panels.

    Attributes:
        cohort: The copy of the images.
        seconds: What every step took, s, by its name.
        clicks: How often a button was pressed.
        opened: Per label: case, reader, whether it was a blinded reading, the model of its draft.
    """

    def __init__(self, studio: Studio, options: argparse.Namespace) -> None:
        self.studio, self.options = studio, options
        self.cohort = options.work / options.cohort.name
        self.seconds: dict[str, float] = {}
        self.clicks = 0
        self.opened: list[tuple[str, str, bool, str]] = []

    @property
    def ui(self) -> Any:
        """The widgets of the panel that is shown."""
        return self.studio.panel.ui

    # --- hands --------------------------------------------------------------------------------

    def click(self, button: Any) -> None:
        """Press a button."""
        import drive

        self.clicks += 1
        drive.click(button)
        raise_lost_errors()

    def enter(self, field: Any, text: str) -> None:
        """Type into a field in place of what it holds."""
        import drive

        field.setFocus()
        field.selectAll()
        drive.type_text(field, text, end="Return")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step, and say that it is over."""
        before = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - before
        print(f"{self.seconds[name]:8.1f} s  {name}", flush=True)

    def wait(self, job: Any) -> None:
        """Wait for the job of a section, which must end well."""
        import slicer

        while job.isBusy:
            slicer.app.processEvents()
            time.sleep(0.05)  # longer than for clicks: a job takes minutes
        raise_lost_errors()
        state = "" if job.job is None else job.job.state.value
        if state != "done":
            msg = f"Expected a job that is done, found '{state}': {messages()}"
            raise RuntimeError(msg)

    # --- what the readers do ------------------------------------------------------------------

    def begin(self) -> None:
        """Choose the cohort and look at what is there."""
        import drive
        from slicer_host.record import record

        panel = self.studio.show("MDALSelector")
        self.studio.open_sections("cohort", "selection")
        with self.step("inspect"):
            drive.browse(self.ui.cohortPathLineEdit, str(self.cohort), record)
            self.click(self.ui.inspectButton)
            self.wait(panel.inspection)

    def set_aside(self) -> None:
        """Set cases aside for testing, before anything else."""
        with self.step("set cases aside"):
            self.enter(self.ui.testCasesSpinBox, str(N_TESTS))
            self.click(self.ui.testButton)
            self.wait(self.studio.panel.readers.jobs)
        print(self.ui.testLabel.text)

    def select(self, number: int) -> None:
        """Let the panel suggest the cases of a round."""
        import drive

        panel = self.studio.show("MDALSelector")
        self.studio.open_sections("selection")
        with self.step(f"selection {number}"):
            self.enter(self.ui.budgetSpinBox, str(N_LABELS))
            drive.choose(self.ui.budgetUnitComboBox, "cases")
            drive.choose(self.ui.strategyComboBox, STRATEGIES[number - 1])
            self.click(self.ui.startButton)
            self.wait(panel.jobs)
        self.studio.picture(f"rounds-selection-{number}", whole_panel=True)
        suggested = [row for row in panel.cases.rows if row.state.value == "suggested"]
        for row in suggested:
            print(f"  {row.case_id}: {row.explanation}")

    def label(self, number: int, reader: str) -> None:
        """Label what is suggested, and the cases for testing, until nothing is left."""
        panel = self.studio.show("MDALSelector")
        self.studio.open_sections("labeling")
        with self.step(f"label, round {number}"):
            self.enter(self.ui.readerLineEdit, reader)
            self.click(self.ui.openNextButton)
            while panel.logic.loader.caseID:
                self.draw(number)
                self.click(self.ui.saveNextButton)
        print(f"  {self.ui.roundLabel.text}")

    def draw(self, number: int) -> None:
        """Look at the open case, and draw its reference."""
        import slicer

        case = self.studio.panel.logic.case
        labels, name = case.loader.segmentation(), case.loader.caseID
        draft = labels.GetAttribute("CrossModal.Draft") or ""
        is_blinded = case.session.isBlinded
        is_first = not any(entry[3] for entry in self.opened)
        if self.ui.nextPlaceButton.enabled:
            self.click(self.ui.nextPlaceButton)
        if (draft and is_first) or is_blinded:
            kind = "draft" if draft else "blinded"
            self.studio.picture(f"rounds-{kind}", whole_panel=True)
        mask = self.reference(name)
        if is_blinded:
            mask = moved_out(mask, SHIFT)
        write(labels, mask)
        self.opened.append((name, case.session.reader, is_blinded, draft))
        slicer.app.processEvents()

    def train(self, number: int) -> None:
        """End a round: train, segment the rest as drafts, note the Dice."""
        import drive

        self.click(self.ui.endRoundButton)
        panel = self.studio.show("CIMLSegment")
        self.studio.open_sections("train", "batch")
        self.wait(panel.cohort.inspection)
        self.studio.wait(lambda: self.ui.roundButton.enabled)
        drive.choose(self.ui.taskComboBox, TASK_TEXT)
        self.enter(self.ui.stepsSpinBox, str(self.options.steps))
        self.enter(self.ui.patchSpinBox, str(self.options.patch))
        if number == 1:
            with self.step("estimate"):
                self.click(self.ui.estimateButton)
                self.wait(panel.cohort.train.jobs)
            print(f"  {self.ui.trainSummaryLabel.text.rpartition('. ')[2]}")
        with self.step(f"training {number}"):
            self.click(self.ui.roundButton)
            self.wait(panel.cohort.train.jobs)
        with self.step(f"drafts {number}"):
            self.wait(panel.cohort.batch)
        self.studio.picture(f"rounds-training-{number}", whole_panel=True)

    def compare(self, name: str) -> None:
        """Compare the readers, and let some labels come back."""
        self.studio.show("MDALSelector")
        self.studio.open_sections("readers")
        with self.step(name):
            self.enter(self.ui.readAgainSpinBox, str(AGAIN_PERCENT))
            self.click(self.ui.agreementButton)
            self.wait(self.studio.panel.readers.jobs)
        print(f"  {self.ui.agreementLabel.text}")
        self.studio.picture(f"rounds-{name.replace(' ', '-')}", whole_panel=True)

    def report(self) -> Path:
        """Write the page about the labeling, and return the copy of it."""
        from MDALSelectorLib.__main__ import main

        with self.step("report"):
            if main(["report", str(self.cohort)]):
                msg = "The report could not be written."
                raise RuntimeError(msg)
        page = self.cohort / ".crossmodal" / "labeling.html"
        return Path(shutil.copy(page, self.studio.folder))

    def reference(self, case: str) -> np.ndarray:
        """Return what is to be drawn, a mask of shape `(K, J, I)`."""
        return voxels(self.options.cohort / case / REFERENCE) > 0


def moved_out(mask: np.ndarray, n_voxels: int) -> np.ndarray:
    """Return a mask whose border lies some voxels farther out, along the axes."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=n_voxels))


def write(labels: Any, mask: np.ndarray) -> None:
    """Put a mask into the only segment of labels, in place of what it holds."""
    import slicer

    [segment] = labels.GetSegmentation().GetSegmentIDs()
    volume = labels.GetNodeReference("referenceImageGeometryRef")
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), labels, segment, volume)


def raise_lost_errors() -> None:
    """Raise what went wrong in a slot of Qt, which the application would only print."""
    from slicer_host import errors

    for error in errors.drain():
        raise error


def messages() -> list[str]:
    """Return what boxes have said."""
    from slicer_host.record import record

    return list(record.messages)


def copy_images(cohort: Path, target: Path) -> None:
    """Copy a cohort without its references."""
    for case in sorted(path for path in cohort.iterdir() if path.is_dir()):
        (target / case.name).mkdir(parents=True)
        for name in IMAGES:
            shutil.copyfile(case / name, target / case.name / name)


def go_through(rounds: Rounds) -> Path:
    """Do all of it, and return the page."""
    rounds.begin()
    rounds.set_aside()
    for number, reader in enumerate((FIRST, FIRST, SECOND), start=1):
        rounds.select(number)
        if reader == SECOND:
            rounds.compare("ask for re-reads")
        rounds.label(number, reader)
        if number <= rounds.options.trainings:
            rounds.train(number)
    rounds.compare("readers")
    return rounds.report()


def main() -> int:
    """Go through the rounds, check what they left, and tell it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    default = ROOT.parent / "shared" / "data" / "sts51"
    parser.add_argument("--cohort", type=Path, default=default)
    parser.add_argument("--steps", type=int, default=150, help="of a training")
    parser.add_argument("--patch", type=int, default=32, help="side of a patch, voxels")
    parser.add_argument("--trainings", type=int, default=2, help="at the end of how many rounds")
    options = parser.parse_args()
    options.work = options.work.absolute()
    studio = Studio((options.out or options.work / "out").absolute())
    rounds = Rounds(studio, options)
    copy_images(options.cohort, rounds.cohort)
    with rounds.step("all"):
        page = go_through(rounds)
    if messages():
        msg = f"Boxes were shown: {messages()}"
        raise RuntimeError(msg)
    print(f"{rounds.clicks} clicks. {page}")
    check(rounds, n_tests=N_TESTS, n_labels=N_LABELS * len(STRATEGIES))
    return 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    except BaseException:  # noqa: BLE001 - printed; the application ends with a failure
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
