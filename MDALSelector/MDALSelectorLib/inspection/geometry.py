"""The geometry of a cohort in numbers: size, spacing, orientation and overlap of every case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.images.geometry import Grid, extent_mm, is_same_grid
from MultimodalImagingLib.images.geometry_checks import (
    OBLIQUE_DEG,
    Verdict,
    case_verdict,
    orientation,
)

OWN_GRID = "its own grid"


@dataclass(frozen=True)
class CaseGeometry:
    """Where the images of a case lie.

    Attributes:
        case_id: The case.
        grids: Grid per modality, in the order of the cohort.
        label_on: The modality whose grid the label map has, `OWN_GRID`, or `None` without label.
        verdict: How the images lie to each other.
        overlap: Smallest share of the smaller field of view of two modalities inside the other.
    """

    case_id: str
    grids: Mapping[str, Grid]
    label_on: str | None
    verdict: Verdict
    overlap: float


@dataclass(frozen=True)
class ModalityGeometry:
    """What the images of a modality have in common.

    Attributes:
        modality: The modality.
        n_images: Number of cases that have it.
        size: Range of the number of voxels along `(I, J, K)`, as text.
        spacing_mm: Range of the spacing, as text, mm.
        extent_mm: Range of the field of view, as text, mm.
        orientations: Number of images per orientation, the most frequent first.
    """

    modality: str
    n_images: int
    size: str
    spacing_mm: str
    extent_mm: str
    orientations: Mapping[str, int]


@dataclass(frozen=True)
class GeometryReport:
    """The geometry of a cohort.

    Attributes:
        cases: One entry per case, in the order of the cohort.
        modalities: One entry per modality, in the order of the cohort.
    """

    cases: tuple[CaseGeometry, ...]
    modalities: tuple[ModalityGeometry, ...]

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """Number of cases per verdict that occurs, from best to worst."""
        counts = Counter(case.verdict for case in self.cases)
        return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}

    @property
    def labels_on(self) -> dict[str, int]:
        """Number of label maps per modality whose grid they have, the most frequent first."""
        counts = Counter(case.label_on for case in self.cases if case.label_on is not None)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def geometry_report(cohort: Cohort) -> GeometryReport:
    """Describe where the images of a cohort lie, from the headers that were read already."""
    cases = tuple(_case_geometry(cohort, case) for case in cohort.cases)
    by_modality = {
        modality: [case.grids[modality] for case in cases if modality in case.grids]
        for modality in cohort.modalities
    }
    return GeometryReport(
        cases,
        tuple(_modality_geometry(modality, grids) for modality, grids in by_modality.items()),
    )


def _case_geometry(cohort: Cohort, case: Case) -> CaseGeometry:
    grids = cohort.image_grids(case)
    verdict, overlap = case_verdict(grids)
    label = None if case.label is None else cohort.grids[case.label]
    on = None if label is None else _same_as(label, grids)
    return CaseGeometry(case.case_id, grids, on, verdict, overlap)


def _same_as(label: Grid, grids: Mapping[str, Grid]) -> str:
    return next((m for m, grid in grids.items() if is_same_grid(label, grid)), OWN_GRID)


def _modality_geometry(modality: str, grids: list[Grid]) -> ModalityGeometry:
    orientations = Counter(_orientation_kind(grid) for grid in grids)
    return ModalityGeometry(
        modality,
        len(grids),
        _range([np.asarray(grid.size, dtype=float) for grid in grids], lambda v: f"{v:.0f}"),
        _range([np.asarray(grid.spacing_mm) for grid in grids], lambda v: f"{v:.3g}"),
        _range([np.asarray(extent_mm(grid)) for grid in grids], lambda v: f"{v:.0f}"),
        dict(sorted(orientations.items(), key=lambda item: (-item[1], item[0]))),
    )


def _orientation_kind(grid: Grid) -> str:
    letters, angle = orientation(grid)
    return letters if angle < OBLIQUE_DEG else f"{letters} oblique"


def _range(values: list[Float64Array], text: Callable[[float], str]) -> str:
    """Write per axis one value, or the smallest and the largest."""
    low, high = np.min(values, axis=0), np.max(values, axis=0)
    parts = []
    for smallest, largest in zip(low, high, strict=True):
        first, last = text(float(smallest)), text(float(largest))
        parts.append(first if first == last else f"{first}-{last}")
    return " x ".join(parts)
