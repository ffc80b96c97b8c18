"""Saves one of everything with the present version, for the tests that open it with later ones.

    USER=reader LOGNAME=reader python Testing/Data/make_saved.py /data/crossmodal

with the environment of `Testing/test.sh`. WORK is the folder named there. Everything is made in
WORK, which must not exist, and then copied to `version-<version>` beside this script:

* `cohort/`: 32 cases of FLAIR and contrast-enhanced T1, 16 x 16 x 12 voxels of 4 mm; the name of
  the second is known only to the record. `reference/`: label maps of two of them.
* `record/`: the cohort's record (to be put into the cohort as `.crossmodal`) with states of every
  kind, labels, corrected names, a run (without its report, which can be written again), a model,
  and a training that was killed half-way.
* `bundle/`: the model as a MONAI bundle. `results/`: two cases that it segmented.
  `evaluation/`: these against their labels. `resumed.jsonl`: the course of the killed training
  after it was resumed.
* `scene.mrb`: saved from both panels in the host, with the result folder `panel-results/`.

The scene names the files in WORK, and the record names the user; both say nothing about a machine
or an account if they are as above. Tests know WORK and put their own folder in its place. A
version's folder is made once and never changed: it is what users of that version have.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("MDALSelector", "CIMLSegment", "Testing/Slicer")]

from MultimodalImagingLib.record.cohort_record import CaseState, open_record  # noqa: E402
from MultimodalImagingLib.version import CROSSMODAL_VERSION  # noqa: E402

Array = npt.NDArray[np.float64]

N_CASES, SIZE, SPACING_MM = 32, (16, 16, 12), 4.0
LABELLED = tuple(f"case-{number:02d}" for number in range(1, 9))
SEGMENTED = ("case-30", "case-31")
NAMES = ("--modality", "seq7=T1c")
RECORD, MODELS = Path("cohort/.crossmodal"), Path("cohort/.crossmodal/models")
STATE = MODELS / "interrupted" / "training" / "state.safetensors"
NOT_KEPT = ("cache", "report.html", "*.lock", ".crossmodal", "resumed", "pictures")
INPUTS = ("task.json", "settings.json")


def main(work: Path) -> None:
    """Make everything in a folder and copy what is kept."""
    target = Path(__file__).resolve().parent / f"version-{CROSSMODAL_VERSION}"
    if target.exists():
        sys.exit(f"{target} exists already; what a version saved is not made again.")
    work.mkdir(parents=True)
    os.chdir(work)  # so that commands name no other folder
    write_cohort()
    write_record()
    write_models()
    write_results()
    write_scene(work)
    shutil.copytree(work, target, ignore=shutil.ignore_patterns(*NOT_KEPT))
    shutil.copytree(work / RECORD, target / "record", ignore=shutil.ignore_patterns(*NOT_KEPT))


def write_cohort() -> None:
    """Write images, label maps, the task and the settings of its network."""
    for number in range(1, N_CASES + 1):
        name = f"case-{number:02d}"
        images, label = make_case(np.random.default_rng(number))
        for sequence, values in images.items():
            write_image(Path("cohort") / name / f"{name}_{sequence}.nii.gz", values)
        if name in LABELLED:
            write_image(RECORD / "labels" / f"{name}.nii.gz", label)
        if name in SEGMENTED:
            write_image(Path("reference") / f"{name}.nii.gz", label)
    for file in INPUTS:
        shutil.copy(Path(__file__).resolve().parent / file, file)


def make_case(generator: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """Return FLAIR and T1c (0 to 255) and the label map of a head with a tumor, `(K, J, I)`."""
    steps = [(np.arange(n) - (n - 1) / 2) * SPACING_MM for n in SIZE]
    position = np.stack(np.meshgrid(*reversed(steps), indexing="ij")[::-1])
    head = generator.normal((27.0, 29.0, 21.0), 1.5).reshape(3, 1, 1, 1)
    radius = np.sqrt(((position / head) ** 2).sum(axis=0))
    center = (generator.uniform(-0.45, 0.45, size=3)).reshape(3, 1, 1, 1) * head
    distance = np.sqrt(((position - center) ** 2).sum(axis=0))
    size = generator.uniform(8.0, 12.0)
    tumor, core = distance < size, distance < 0.6 * size
    folds = 25.0 * np.cos(generator.uniform(4.0, 9.0) * radius)
    private = generator.uniform(2.0, 14.0)
    plain = {"flair": 110 + folds + 80 * tumor, "seq7": 120 - folds - 30 * tumor + 110 * core}
    noisy = {
        name: image + private * generator.normal(size=image.shape) / 2
        for name, image in plain.items()
    }
    images = {
        name: np.where(radius < 1, np.clip(v, 4, 255), 0) // 8 * 8 for name, v in noisy.items()
    }
    return images, np.where(radius < 1, tumor.astype(float) + core, 0)


def write_image(path: Path, values: Array) -> None:
    """Write whole numbers below 256 as a compressed image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values.astype(np.uint8))
    image.SetSpacing((SPACING_MM,) * 3)
    sitk.WriteImage(image, str(path), useCompression=True)


