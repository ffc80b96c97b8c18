"""How well the modalities of each case lie on each other, without labels and without learning.

Per case and pair of modalities: how well their edges agree, how much better they would agree after
a small shift, and how much better they agree than with the images of other patients.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.pairing.gradient_agreement import (
    CoarseCase,
    Triple,
    agreement,
    best_shift,
    coarse_case,
    edge_field,
    edge_spectrum,
    resized,
    resized_mask,
)
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

Pair = tuple[str, str]
Table = Mapping[Pair, Float64Array]

# Cases before and after a case, in the order of their names, whose images serve as unrelated ones.
N_NEIGHBORS = 16
MIN_UNRELATED = 3
# All cases are brought to a cube of this many voxels a side to be compared with each other.
CUBE = 32
CUBE_SPACING: Triple = (3.0, 3.0, 3.0)
MAX_CORRELATION = 0.999


@dataclass(frozen=True)
class AlignmentMeasures:
    """Alignment of all cases; NaN where a case lacks a modality.

    Attributes:
        case_ids: The cases.
        spacing_mm: Coarsest spacing at which they were compared, mm.
        agreement: Correlation of the edges of a pair, -1 to 1, shape `(n_cases,)`.
        gain: How much higher it is at the best shift of up to 24 mm, shape `(n_cases,)`.
        offset_mm: How far the second modality lies from the first by that shift, LPS mm, shape
            `(n_cases, 3)`.
        unrelated_z: Distance of the agreement from the agreement with the images of other patients,
            in standard deviations of the latter, shape `(n_cases,)`; about 0 for images that do not
            belong together. NaN for cohorts of fewer than four patients.
    """

    case_ids: tuple[str, ...]
    spacing_mm: float
    agreement: Table
    gain: Table
    offset_mm: Table
    unrelated_z: Table

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of modalities, each in the order of the cohort."""
        return tuple(self.agreement)


def measure_alignment(
    cases: Iterable[PreparedCase],
    patient_ids: Sequence[str],
    modalities: Sequence[str],
    *,
    reporter: Reporter | None = None,
) -> AlignmentMeasures:
    """Measure the alignment of all cases, reading each once.

    Args:
        cases: Prepared cases, sorted by case.
        patient_ids: Patient of each case; cases of one patient are not unrelated to each other.
        modalities: Modalities in the order of the cohort.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Check pairing", len(patient_ids))
    pairs = list(combinations(modalities, 2))
    rows: list[list[Float64Array]] = []
    case_ids: list[str] = []
    spacing = 0.0
    unrelated = UnrelatedPatients(pairs)
    for case, patient in zip(cases, patient_ids, strict=True):
        coarse = coarse_case(case)
        spacing = max(spacing, *coarse.spacing_mm)
        rows.append(_case_rows(coarse, case, pairs))
        unrelated.add(coarse, patient)
        case_ids.append(case.case_id)
        reporter.advance()
    values = np.array(rows).reshape(len(rows), len(pairs), 5)
    columns = {pair: values[:, number] for number, pair in enumerate(pairs)}
    return AlignmentMeasures(
        case_ids=tuple(case_ids),
        spacing_mm=spacing,
        agreement={pair: found[:, 0] for pair, found in columns.items()},
        gain={pair: found[:, 1] for pair, found in columns.items()},
        offset_mm={pair: found[:, 2:] for pair, found in columns.items()},
        unrelated_z=unrelated.z_scores(),
    )


def _case_rows(coarse: CoarseCase, case: PreparedCase, pairs: Sequence[Pair]) -> list[Float64Array]:
    """Return agreement, gain and offset (LPS, mm) of every pair; NaN where the case lacks it."""
    spacing = coarse.spacing_mm
    spectra = {
        modality: edge_spectrum(
            edge_field(image, coarse.bodies[modality], spacing_mm=spacing),
            coarse.weights[modality],
            spacing_mm=spacing,
        )
        for modality, image in coarse.images.items()
    }
    rows = []
    for first, second in pairs:
        if first not in spectra or second not in spectra:
            rows.append(np.full(5, np.nan))
            continue
        best = best_shift(spectra[first], spectra[second], spacing_mm=spacing)
        along_ijk = np.array(best.offset_mm[::-1])
        offset = case.grid.direction_matrix @ along_ijk
        rows.append(np.array([best.agreement, best.gain, *offset]))
    return rows


class UnrelatedPatients:
    """Compares each case with its neighbors in the order of the cohort, a window at a time."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._n_cases = 0
        self._window: deque[tuple[int, str, dict[str, Float32Array]]] = deque(maxlen=N_NEIGHBORS)
        # Per pair: case of the first modality, case of the second, agreement.
        self._found: dict[Pair, list[tuple[int, int, float]]] = {pair: [] for pair in pairs}

    def add(self, coarse: CoarseCase, patient: str) -> None:
        """Compare a case with itself and with the unrelated ones of the window."""
        index = self._n_cases
        fields = {m: _cube_field(image, coarse.bodies[m]) for m, image in coarse.images.items()}
        self._compare(index, fields, index, fields)
        for other_index, other_patient, other in self._window:
            if other_patient != patient:
                self._compare(index, fields, other_index, other)
                self._compare(other_index, other, index, fields)
        self._window.append((index, patient, fields))
        self._n_cases += 1

    def _compare(
        self,
        row: int,
        of_row: Mapping[str, Float32Array],
        column: int,
        other: Mapping[str, Float32Array],
    ) -> None:
        for first, second in self._pairs:
            if first in of_row and second in other:
                value = agreement(of_row[first], other[second])
                self._found[first, second].append((row, column, value))

    def z_scores(self) -> dict[Pair, Float64Array]:
        """Return the standardized own agreement per pair, see `standardized_agreement`."""
        scores = {}
        for pair, found in self._found.items():
            rows, columns, values = np.array(found, dtype=np.float64).reshape(-1, 3).T
            scores[pair] = standardized_agreement(
                rows.astype(int), columns.astype(int), values, n_cases=self._n_cases
            )
        return scores


