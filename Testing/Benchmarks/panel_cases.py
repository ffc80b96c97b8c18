"""Cases of full size opened, shown and closed: how long the window stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from panel_bench import PanelBench

SIZE = (182, 218, 182)  # voxels of a brain on the usual template, 1 mm
LABEL_SIZE = (300, 512, 512)  # of a CT with a label
NAMES = ("T1", "T1c", "T2", "FLAIR")


def measure_cases(bench: PanelBench) -> None:
    """Open a case of four images with a label, another one, and close it; save large labels."""
    from runs import Inspected

    panel = bench.show("MDALSelector")
    panel.ui.recordPathLineEdit.currentPath = str(bench.work / "record-of-full-size")
    cohort = full_size_cohort(bench.work / "full-size")
    panel.ui.cohortPathLineEdit.currentPath = str(cohort)
    panel.onInspected(Inspected(cohort))
    bench.wait(lambda: len(panel.cases.visibleCases()) == 3)
    part = f"case of four {' x '.join(map(str, SIZE))} volumes"
    first = "opening the first one, which makes the views"
    bench.standstill(part, first, lambda: panel.onLoadCase("brain-1"), repeats=1)
    names = iter(["brain-2", "brain-1", "brain-2"])
    bench.standstill(part, "opening another one", lambda: panel.onLoadCase(next(names)))
    bench.standstill(part, "closing it", panel.onCloseCaseButton, repeats=1)
    part = f"label of {' x '.join(map(str, LABEL_SIZE))} voxels"
    bench.standstill(part, "opening its case", lambda: panel.onLoadCase("brain-3"), repeats=1)
    case = panel.logic.case
    node = case.loader.segmentation()

    def edit() -> None:
        node.GetSegmentation().GetNthSegment(0).SetName("Edited")
        node.StorableModified()

    edit()
    bench.standstill(part, "asking whether it is saved", case.hasUnsavedChanges, repeats=1)
    bench.standstill(part, "saving it", case.save, repeats=1)
    panel.onCloseCaseButton()
    measure_result(bench, cohort)


def measure_result(bench: PanelBench, cohort: Path) -> None:
    """Open a result of full size, show its maps, also beside the primary image."""
    import example_result as example
    from runs import Inspected

    from MultimodalImagingLib.images.geometry import Grid

    results = bench.work / "full-size-results"
    if not results.is_dir():
        on = Grid(SIZE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), example.IDENTITY)
        example.write_example(results, on, task_name="brats", case="brain-1")
    panel = bench.show("CIMLSegment")
    parameters = panel._parameterNode
    parameters.modelPath = str(example.write_model_json(bench.work / "model-json", "brats"))
    parameters.recordPath = str(bench.work / "record-of-full-size")
    parameters.cohortPath, parameters.batchPath = str(cohort), str(results)
    panel.cohort.onInspected(Inspected(cohort))
    cases = panel.logic.work.cases
    found, folder = cases.cases["brain-1"].found, results / "brain-1"
    part = f"result of {' x '.join(map(str, SIZE))} voxels"
    bench.standstill(
        part, "opening it", lambda: panel.cohort.openResult(found, cases.files, folder)
    )
    table = panel.ui.shareTable
    texts = [(row, column) for row in range(table.rowCount) for column in range(3)]
    cells = iter([at for at in texts if table.item(*at).text().endswith("%")])
    matrix = panel.contributions.matrix
    bench.standstill(part, "showing a map", lambda: matrix._onClicked(*next(cells)))
    values = iter([True, False, True])

    def toggle() -> None:
        parameters.isSideBySide = next(values)

    bench.standstill(part, "showing it side by side, and not", toggle)
    bench.standstill(part, "taking it away", panel.contributions.onRemoveOverlayButton, repeats=1)
    panel.logic.work.case.close()


def full_size_cohort(folder: Path) -> Path:
    """Write two brains of four modalities and a case with large labels, once."""
    if folder.is_dir():
        return folder
    making = folder.with_name("full-size-in-the-making")
    generator = np.random.default_rng(0)
    for number in (1, 2):
        for name in NAMES:
            _write(making, f"brain-{number}", name.lower(), _image(generator, SIZE[::-1]))
        _write(making, f"brain-{number}", "seg", _labels(SIZE[::-1]))
    _write(making, "brain-3", "ct", _image(generator, LABEL_SIZE))
    _write(making, "brain-3", "t1", _image(generator, LABEL_SIZE))
    _write(making, "brain-3", "seg", _labels(LABEL_SIZE))
    return making.rename(folder)


def _image(generator: np.random.Generator, shape: tuple[int, int, int]) -> Any:
    inside = _ball(shape, 0.9)
    values = generator.normal(300.0, 40.0, size=shape).astype(np.float32)
    return np.where(inside, values, 0.0).astype(np.int16)


def _labels(shape: tuple[int, int, int]) -> Any:
    labels = np.zeros(shape, dtype=np.uint8)
    for value, radius in ((1, 0.5), (2, 0.35), (3, 0.2)):
        labels[_ball(shape, radius)] = value
    return labels


def _ball(shape: tuple[int, int, int], radius: float) -> Any:
    axes = np.ogrid[tuple(slice(-1.0, 1.0, n * 1j) for n in shape)]
    return sum(axis.astype(np.float32) ** 2 for axis in axes) < radius**2


def _write(folder: Path, case: str, name: str, array: Any) -> None:
    import SimpleITK as sitk  # noqa: N813

    (folder / case).mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    sitk.WriteImage(image, str(folder / case / f"{case}_{name}.nii.gz"))
