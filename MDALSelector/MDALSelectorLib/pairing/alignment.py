"""How well the modalities of each case lie on each other, without labels and without learning.

Per case and pair of modalities: how well their edges agree, how much better they would agree after
a small shift, and how much better they agree than with the images of other patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.pairing.coarse_case import CoarseCase, coarse_case
from MDALSelectorLib.pairing.gradient_agreement import best_shift, edge_field, edge_spectrum
from MDALSelectorLib.pairing.unrelated_patients import UnrelatedPatients
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

Pair = tuple[str, str]
Table = Mapping[Pair, npt.NDArray[np.float64]]


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
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Check pairing", len(patient_ids))
    pairs = list(combinations(modalities, 2))
    rows: list[dict[Pair, _Row]] = []
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
    return AlignmentMeasures(
        case_ids=tuple(case_ids),
        spacing_mm=spacing,
        agreement={p: np.array([r[p].agreement for r in rows]) for p in pairs},
        gain={p: np.array([r[p].gain for r in rows]) for p in pairs},
        offset_mm={p: np.array([r[p].offset_lps_mm for r in rows]).reshape(-1, 3) for p in pairs},
        unrelated_z=unrelated.z_scores(),
    )


def _case_rows(coarse: CoarseCase, case: PreparedCase, pairs: Sequence[Pair]) -> dict[Pair, _Row]:
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
