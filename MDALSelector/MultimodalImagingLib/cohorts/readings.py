"""The readings of a case: the labels of its readers, also blinded ones, on one grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.labelled_cases import reader_labels
from MultimodalImagingLib.cohorts.reader_labels import EARLIER, SEGMENTATION, label_files, label_key
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.segment_masks import SegmentMasks, read_segment_masks
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.readers import BLINDED_MARK, CONSENSUS

_LEAST_KEPT = 0.98
EARLIER_NAME = "earlier label"


@dataclass(frozen=True)
class Reading:
    """One label of a case by one reader.

    Attributes:
        reader: Who made it; `EARLIER_NAME` for one of an earlier version.
        is_blinded: Whether the reader did not see an earlier label.
        file: Where it is.
    """

    reader: str
    is_blinded: bool
    file: Path

    @property
    def name(self) -> str:
        """The reading in words: `AB`, `AB (blinded)`."""
        return f"{self.reader} (blinded)" if self.is_blinded else self.reader


def readings_of(case_id: str, record: CohortRecord) -> tuple[Reading, ...]:
    """Return the readings of a case: open ones first, then blinded ones, each by name."""
    found = [
        Reading(EARLIER_NAME if reader == EARLIER else reader, False, file)
        for reader, file in reader_labels(case_id, record).items()
        if file.name.endswith(SEGMENTATION) or reader == EARLIER
    ]
    blinded_end = label_key("", is_blinded=True)
    for key, file in label_files(case_id, record).items():
        if key != CONSENSUS and key.endswith(blinded_end):
            found.append(Reading(key.split(BLINDED_MARK, 1)[0], True, file))
    return tuple(sorted(found, key=lambda r: (r.is_blinded, r.reader.casefold())))


def one_per_reader(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Keep one reading of each reader: the open one, where there is one."""
    kept: dict[str, Reading] = {}
    for reading in readings:
        kept.setdefault(reading.reader.casefold(), reading)
    return tuple(kept.values())


def grid_of_case(case: Case, cohort: Cohort, primary: str | None = None) -> Grid:
    """Return the grid on which readings are compared: that of the primary image.

    Args:
        case: The case.
        cohort: Its cohort.
        primary: The primary modality; `None`, or one that the case lacks, for the first that it
            has, in the cohort's order.
    """
    grids = cohort.image_grids(case)
    return grids[primary] if primary in grids else next(iter(grids.values()))


def read_masks(
    readings: tuple[Reading, ...], grid: Grid, remarks: list[str]
) -> dict[Reading, SegmentMasks]:
    """Read labels onto one grid, and say which of them had another one.

    Args:
        readings: The readings.
        grid: The grid.
        remarks: Receives a sentence for labels on other grids, and for what lies outside.

    Raises:
        CohortError: If a file cannot be read.
    """
    found = {reading: read_segment_masks(reading.file, grid) for reading in readings}
    moved = [reading.name for reading, masks in found.items() if masks.is_moved]
    if moved:
        remarks.append(
            f"Drawn on another grid than the primary image, and brought to its grid to be compared:"
            f" the label of {' and of '.join(moved)}."
        )
    voxel_ml = math.prod(grid.spacing_mm) / 1000
    for reading, masks in found.items():
        kept_ml = sum(int(mask.sum()) for mask in masks.masks.values()) * voxel_ml
        if kept_ml < _LEAST_KEPT * masks.drawn_ml and masks.drawn_ml - kept_ml > voxel_ml:
            remarks.append(
                f"Only {kept_ml:.3g} of {masks.drawn_ml:.3g} ml of the label of {reading.name} are"
                " on the grid of the primary image and count here; the rest lies outside, or is"
                " finer than its voxels. Check that it was drawn on this case."
            )
    return found
