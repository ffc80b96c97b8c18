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
from scipy import ndimage

from MDALSelectorLib.gradient_agreement import (
    FloatArray,
    Triple,
    agreement,
    best_shift,
    edge_field,
    edge_spectrum,
)
from MultimodalImagingLib.prepared_case import BoolArray, PreparedCase
from MultimodalImagingLib.progress import NullReporter, Reporter

Pair = tuple[str, str]
Table = Mapping[Pair, npt.NDArray[np.float64]]

# Finer images are brought to this spacing first; edges are looked for at 3 mm anyway.
FINEST_SPACING_MM = 2.5
# Cases before and after a case, in the order of their names, whose images serve as unrelated ones.
N_NEIGHBORS = 16
MIN_UNRELATED = 3
# All cases are brought to a cube of this many voxels a side to be compared with each other.
CUBE = 32
CUBE_SPACING: Triple = (3.0, 3.0, 3.0)
RIM_VOXELS = 2


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


@dataclass(frozen=True)
class _Row:
    agreement: float
    gain: float
    offset_lps_mm: npt.NDArray[np.float64]


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
        reporter: Told about each case; its `advance` may raise `CancelledError`.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Check pairing", len(patient_ids))
    pairs = list(combinations(modalities, 2))
    rows: list[dict[Pair, _Row]] = []
    case_ids: list[str] = []
    spacing = 0.0
    unrelated = _Unrelated(pairs)
    for case, patient in zip(cases, patient_ids, strict=True):
        coarse = _coarse(case)
        spacing = max(spacing, *coarse.spacing_mm)
        rows.append(_case_rows(coarse, case, pairs))
        unrelated.add(coarse, patient)
        case_ids.append(case.case_id)
        reporter.advance()
    return AlignmentMeasures(
        case_ids=tuple(case_ids),
        spacing_mm=spacing,
        agreement={p: np.array([r[p].agreement for r in rows]) for p in pairs},
        gain={p: np.array([r[p].gain for r in rows]) for p in pairs},
        offset_mm={p: np.array([r[p].offset_lps_mm for r in rows]).reshape(-1, 3) for p in pairs},
        unrelated_z=unrelated.z_scores(),
    )


@dataclass(frozen=True)
class _Coarse:
    """A case at the spacing of the comparison, arrays `(K, J, I)`, spacing along `(K, J, I)`."""

    images: Mapping[str, FloatArray]
    bodies: Mapping[str, BoolArray]
    weights: Mapping[str, FloatArray]
    spacing_mm: Triple


def _coarse(case: PreparedCase) -> _Coarse:
    fine = case.grid.spacing_mm[::-1]
    shape = case.grid.array_shape
    wanted = [
        n if s >= FINEST_SPACING_MM else max(round(n * s / FINEST_SPACING_MM), 2)
        for n, s in zip(shape, fine, strict=True)
    ]
    spacing = [n * s / m for n, s, m in zip(shape, fine, wanted, strict=True)]
    return _Coarse(
        images={m: _resized(image, wanted) for m, image in case.images.items()},
        bodies={m: _resized_mask(body, wanted) for m, body in case.bodies.items()},
        weights={m: _weight(_resized_mask(mask, wanted)) for m, mask in case.coverage.items()},
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
    )


def _case_rows(coarse: _Coarse, case: PreparedCase, pairs: Sequence[Pair]) -> dict[Pair, _Row]:
    spacing = coarse.spacing_mm
    spectra = {
        modality: edge_spectrum(
            edge_field(image, coarse.bodies[modality], spacing_mm=spacing),
            coarse.weights[modality],
            spacing_mm=spacing,
        )
        for modality, image in coarse.images.items()
    }
    rows = {}
    for first, second in pairs:
        if first not in spectra or second not in spectra:
            rows[first, second] = _Row(np.nan, np.nan, np.full(3, np.nan))
            continue
        best = best_shift(spectra[first], spectra[second], spacing_mm=spacing)
        along_ijk = np.array(best.offset_mm[::-1])
        offset = case.grid.direction_matrix @ along_ijk
        rows[first, second] = _Row(best.agreement, best.gain, offset)
    return rows