def write_record() -> None:
    """Correct the names, note what is labeled, select, and note what users do with a list."""
    run("MDALSelectorLib", "inspect", "cohort", *NAMES, "--save-modalities")
    record = open_record(Path("cohort"))
    record.change_states(dict.fromkeys(LABELLED, CaseState.LABELLED))
    run("MDALSelectorLib", "select", "cohort", "--budget", "4", "--estimator", "gaussian")
    record.change_states(
        {
            "case-20": CaseState.IN_PROGRESS,
            "case-21": CaseState.SKIPPED,
            "case-22": CaseState.CHECK_PAIRING,
        }
    )


def write_models() -> None:
    """Train a model, export it, and kill a second training between two of its saved states."""
    train("two-regions", "--steps", "150", "--validate-every", "75")
    (MODELS / "two-regions" / "training" / "state.safetensors").unlink()  # of no use any more
    run("CIMLSegmentLib", "export", str(MODELS / "two-regions"), "--monai-bundle", "bundle")
    options = ("--steps", "60", "--validate-every", "30", "--seed", "1")
    with subprocess.Popen(train_command("interrupted", *options), env=environment()) as process:
        while not STATE.is_file() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    shutil.copytree(MODELS / "interrupted", MODELS / "resumed")
    train("resumed", *options, "--resume")
    shutil.copy(MODELS / "resumed" / "training" / "log.jsonl", "resumed.jsonl")


def train(name: str, *options: str) -> None:
    """Train a model of the record to its end."""
    subprocess.run(train_command(name, *options), env=environment(), check=True)


def train_command(name: str, *options: str) -> list[str]:
    """Return the command that trains a model of the record."""
    fixed = ("--task", "task.json", "--settings", "settings.json", "--largest-patch", "16")
    more = ("--validation-case", "case-08", "--device", "cpu", "--output", str(MODELS / name))
    return [sys.executable, "-m", "CIMLSegmentLib", "train", "cohort", *fixed, *more, *options]


def write_results() -> None:
    """Segment a case with every kind of map and one with none, and compare both with labels."""
    command = ("segment", "cohort", "--model", str(MODELS / "two-regions"), "--output", "results")
    maps = ("--attention", "--gradcam", "--uncertainty")
    run("CIMLSegmentLib", *command, "--device", "cpu", "--case", SEGMENTED[0], *maps)
    run("CIMLSegmentLib", *command, "--device", "cpu", "--case", SEGMENTED[1])
    run(
        "CIMLSegmentLib",
        "evaluate",
        "results",
        "--reference",
        "reference",
        "--output",
        "evaluation",
    )


def write_scene(work: Path) -> None:
    """Save a scene with the ranking, an open case, and a result with one of its maps shown."""
    import slicer
    from studio import Studio

    studio = Studio(work / "pictures")
    panel = studio.show("MDALSelector")
    panel.ui.cohortPathLineEdit.currentPath = str(work / "cohort")
    panel.ui.inspectButton.click()
    studio.wait(lambda: not panel.inspection.isBusy)
    studio.wait(lambda: len(panel.cases.visibleCases()) == N_CASES)
    panel.cases.selectCase(panel.cases.rows[0].case_id)
    panel.onLoadCase()
    panel = studio.show("CIMLSegment")
    segment_in_panel(studio, panel, work)
    slicer.util.saveScene(str(work / "scene.mrb"))
    studio.host.close()


def segment_in_panel(studio: Any, panel: Any, work: Path) -> None:
    """Segment two volumes of the scene and show the map of a cell."""
    import slicer

    case = SEGMENTED[0]
    for sequence, modality in (("flair", "FLAIR"), ("seq7", "T1c")):
        file = work / "cohort" / case / f"{case}_{sequence}.nii.gz"
        slicer.util.loadVolume(str(file), {"name": f"{case}_{modality}"})
    panel.ui.modelPathLineEdit.currentPath = str(work / MODELS / "two-regions")
    panel.ui.outputPathLineEdit.currentPath = str(work / "panel-results")
    panel.ui.cohortPathLineEdit.currentPath = str(work / "cohort")
    panel.onMatchButton()
    for modality, number in (("FLAIR", 1), ("T1c", 2)):
        selector = getattr(panel.ui, f"inputSelector{number}")
        selector.setCurrentNode(slicer.util.getNode(f"{case}_{modality}"))
    for name in ("gradcam", "uncertainty"):
        getattr(panel.ui, f"{name}CheckBox").checked = True
    studio.wait(lambda: panel.ui.segmentButton.enabled, 30.0)
    panel.ui.segmentButton.click()
    studio.wait(lambda: not panel.jobs.isBusy, 300.0)
    panel.contributions.onCellPicked("WT", "FLAIR", "T1c")
    studio.pause()


def run(*command: str) -> None:
    """Run one of the programs to its end."""
    subprocess.run([sys.executable, "-m", *command], env=environment(), check=True)


def environment() -> dict[str, str]:
    """Return the environment of commands: one thread, so that sums have one order."""
    path = os.pathsep.join(str(ROOT / name) for name in ("MDALSelector", "CIMLSegment"))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
