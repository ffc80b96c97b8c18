"""The cases of a cohort as other programs want them: images and label map on one grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from CIMLSegmentLib.task.label_scheme import LabelMaps
from CIMLSegmentLib.task.regions import lost_label, placed_regions
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.place_problems import (
    check_readings,
    label_problems,
    read_positions,
)
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.geometry import Grid, Volume, is_part_of, is_same_grid, resample
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid, read_volume
from MultimodalImagingLib.jobs.texts import counted, joined, listed
from MultimodalImagingLib.record.checksums import FileChecksums

RESAMPLE = "--resample"
SAME_MM = 1e-2  # headers that differ by less name the same grid


@dataclass(frozen=True)
class ExportJob:
    """What is exported.

    Attributes:
        cohort: The cohort.
        task: Its modalities and label values.
        labelled: The cases whose label maps are exported to be trained on.
        maps: The label maps of these cases, understood.
        known: Checksums of files.
        suggested: Cases that a selection suggests, in its order; empty if none was given.
        may_resample: Whether images and labels may be brought to the grid of the primary image.
        tested: Labeled cases of the evaluation set, which must not be trained on.
        held_out: All cases that must not be trained on, labeled or not.
    """

    cohort: Cohort
    task: Task
    labelled: tuple[Case, ...]
    maps: LabelMaps
    known: FileChecksums
    suggested: tuple[str, ...] = ()
    may_resample: bool = False
    tested: tuple[Case, ...] = ()
    held_out: frozenset[str] = frozenset()

    @property
    def unlabelled(self) -> tuple[Case, ...]:
        """The cases without a label map to train on."""
        names = {case.case_id for case in self.labelled}
        return tuple(case for case in self.cohort.cases if case.case_id not in names)

    def content_of(self, file: ImageFile) -> list[object]:
        """Return what stands for the content of a file."""
        return [self.known.of(file.path), file.component]


@dataclass(frozen=True)
class CaseOnGrid:
    """A case and the grid that its files are exported on.

    Attributes:
        case: The case.
        reference: The modality whose grid it is.
        grid: The grid.
        resampled: The modalities that have to be resampled to it.
    """

    case: Case
    reference: str
    grid: Grid
    resampled: tuple[str, ...]

    def read_image(self, modality: str) -> Volume:
        """Read an image on the grid; one that lies elsewhere is interpolated linearly.

        Raises:
            CohortError: If the file cannot be used.
        """
        image = read_volume(self.case.images[modality])
        if modality in self.resampled:
            lowest = float(min(0, image.array.min()))  # air
            return resample(image, self.grid, fill=lowest)
        return Volume(image.array, self.grid)

    def made_from(self, modality: str, job: ExportJob) -> list[object]:
        """Return what an exported image depends on."""
        content = job.content_of(self.case.images[modality])
        return [*content, _numbers(self.grid)] if modality in self.resampled else content


def on_one_grid(
    cases: Sequence[Case], modalities: Sequence[str], job: ExportJob, *, program: str
) -> tuple[tuple[CaseOnGrid, ...], dict[str, str]]:
    """Find the grid of every case that has all the modalities.

    Args:
        cases: The cases.
        modalities: What has to be exported of every case.
        job: The export.
        program: The program that demands one grid.

    Returns:
        The cases, and why the others are left out.

    Raises:
        UsageError: If images lie on different grids and may not be resampled; nothing is written.
    """
    found: list[CaseOnGrid] = []
    left_out: dict[str, str] = {}
    for case in cases:
        missing = [name for name in modalities if name not in case.images]
        if missing:
            left_out[case.case_id] = (
                f"{program} needs all of {', '.join(modalities)} of every case; this one lacks"
                f" {joined(missing)}."
            )
            continue
        reference = next(name for name in (*job.task.primaries, *modalities) if name in modalities)
        grid = job.cohort.grids[case.images[reference]]
        other = tuple(
            name
            for name in modalities
            if not is_same_grid(job.cohort.grids[case.images[name]], grid, tolerance_mm=SAME_MM)
        )
        found.append(CaseOnGrid(case, reference, grid, other))
    apart = {item.case.case_id: item for item in found if item.resampled}
    if apart and not job.may_resample:
        first = next(iter(apart.values()))
        msg = (
            f"{program} demands one grid per case, and the modalities of"
            f" {counted(len(apart), 'case', 'lie', 'lie')} on several: {listed(list(apart))}"
            f" ({joined(first.resampled)} not on that of {first.reference} in case"
            f" {first.case.case_id}). Nothing was written. Add {RESAMPLE} to bring them to the grid"
            f" of {first.reference}, or register and resample them yourself."
        )
        raise UsageError(msg)
    return tuple(found), left_out


def read_label(
    item: CaseOnGrid, job: ExportJob, values: Mapping[int, int], *, program: str
) -> Volume:
    """Read a label map on the grid of its case.

    Args:
        item: The case.
        job: The export.
        values: Exported value per label value of the task.
        program: The program that demands the grid.

    Returns:
        The exported values, uint8 or int16; a cut-out, such as 3D Slicer writes, is completed.

    Raises:
        CohortError: If the label map cannot be used, lies mostly elsewhere, or would have to be
            resampled and may not.
    """
    case = item.case
    check_readings(case, read_positions(case, job.task.modalities))
    labels = job.maps.read(case.case_id)
    regions = placed_regions(labels, item.grid, job.task)
    lost = lost_label(regions)
    if lost is not None:
        positions = read_positions(case, job.task.modalities)
        causes = (problem.message for problem in label_problems(case, positions))
        raise CohortError(" ".join([lost, *causes]))
    if not label_fits(labels.grid, item.grid) and not job.may_resample:
        msg = (
            f"The label map does not lie on the grid of {item.reference}, which {program} demands."
            f" Add {RESAMPLE} to bring it there (nearest voxel), or draw it on {item.reference}."
        )
        raise CohortError(msg)
    exact = Volume(labels.array, item.grid) if labels.grid.size == item.grid.size else labels
    if not is_same_grid(labels.grid, item.grid, tolerance_mm=SAME_MM):
        exact = resample(labels, item.grid, interpolation="nearest")
    is_small = max(values.values(), default=0) < 256
    exported = np.zeros(item.grid.array_shape, np.uint8 if is_small else np.int16)
    for value, written in values.items():
        exported[exact.array == value] = written
    return Volume(exported, item.grid)


def label_fits(label: Grid, grid: Grid) -> bool:
    """Tell whether the voxels of a label map are some or all of those of a grid, or it is empty."""
    is_empty = label.size == (1, 1, 1)  # so Slicer writes a segmentation without voxels
    is_same = is_same_grid(label, grid, tolerance_mm=SAME_MM)
    return is_empty or is_same or is_part_of(label, grid)


def label_made_from(item: CaseOnGrid, job: ExportJob, values: Mapping[int, int]) -> list[object]:
    """Return what an exported label map depends on."""
    case = item.case
    content = job.content_of(case.label) if case.label is not None else []
    translation = sorted(job.maps.scheme.translations.get(case.case_id, {}).items())
    return [content, translation, sorted(values.items()), _numbers(item.grid)]


def or_left_out(
    item: CaseOnGrid, export: Callable[[CaseOnGrid], None], left_out: dict[str, str]
) -> None:
    """Export a case; if it cannot be read, it is left out with the reason.

    Args:
        item: The case.
        export: Exports it.
        left_out: Receives case and reason.
    """
    try:
        export(item)
    except CohortError as error:
        left_out[item.case.case_id] = str(error).removeprefix(f"Case {item.case.case_id}: ")


def label_is_resampled(item: CaseOnGrid) -> bool:
    """Tell whether the label map of a case has to be resampled to its grid."""
    label = item.case.label
    return label is not None and not label_fits(read_grid(label, is_label=True), item.grid)


def _numbers(grid: Grid) -> list[object]:
    return [list(grid.size), *map(list, (grid.spacing_mm, grid.origin_mm, grid.direction))]