class _Unrelated:
    """Compares each case with its neighbors in the order of the cohort, a window at a time."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._window: deque[tuple[int, str, dict[str, FloatArray]]] = deque(maxlen=N_NEIGHBORS)
        self._own: dict[Pair, list[float]] = {pair: [] for pair in pairs}
        self._others: dict[Pair, list[list[float]]] = {pair: [] for pair in pairs}

    def add(self, coarse: _Coarse, patient: str) -> None:
        fields = {m: _cube_field(image, coarse.bodies[m]) for m, image in coarse.images.items()}
        index = len(self._own[self._pairs[0]]) if self._pairs else 0
        for pair in self._pairs:
            self._own[pair].append(_agreement(fields, fields, pair))
            self._others[pair].append([])
        for other_index, other_patient, other in self._window:
            if other_patient != patient:
                self._compare(index, fields, other_index, other)
        self._window.append((index, patient, fields))

    def _compare(
        self,
        index: int,
        fields: dict[str, FloatArray],
        other_index: int,
        other: dict[str, FloatArray],
    ) -> None:
        for pair in self._pairs:
            found = [_agreement(fields, other, pair), _agreement(other, fields, pair)]
            found = [value for value in found if np.isfinite(value)]
            self._others[pair][index] += found
            self._others[pair][other_index] += found

    def z_scores(self) -> dict[Pair, npt.NDArray[np.float64]]:
        scores = {}
        for pair in self._pairs:
            enough = [len(values) >= 2 * MIN_UNRELATED for values in self._others[pair]]
            mean = [
                np.mean(v) if e else np.nan for v, e in zip(self._others[pair], enough, strict=True)
            ]
            variances = [np.var(v) for v, e in zip(self._others[pair], enough, strict=True) if e]
            spread = np.sqrt(np.mean(variances)) if variances else np.nan
            own = np.array(self._own[pair])
            scores[pair] = (
                (own - np.array(mean)) / spread if variances else np.full(len(own), np.nan)
            )
        return scores


def _agreement(
    first: Mapping[str, FloatArray], second: Mapping[str, FloatArray], pair: Pair
) -> float:
    if pair[0] not in first or pair[1] not in second:
        return float("nan")
    return agreement(first[pair[0]], second[pair[1]])


def _cube_field(image: FloatArray, body: BoolArray) -> FloatArray:
    shape = (CUBE, CUBE, CUBE)
    return edge_field(_resized(image, shape), _resized_mask(body, shape), spacing_mm=CUBE_SPACING)


def _resized(image: FloatArray, shape: Sequence[int]) -> FloatArray:
    """Stretch an image over another number of voxels, smoothed where there are fewer."""
    factors = [n / m for n, m in zip(image.shape, shape, strict=True)]
    if all(factor == 1 for factor in factors):
        return image
    smooth = ndimage.gaussian_filter(image, [max(0.4 * factor - 0.3, 0.0) for factor in factors])
    zoom = [1 / factor for factor in factors]
    return np.asarray(
        ndimage.zoom(smooth, zoom, order=1, mode="nearest", grid_mode=True), dtype=np.float32
    )


def _resized_mask(mask: BoolArray, shape: Sequence[int]) -> BoolArray:
    return np.asarray(_resized(mask.astype(np.float32), shape) > 0.5)


def _weight(covered: BoolArray) -> FloatArray:
    """1 where edges are known: not at the rim of what is covered within the grid."""
    if covered.all():
        return np.ones(covered.shape, dtype=np.float32)
    inner = ndimage.binary_erosion(covered, iterations=RIM_VOXELS, border_value=1)
    return np.asarray(inner, dtype=np.float32)
