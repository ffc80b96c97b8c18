"""How well the modalities of each case lie on each other, without labels and without learning.

Per case and pair of modalities: how well their edges agree, how much better they would agree after
a small shift, and how much better they agree than with the images of other patients.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.pairing.foreign_images import foreign_matches, standardized_agreement
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
from MDALSelectorLib.pairing.poses import POSES, pose_gains
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

Pair = tuple[str, str]
Table = Mapping[Pair, Float64Array]

# Cases before and after a case, in the order of their names, whose images serve as unrelated ones.
N_NEIGHBORS = 16
# All cases are brought to a cube of this many voxels a side to be compared with each other.
CUBE = 32
CUBE_SPACING: Triple = (3.0, 3.0, 3.0)


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
        pose_gain: How much better the pair fits with the second modality in each of `POSES`, shape
            `(n_cases, 12)`.
        sameness: Correlation of the voxels of a pair, shape `(n_cases,)`; 1 for a copy.
        foreign_case: Row of the other patient's case whose second modality fits the first one of
            this case best, and of the one whose first fits the second, shape `(n_cases, 2)`.
        foreign_z: The distance of `unrelated_z` for these, same shape; 0 where there is none.
    """

    case_ids: tuple[str, ...]
    spacing_mm: float
    agreement: Table
    gain: Table
    offset_mm: Table
    unrelated_z: Table
    pose_gain: Table = field(default_factory=dict)
    sameness: Table = field(default_factory=dict)
    foreign_case: Table = field(default_factory=dict)
    foreign_z: Table = field(default_factory=dict)

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
    values = np.array(rows).reshape(len(rows), len(pairs), 6)
    columns = {pair: values[:, number] for number, pair in enumerate(pairs)}
    foreign = unrelated.foreign_matches()
    return AlignmentMeasures(
        case_ids=tuple(case_ids),
        spacing_mm=spacing,
        agreement={pair: found[:, 0] for pair, found in columns.items()},
        gain={pair: found[:, 1] for pair, found in columns.items()},
        offset_mm={pair: found[:, 2:5] for pair, found in columns.items()},
        unrelated_z=unrelated.z_scores(),
        pose_gain=unrelated.pose_gains(),
        sameness={pair: found[:, 5] for pair, found in columns.items()},
        foreign_case={pair: found[:, :2] for pair, found in foreign.items()},
        foreign_z={pair: found[:, 2:] for pair, found in foreign.items()},
    )


def _case_rows(coarse: CoarseCase, case: PreparedCase, pairs: Sequence[Pair]) -> list[Float64Array]:
    """Return agreement, gain, offset (LPS, mm) and sameness of every pair; NaN where it lacks."""
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
            rows.append(np.full(6, np.nan))
            continue
        best = best_shift(spectra[first], spectra[second], spacing_mm=spacing)
        along_ijk = np.array(best.offset_mm[::-1])
        offset = case.grid.direction_matrix @ along_ijk
        same = _sameness(case.images[first], case.images[second])
        rows.append(np.array([best.agreement, best.gain, *offset, same]))
    return rows


def _sameness(first: Float32Array, second: Float32Array) -> float:
    """Return the correlation of all voxels; 0 if an image is constant."""
    one, other = (image - image.mean() for image in (first, second))
    norm = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / norm if norm > 0 else 0.0


class UnrelatedPatients:
    """Compares each case with its neighbors in the order of the cohort, a window at a time."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._n_cases = 0
        self._window: deque[tuple[int, str, dict[str, Float32Array]]] = deque(maxlen=N_NEIGHBORS)
        # Per pair: case of the first modality, case of the second, agreement.
        self._found: dict[Pair, list[tuple[int, int, float]]] = {pair: [] for pair in pairs}
        self._poses: dict[Pair, dict[int, Float64Array]] = {pair: {} for pair in pairs}

    def add(self, coarse: CoarseCase, patient: str) -> None:
        """Compare a case with itself and with the unrelated ones of the window."""
        index = self._n_cases
        fields = {m: _cube_field(image, coarse.bodies[m]) for m, image in coarse.images.items()}
        self._compare(index, fields, index, fields)
        for first, second in self._pairs:
            if first in fields and second in fields:
                self._poses[first, second][index] = pose_gains(fields[first], fields[second])
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
        return {
            pair: standardized_agreement(*self._comparisons(pair), n_cases=self._n_cases)
            for pair in self._found
        }

    def foreign_matches(self) -> dict[Pair, Float64Array]:
        """Return per pair the best matches with other patients, see `foreign_matches`."""
        return {
            pair: foreign_matches(*self._comparisons(pair), n_cases=self._n_cases)
            for pair in self._found
        }

    def pose_gains(self) -> dict[Pair, Float64Array]:
        """Return the gains of all poses per pair, `(n_cases, 12)`; NaN where a case lacks it."""
        lacking = np.full(len(POSES), np.nan)
        return {
            pair: np.array([gains.get(index, lacking) for index in range(self._n_cases)])
            for pair, gains in self._poses.items()
        }

    def _comparisons(
        self, pair: Pair
    ) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], Float64Array]:
        rows, columns, values = np.array(self._found[pair], dtype=np.float64).reshape(-1, 3).T
        return rows.astype(int), columns.astype(int), values


def _cube_field(image: Float32Array, body: MaskArray) -> Float32Array:
    shape = (CUBE, CUBE, CUBE)
    return edge_field(resized(image, shape), resized_mask(body, shape), spacing_mm=CUBE_SPACING)
