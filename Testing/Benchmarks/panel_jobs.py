"""Jobs of the panels from the click to the result: how long the window stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panel_bench import Figure, PanelBench

TRAINING_STEPS = 6
LIMIT_MS = 100


def measure_jobs(bench: PanelBench, patient: Path | None) -> None:
    """Inspect and select; train, segment and batch; a patient of full size if there is one."""
    cohort = bench.cohort()
    measure_nothing(bench)
    measure_selection(bench, cohort)
    model = measure_training(bench, cohort)
    measure_batch(bench)
    measure_segmentation(bench, model, phantom_files(cohort))
    if patient is not None:
        measure_segmentation(bench, untrained_model(bench), patient_files(patient))
    measure_chatty_job(bench)


def measure_nothing(bench: PanelBench, seconds: float = 10.0) -> None:
    """What other programs on this machine do to a panel at rest, to compare with."""
    from pulse import Pulse

    bench.show("MDALSelector")
    pulse = Pulse()
    bench.pause(seconds)
    rest = pulse.stop()[""]
    note = f"{1000 * rest.cpu_s:.0f} ms computed; what other programs cause"
    bench.figures.add(Figure("job", "none runs, 10 s", 1000 * rest.wall_s, None, "ms", note))


def measure_selection(bench: PanelBench, cohort: Path) -> None:
    """The two jobs of MDALSelector."""
    panel = bench.show("MDALSelector")
    panel.ui.recordPathLineEdit.currentPath = str(bench.work / "record")
    panel.ui.cohortPathLineEdit.currentPath = str(cohort)
    watch(bench, "inspect", panel.ui.inspectButton, lambda: panel.inspection)
    panel.ui.estimatorComboBox.setCurrentText("Gaussian (closed form)")
    panel._parameterNode.budget = 5  # percent: most cases are labeled
    watch(bench, "select", panel.ui.startButton, lambda: panel.jobs)


def measure_training(bench: PanelBench, cohort: Path) -> Path:
    """A training to its end; returns the model that the panel then uses."""
    panel = bench.show("CIMLSegment")
    ui = panel.ui
    ui.cohortPathLineEdit.currentPath = str(cohort)
    panel._parameterNode.recordPath = str(bench.work / "record")
    ui.inspectButton.click()
    bench.wait(lambda: not panel.cohort.inspection.isBusy)
    ui.taskComboBox.currentIndex = 0
    ui.stepsSpinBox.value = TRAINING_STEPS
    watch(bench, "train", ui.trainButton, lambda: panel.cohort.train.jobs)
    ui.useModelButton.click()
    return Path(panel._parameterNode.modelPath)


def measure_batch(bench: PanelBench) -> None:
    """The unlabeled cases."""
    panel = bench.show("CIMLSegment")
    panel.ui.batchPathLineEdit.currentPath = str(bench.work / f"results-{time.time_ns()}")
    bench.wait(lambda: panel.ui.batchButton.enabled)
    watch(bench, "batch", panel.ui.batchButton, lambda: panel.cohort.batch)


def measure_segmentation(bench: PanelBench, model: Path, files: dict[str, Path]) -> None:
    """One case from the scene, to the segmentation in the scene."""
    import slicer

    bench.scene.Clear(0)
    panel = bench.show("CIMLSegment")
    for modality, path in files.items():
        slicer.util.loadVolume(str(path), {"name": f"Patient {modality}"})
    panel.ui.modelPathLineEdit.currentPath = str(model)
    slicer.app.processEvents()
    sizes = [path.stat().st_size for path in files.values()]
    name = f"segment, {len(files)} files of {sum(sizes) / 2**20:.0f} MB"
    watch(bench, name, panel.ui.segmentButton, lambda: panel.jobs)
    before = time.perf_counter()
    click_map(panel)
    figure = Figure("job", f"{name}: a map is shown", ms_since(before), None, "ms")
    bench.figures.add(figure)


def watch(bench: PanelBench, name: str, button: Any, section: Callable[[], Any]) -> None:
    """Click a button and measure the click, the job, and how its end is shown."""
    import drive
    from pulse import Pulse, Sleeper

    before = time.perf_counter()
    drive.click(button)
    clicked_ms = ms_since(before)
    job = section().job
    pulse = Pulse(lambda: "shown" if job.state.isOver else "running")
    sleeper = Sleeper()
    bench.wait(lambda: job.state.isOver)
    late = f"; a thread that only sleeps was {1000 * sleeper.stop():.0f} ms late"
    bench.pause()
    found = pulse.stop()
    if job.state.value != "done":
        msg = f"The job {name} ended as {job.state.value}: {job.errorMessage}"
        raise RuntimeError(msg)
    running, shown = found["running"], found["shown"]
    note = f"{1000 * running.cpu_s:.0f} ms computed{late}"
    bench.figures.add(Figure("job", f"{name}: the click", clicked_ms, None, "ms"))
    bench.figures.add(
        Figure("job", f"{name}: while it runs", 1000 * running.wall_s, LIMIT_MS, "ms", note)
    )
    note = f"{1000 * shown.cpu_s:.0f} ms computed"
    bench.figures.add(
        Figure("job", f"{name}: its end is shown", 1000 * shown.wall_s, None, "ms", note)
    )


def click_map(panel: Any) -> None:
    """Click the first cell of the matrix that has a map."""
    import drive

    drive.click_cell(panel.ui.shareTable, 0, 0)


def phantom_files(cohort: Path) -> dict[str, Path]:
    """Files of an unlabeled phantom with all modalities."""
    for case in sorted(cohort.iterdir(), reverse=True):
        files = {
            name: case / f"{case.name}_{name.lower()}.nii.gz"
            for name in ("FLAIR", "T1c", "T1", "T2")
        }
        if all(path.is_file() for path in files.values()):
            return files
    msg = f"No case of {cohort} has all modalities."
    raise FileNotFoundError(msg)


def patient_files(folder: Path) -> dict[str, Path]:
    """Files of a patient with PET, CT and T1."""
    return {name: folder / f"{name.lower()}.nii.gz" for name in ("PET", "CT", "T1")}


def untrained_model(bench: PanelBench) -> Path:
    """A small model with random weights for PET, CT and T1; time does not depend on training."""
    import example_result

    folder = bench.work / "model-pet-ct-mr"
    return (
        example_result.write_model(folder, patch_size=(64, 64, 64))
        if not folder.is_dir()
        else folder
    )


def measure_chatty_job(bench: PanelBench) -> None:
    """A job that writes more than any of ours."""
    from MultimodalWidgetsLib.background_process import BackgroundProcess

    folder = bench.work / "chatty"
    folder.mkdir(exist_ok=True)
    (folder / "chatty.py").write_text(
        "import json\n"
        "for n in range(4000):\n"
        "    print(f'line {n} of a long log, as training writes it')\n"
        "    print(json.dumps({'event': 'progress', 'stage': 'Train', 'done': n, 'total': 4000,"
        " 'eta_s': 1.0}))\n"
        "    if n % 10 == 0:\n"
        "        print(json.dumps({'event': 'result', 'step': n, 'loss': 1.0 / (n + 1)}))\n",
        encoding="utf-8",
    )
    panel = bench.show("CIMLSegment")

    def submit() -> None:
        job = BackgroundProcess(["chatty"], title="Chatty", owner="CIMLSegment")
        job.resulted.connect(panel.cohort.train.onTrainingEvent)
        panel.cohort.train.jobs.submit(job, lambda _job: None)

    def is_over() -> bool:
        job = panel.cohort.train.jobs.job
        return job is not None and job.title == "Chatty" and job.state.isOver

    from unittest import mock

    from MultimodalWidgetsLib import background_process, child_python

    def environment() -> Any:
        import os

        found = child_python.childEnvironment()
        found.insert("PYTHONPATH", f"{folder}{os.pathsep}{found.value('PYTHONPATH')}")
        return found

    with mock.patch.object(background_process, "childEnvironment", environment):
        bench.standstill(
            "job",
            "a training that tells 8000 lines and 400 points of its curve",
            submit,
            is_over,
            limit_ms=LIMIT_MS,
            repeats=1,
        )


def ms_since(start: float) -> float:
    """Milliseconds since a reading of the clock."""
    return 1000 * (time.perf_counter() - start)
