"""Label maps that another program predicted, taken over as results: drafts until a user saves them.

nnU-Net puts the `dataset.json` of its training into the folder of its predictions; so values are
taken by name. Nothing is resampled: a prediction on another grid belongs to another image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from CIMLSegmentLib.exchange.labelled_cases import SAME_MM
from CIMLSegmentLib.results.result_io import check_replaceable, write_result
from CIMLSegmentLib.results.segmentation_result import SegmentationResult, empty_region_warnings
from CIMLSegmentLib.task.label_scheme import LabelMaps, find_label_maps
from CIMLSegmentLib.task.label_values import LabelValues
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.label_folder import LabelMatches, label_maps_in
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume, is_part_of, is_same_grid, resample
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import listed


@dataclass(frozen=True)
class ImportJob:
    """What becomes of predictions.

    Attributes:
        task: What the labels are; the result lies on the grid of its first primary.
        name: What the model is called.
        output: Receives a result folder per case.
        said: What the user says about label values.
        overwrite: Whether older results are replaced.
    """

    task: Task
    name: str
    output: Path
    said: LabelValues
    overwrite: bool = False


@dataclass(frozen=True)
class Imported:
    """What became of predictions.

    Attributes:
        done: Result folder per case.
        refused: Case to the reason why its prediction was not taken over.
        unmatched: Files that belong to no case.
    """

    done: Mapping[str, Path]
    refused: Mapping[str, str]
    unmatched: tuple[str, ...]


def import_predictions(
    cohort: Cohort, folder: Path, job: ImportJob, reporter: Reporter
) -> Imported:
    """Take over the predictions in a folder as results.

    Args:
        cohort: The cohort; files are matched to its cases by name.
        folder: Folder with a label map per case.
        job: What becomes of them.
        reporter: Notified of every case.

    Raises:
        CohortError: If no file belongs to a case, or label values cannot be explained.
        CrossModalError: If a result cannot be written.
    """
    matches = _matches(cohort, folder)
    for problem in matches.problems:
        (reporter.info if problem.severity == "info" else reporter.warning)(str(problem))
    files = {case: ImageFile(path) for case, path in matches.labels.items()}
    maps = find_label_maps(files, job.task, said=job.said, reporter=reporter)
    maps.tell(reporter)
    done: dict[str, Path] = {}
    refused: dict[str, str] = dict(maps.survey.faults)
    reporter.stage("Write drafts", len(files))
    for case in cohort.cases:
        if case.case_id not in files:
            continue
        if case.case_id not in refused:
            try:
                done[case.case_id] = _take_over(case, cohort, maps, job)
            except (CohortError, UsageError) as error:
                refused[case.case_id] = str(error)
        reporter.advance()
    return Imported(done, refused, tuple(path.name for path in matches.unused))


def _matches(cohort: Cohort, folder: Path) -> LabelMatches:
    case_ids = [case.case_id for case in cohort.cases]
    matches = label_maps_in(folder, case_ids, cohort.patterns)
    if not matches.labels:
        found = [path.name for path in matches.unused]
        msg = (
            f"Expected label maps in {folder} that are named like the cases (such as"
            f" {min(case_ids)}), found {listed(found) or 'none'}. Give the folder that"
            " `nnUNetv2_predict -o` wrote, or rename the files."
        )
        raise CohortError(msg)
    return matches


def _take_over(case: Case, cohort: Cohort, maps: LabelMaps, job: ImportJob) -> Path:
    check_replaceable(job.output, case.case_id, overwrite=job.overwrite)
    primary = job.task.subtasks[0].primary
    if primary not in case.images:
        msg = f"The case lacks {primary}, on whose grid its results lie. Add the image."
        raise CohortError(msg)
    labels = _on_grid(maps.read(case.case_id), cohort.grids[case.images[primary]], primary)
    result = SegmentationResult(
        case_id=case.case_id,
        task=job.task,
        primary=primary,
        label_map=labels,
        model={"name": job.name},
    )
    warnings = tuple(empty_region_warnings(result.volumes_ml(), job.task))
    result = replace(result, warnings=warnings)
    return write_result(result, job.output, overwrite=job.overwrite)


def _on_grid(labels: Volume, grid: Grid, primary: str) -> Volume:
    """Return the labels on a grid that has all their voxels.

    Raises:
        CohortError: If it has not.
    """
    array = labels.array
    if not is_same_grid(labels.grid, grid, tolerance_mm=SAME_MM):
        if not is_part_of(labels.grid, grid):
            msg = (
                f"Expected the prediction on the grid of {primary} ({_text(grid)}), found another"
                f" ({_text(labels.grid)}). It was not resampled; predict on the images that"
                " `ciml-segmenter export --nnunet` wrote, or check that it is of this case."
            )
            raise CohortError(msg)
        array = resample(labels, grid, interpolation="nearest").array
    is_small = int(array.max(initial=0)) < 256
    return Volume(array.astype(np.uint8 if is_small else np.int16), grid)


def _text(grid: Grid) -> str:
    numbers: Sequence[tuple[str, Sequence[float]]] = (
        ("voxels", grid.size),
        ("mm", grid.spacing_mm),
        ("mm from the origin", grid.origin_mm),
    )
    return ", ".join(f"{'x'.join(f'{n:.4g}' for n in values)} {unit}" for unit, values in numbers)
