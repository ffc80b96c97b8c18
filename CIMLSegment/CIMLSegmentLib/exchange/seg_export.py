"""Labels and results of DICOM cases as DICOM Segmentation objects on their source series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CIMLSegmentLib.exchange.dicom_seg import (
    Algorithm,
    SegSegment,
    SegType,
    read_source,
    require_highdicom,
    write_seg,
)
from CIMLSegmentLib.exchange.labelled_cases import (
    RESAMPLE,
    SAME_MM,
    CaseOnGrid,
    ExportJob,
    label_is_resampled,
    label_made_from,
    on_one_grid,
    or_left_out,
    read_label,
)
from CIMLSegmentLib.results.segmentation_result import StoredResult, read_results
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid, resample
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.label_names import draft_model
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.export_folder import ExportFolder, open_export
from MultimodalImagingLib.record.series_file import is_series_file, slice_files

OPTION = "--dicom-seg"
PROGRAM = "DICOM SEG"
KIND = "DICOM SEG"
PROBABILITY = "probability"


@dataclass(frozen=True)
class _Content:
    """What the object of a case holds.

    Attributes:
        made_from: All that it depends on, JSON-able.
        segments: Computes the segments, if the object has to be written.
        algorithm: What segmented.
    """

    made_from: object
    segments: Callable[[], list[SegSegment]]
    algorithm: Algorithm


@dataclass(frozen=True)
class ExportedSegs:
    """What an export wrote.

    Attributes:
        files: File per case.
        left_out: Case to the reason why it is not there.
        resampled: Cases that were resampled to the grid of their series.
        foreign: Files that somebody else changed or put there; they were left as they are.
    """

    files: Mapping[str, str]
    left_out: Mapping[str, str]
    resampled: tuple[str, ...]
    foreign: tuple[str, ...]


def export_labels(
    job: ExportJob, folder: Path, reporter: Reporter, *, kind: SegType
) -> ExportedSegs:
    """Write the labels of the cases of a cohort.

    Args:
        job: What is exported; a label is written on the series of the first primary modality.
        folder: Receives a file per case.
        reporter: Notified of every case.
        kind: Which form: segments are the task's regions, those of a label map its labels.

    Raises:
        UsageError: If highdicom is missing, labels shall be fractional, or the folder is not free.
        CrossModalError: If a file cannot be written.
    """
    require_highdicom()
    if kind == "fractional":
        msg = (
            "Labels say yes or no, so there is nothing fractional about them. Use --seg-type binary"
            " or labelmap, or give --results of `segment --probabilities`."
        )
        raise UsageError(msg)
    primary = job.task.primaries[0]
    items, left_out = on_one_grid(job.labelled, (primary,), job, program=PROGRAM)
    values = {value: value for value in job.task.labels}
    work = _Work(kind, left_out)

    def export(item: CaseOnGrid) -> None:
        if label_is_resampled(item):
            work.resampled.append(item.case.case_id)
        label = item.case.label
        drafted = draft_model(label.path) if label is not None else ""
        algorithm = Algorithm(drafted, is_edited=True) if drafted else Algorithm()

        def segments() -> list[SegSegment]:
            labels = read_label(item, job, values, program=PROGRAM)
            return _segments(labels, job.task, kind)

        made_from = [label_made_from(item, job, values), drafted]
        work.write(item.case, primary, item.grid, _Content(made_from, segments, algorithm))

    with open_export(folder, KIND, option=OPTION) as work.export:
        reporter.stage("Write cases", len(items))
        for item in items:
            or_left_out(item, export, left_out)
            reporter.advance()
        return work.done()


def export_results(
    cohort: Cohort,
    results: Path,
    folder: Path,
    reporter: Reporter,
    *,
    kind: SegType,
    may_resample: bool = False,
) -> ExportedSegs:
    """Write results of the cases of a cohort.

    Args:
        cohort: The cohort that was segmented.
        results: Folder of the results.
        folder: Receives a file per case.
        reporter: Notified of every case.
        kind: Which form; a fractional one holds the probabilities of the regions.
        may_resample: Whether a result on another grid may be brought to that of the series: labels
            by the nearest voxel, probabilities linearly.

    Raises:
        UsageError: If highdicom is missing, or the folder is not free.
        CohortError: If there is no result, or one cannot be read.
        CrossModalError: If a file cannot be written.
    """
    require_highdicom()
    found = read_results(results)
    if not found:
        msg = f"Expected results of `ciml-segmenter segment` in {results}, found none."
        raise CohortError(msg)
    cases = {case.case_id: case for case in cohort.cases}
    work = _Work(kind, {})
    with open_export(folder, KIND, option=OPTION) as work.export:
        reporter.stage("Write cases", len(found))
        for result in found:
            try:
                _export_result(result, cases.get(result.case_id), cohort, work, may_resample)
            except CohortError as error:
                work.left_out[result.case_id] = str(error)
            reporter.advance()
        return work.done()


def _export_result(
    result: StoredResult,
    case: Case | None,
    cohort: Cohort,
    work: _Work,
    may_resample: bool,
) -> None:
    kind = work.kind
    if case is None or result.primary not in case.images:
        msg = f"The cohort has no such case with {result.primary}. Give the cohort of the results."
        raise CohortError(msg)
    grid = cohort.grids[case.images[result.primary]]
    labels = read_label_map(ImageFile(result.label_map)).volume
    is_moved = not is_same_grid(labels.grid, grid, tolerance_mm=SAME_MM)
    if is_moved and not may_resample:
        msg = (
            f"The result does not lie on the grid of its {result.primary} series. Segment the case"
            f" again, or add {RESAMPLE} to bring it there."
        )
        raise CohortError(msg)
    if is_moved:
        work.resampled.append(result.case_id)
    files = [result.label_map, *_probability_files(result, kind).values()]

    def segments() -> list[SegSegment]:
        if kind == "fractional":
            return _fractional(result, grid, is_moved=is_moved)
        moved = resample(labels, grid, interpolation="nearest") if is_moved else labels
        return _segments(moved, result.task, kind)

    algorithm = _algorithm(result)
    made_from = [[file_checksum(file) for file in files], kind, algorithm.name, algorithm.version]
    work.write(case, result.primary, grid, _Content(made_from, segments, algorithm))


class _Work:
    """One export into an open folder."""

    export: ExportFolder

    def __init__(self, kind: SegType, left_out: dict[str, str]) -> None:
        self.kind = kind
        self.left_out = left_out
        self.resampled: list[str] = []
        self._files: dict[str, str] = {}

    def write(self, case: Case, modality: str, grid: Grid, content: _Content) -> None:
        image = case.images[modality]
        if not is_series_file(image.path):
            msg = (
                f"The {modality} image is no DICOM series, so a DICOM segmentation has nothing to"
                " refer to. Give the cohort as its DICOM files."
            )
            raise CohortError(msg)
        name = f"{case.case_id}.dcm"

        def make(path: Path) -> None:
            source = read_source(slice_files(image.path))
            segments = content.segments()
            write_seg(path, source, segments, grid, kind=self.kind, algorithm=content.algorithm)

        if self.export.write(name, [content.made_from, self.kind], make):
            self._files[case.case_id] = name
        self.export.save()

    def done(self) -> ExportedSegs:
        return ExportedSegs(
            self._files,
            dict(sorted(self.left_out.items())),
            tuple(name for name in self.resampled if name not in self.left_out),
            tuple(self.export.foreign),
        )


def _segments(labels: Volume, task: Task, kind: SegType) -> list[SegSegment]:
    """Return the regions of a task; for a label map its labels, which do not overlap."""
    if kind == "binary":
        masks = region_masks(labels.array, task)
        return [SegSegment(r.title, r.terminology, r.color, masks[r.name]) for r in task.regions]
    found = []
    for value, name in sorted(task.labels.items()):
        innermost = [region for region in task.regions if value in region.labels][-1]
        mask = np.asarray(labels.array == value)
        found.append(SegSegment(name, innermost.terminology, innermost.color, mask))
    return found


def _fractional(result: StoredResult, grid: Grid, *, is_moved: bool) -> list[SegSegment]:
    segments = []
    files = _probability_files(result, "fractional")
    for region in result.task.regions:
        volume = read_volume(ImageFile(files[region.name]))
        moved = resample(volume, grid) if is_moved else volume
        values = np.clip(moved.array, 0.0, 1.0)
        segments.append(SegSegment(region.title, region.terminology, region.color, values))
    return segments


def _probability_files(result: StoredResult, kind: SegType) -> dict[str, Path]:
    """Return the map of the probability of every region, for a fractional object.

    Raises:
        CohortError: If a region has none.
    """
    if kind != "fractional":
        return {}
    maps = {m.key.region or "": m.path for m in result.maps if m.key.kind == PROBABILITY}
    missing = [name for name in result.task.region_names if name not in maps]
    if missing:
        msg = (
            f"The result has no probability of {', '.join(missing)}. Segment the case again with"
            " --probabilities, or use --seg-type binary."
        )
        raise CohortError(msg)
    return maps


def _algorithm(result: StoredResult) -> Algorithm:
    model = result.model
    name, step = str(model.get("name", "")), str(model.get("step", ""))
    if name:
        return Algorithm(name, step)
    identity = str(model.get("model_id", ""))[:8]
    return Algorithm(f"CrossModal {result.task.name} {identity}".strip(), step)