def standardized_agreement(
    rows: npt.NDArray[np.int_],
    columns: npt.NDArray[np.int_],
    values: Float64Array,
    *,
    n_cases: int,
) -> Float64Array:
    """Tell how far the agreement of own images stands out of that of unrelated ones.

    Agreements are made normal (Fisher's `artanh`) and centered by the means of their row and
    column, because a sharp image agrees a little with everything and a blurred one with nothing.

    Args:
        rows: Case of the first image of each comparison, `(n_comparisons,)`.
        columns: Case of the second image; equal to the row for own images.
        values: Agreement, -1 to 1.
        n_cases: Number of cases.

    Returns:
        Standard deviations above what is expected of unrelated images, shape `(n_cases,)`; NaN for
        cases without own images or with fewer than three unrelated ones.
    """
    scores = np.full(n_cases, np.nan)
    values = np.arctanh(np.clip(values, -MAX_CORRELATION, MAX_CORRELATION))
    is_own = rows == columns
    other_rows, other_columns, others = rows[~is_own], columns[~is_own], values[~is_own]
    n_row, n_column = (np.bincount(c, minlength=n_cases) for c in (other_rows, other_columns))
    own, at = values[is_own], rows[is_own]
    enough = np.minimum(n_row, n_column)[at] >= MIN_UNRELATED
    if not enough.any():
        return scores
    row_mean = np.bincount(other_rows, others, n_cases) / np.maximum(n_row, 1)
    column_mean = np.bincount(other_columns, others, n_cases) / np.maximum(n_column, 1)
    mean = others.mean()
    residual = others - row_mean[other_rows] - column_mean[other_columns] + mean
    spread = max(float(np.sqrt(np.mean(residual**2))), 1e-9)
    standing_out = (own - row_mean[at] - column_mean[at] + mean) / spread
    scores[at[enough]] = standing_out[enough]
    return scores


def _cube_field(image: Float32Array, body: MaskArray) -> Float32Array:
    shape = (CUBE, CUBE, CUBE)
    return edge_field(resized(image, shape), resized_mask(body, shape), spacing_mm=CUBE_SPACING)
