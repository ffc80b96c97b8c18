"""Both panels on one small cohort with labels and results, for tests of the case that is open."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "Testing" / "Helpers"))

CASES = ("case-1", "case-2", "case-3")
LABELLED, SEGMENTED = CASES[:1], CASES[1:]
MODALITIES = ("CT", "PET")


def write_cohort(folder: Path, *, origin=(0.0, 0.0, 0.0), direction=None) -> Path:
    """Write PET and CT of three cases, and a label map of the first.

    Args:
        folder: Receives a folder per case.
        origin: Moves all images, LPS in mm.
        direction: Directions of the axes; `None` for the usual ones.
    """
    import example_result as example
    import SimpleITK as sitk  # noqa: N813

    from MultimodalImagingLib.images.geometry import Volume, image_from_volume

    on = example.grid(direction=direction)
    for number, case in enumerate(CASES):
        (folder / case).mkdir(parents=True)
        arrays = {name: example.image(name, on).array + np.float32(number) for name in MODALITIES}
        if case in LABELLED:
            arrays["seg"] = (example.ball(on, example.LESION, 9) > 0.5).astype("uint8")
        for name, array in arrays.items():
            image = image_from_volume(Volume(array, on))
            image.SetOrigin([a + b for a, b in zip(image.GetOrigin(), origin, strict=True)])
            sitk.WriteImage(image, str(folder / case / f"{name.lower()}.nii.gz"))
    return folder


def write_results(folder: Path) -> Path:
    """Write results of the cases without label."""
    import example_result as example

    for case in SEGMENTED:
        example.write_example(folder, example.grid(), task_name="pet-ct", case=case)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Return the checksum of every file of a cohort, without its record."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if ".crossmodal" not in path.parts
    }


class Done:
    """What a panel needs of an inspection that is done."""

    def __init__(self, content: dict[str, Any], cohort: Path) -> None:
        self.result = content
        self.arguments = ("MDALSelectorLib", "inspect", str(cohort))


class Desk:
    """Both panels, which know the cohort.

    Attributes:
        selector: The panel of MDALSelector.
        segmenter: The panel of CIMLSegment.
        cohort: Folder of the cohort.
        record: Folder of its record.
        results: Folder of results; `None` if there are none.
        case: The open case.
    """

    def __init__(self, load_module: Any, wait_until: Any, cohort: Path, record: Path) -> None:
        import slicer

        from MultimodalSlicerLib.open_case import openCaseOf
        from MultimodalWidgetsLib.case_keeper import caseKeeper

        caseKeeper()._nTicks = 0  # no work is kept by itself before this test is over
        self.cohort, self.record, self._wait = cohort, record, wait_until
        self.results: Path | None = None
        self.selector = load_module(ROOT / "MDALSelector" / "MDALSelector.py")
        self.segmenter = load_module(ROOT / "CIMLSegment" / "CIMLSegment.py")
        self.case = openCaseOf(slicer.mrmlScene)
        for panel in (self.selector, self.segmenter):
            for name in dir(panel.ui):
                if name.endswith("CollapsibleButton"):
                    getattr(panel.ui, name).collapsed = False

    def know(self, results: Path | None = None, *, drafts: bool = False) -> None:
        """Show the cohort in both panels as after an inspection, without its job.

        Args:
            results: Folder of results, if there are some.
            drafts: Whether labels begin with them.
        """
        import slicer

        from MultimodalSlicerLib.selection_parameters import LabelStart

        self.results = results
        start = LabelStart.RESULT if drafts else LabelStart.EMPTY
        self.selector.logic.getParameterNode().labelStart = start

        job = Done(_inspected(self.cohort), self.cohort)
        slicer.util.selectModule("MDALSelector")
        self.selector.ui.cohortPathLineEdit.currentPath = str(self.cohort)
        self.selector.ui.recordPathLineEdit.currentPath = str(self.record)
        self.selector.onInspected(job)
        slicer.util.selectModule("CIMLSegment")
        parameters = self.segmenter._parameterNode
        parameters.cohortPath, parameters.recordPath = str(self.cohort), str(self.record)
        if results is not None:
            parameters.batchPath = str(results)
        self.segmenter.cohort.onInspected(job)
        if results is not None:
            known = self.segmenter.cohort.work.cases
            self._wait(lambda: not known.unlabelled)
        slicer.util.selectModule("MDALSelector")
        self._wait(lambda: len(self.selector.cases.visibleCases()) == len(CASES))

    def stateOf(self, case: str) -> str:
        """Return what CIMLSegment knows of a case."""
        return self.segmenter.cohort.work.cases.cases[case].state

    def open(self, case: str) -> None:
        """Open a case of the cohort, as a double click in MDALSelector does."""
        import slicer

        self.selector.onLoadCase(case)
        slicer.app.processEvents()

    def openResult(self, case: str) -> None:
        """Open a finished case of a batch, as a double click in CIMLSegment does."""
        import slicer

        slicer.util.selectModule("CIMLSegment")
        self.segmenter.cohort.onOpenResult(case)
        slicer.app.processEvents()

    def keep(self) -> None:
        """Keep unsaved work, as happens every two minutes."""
        from MultimodalWidgetsLib.case_keeper import caseKeeper

        caseKeeper().keep()

    @property
    def reader(self) -> str:
        """Who reads; labels are named like their file, which is named like the reader."""
        from MultimodalSlicerLib.reader import currentReader

        return currentReader()

    def labelPath(self, case: str) -> Path:
        """Return where the labels of a case belong."""
        from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
        from MultimodalImagingLib.record.cohort_record import CohortRecord

        return reader_label_place(case, self.reader, CohortRecord(self.record))


@cache
def _inspected(cohort: Path) -> dict[str, Any]:
    from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

    return inspect_cohort(cohort).to_json()


def paint(node: Any, seed: int = 0) -> None:
    """Change some voxels, or add a segment where there is none."""
    import slicer

    segmentation, generator = node.GetSegmentation(), np.random.default_rng(seed)
    if not segmentation.GetNumberOfSegments():
        segmentation.AddEmptySegment("lesion", "lesion")
    segment = segmentation.GetNthSegmentID(0)
    volume = node.GetNodeReference("referenceImageGeometryRef")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume)
    k, j, i = (int(generator.integers(0, n - 3)) for n in array.shape)
    array[k : k + 3, j : j + 3, i : i + 3] = 1 - array[k, j, i]
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segment, volume)


def shown_views(scene: Any) -> list[tuple[Any, Any, Any]]:
    """Return slice node, composite node and image of every view of the present layout."""
    import slicer

    found = []
    description = scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetCurrentLayoutDescription()
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        name = composite.GetLayoutName()
        if f'singletontag="{name}"' in description:
            view = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
            image = scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
            found.append((view, composite, image))
    return found


def untrue_headers(scene: Any) -> list[str]:
    """Return what is wrong with the headers of the views that are shown side by side."""
    from MultimodalSlicerLib.open_case import VIEW_PREFIX

    wrong = []
    for view, _composite, image in shown_views(scene):
        if not view.GetLayoutName().startswith(VIEW_PREFIX):
            continue
        header = view.GetLayoutLabel()
        if image is None:
            true = {"-"}
        else:
            modality = image.GetAttribute("CrossModal.Modality")
            stem = Path(image.GetAttribute("CrossModal.File") or "").name.split(".")[0]
            name = modality if modality and image.GetName() == stem else image.GetName()
            true = {name, f"{name} with map"}
        if header not in true:
            wrong.append(f"{view.GetLayoutName()} says {header}, expected one of {true}")
    return wrong


def black_views(scene: Any) -> list[str]:
    """Return the views whose slice lies outside their image."""
    from MultimodalSlicerLib.slice_views import isInside

    views = shown_views(scene)
    return [
        f"{view.GetLayoutName()} at {view.GetSliceOffset():.1f} misses {image.GetName()}"
        for view, _composite, image in views
        if image is not None and not isInside(view, image)
    ]
