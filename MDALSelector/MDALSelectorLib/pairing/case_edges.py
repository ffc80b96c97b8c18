"""Edges of the cases of a cohort: of each case by itself, and held against other patients'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from MDALSelectorLib.pairing.far_shifts import far_shift, far_spectrum
from MDALSelectorLib.pairing.foreign_images import Pair
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
    small_shifts,
)
from MDALSelectorLib.pairing.poses import POSES, pose_agreements
from MultimodalImagingLib.images.arrays import Float32Array, Float64Array, MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.record.kept_results import Tensors

# All cases are brought to a cube of this many voxels a side to be compared with each other.
CUBE = 32
CUBE_SPACING: Triple = (3.0, 3.0, 3.0)


class CaseEdges:
    """Reads cases when they are needed; the last ones stay in memory as small cubes."""

    def __init__(
        self, cases: Sequence[PreparedCase], pairs: Sequence[Pair], n_neighbors: int
    ) -> None:
        """Look at cases in their order, and at this many before each."""
        self._pairs = pairs
        self._case = lru_cache(maxsize=1)(lambda row: cases[row])
        self._coarse = lru_cache(maxsize=1)(lambda row: coarse_case(self._case(row)))
        self._fields = lru_cache(maxsize=n_neighbors + 2)(self._cube_fields)

    def measured(self, row: int) -> Tensors:
        """Compare the modalities of a case with each other.

        Returns:
            `measures`: agreement, gain, offset (LPS, mm) and sameness, `(n_pairs, 6)`; `poses`:
            gain of each pose and of a far shift, agreement, lead and offset (LPS, mm) there,
            `(n_pairs, 18)`; `own`: agreement on the common cube, `(n_pairs,)`. NaN where the case
            lacks a modality. And `spacing`, at which it was compared, mm.
        """
        coarse, case, fields = self._coarse(row), self._case(row), self._fields(row)
        return {
            "measures": np.array(_case_rows(coarse, case, self._pairs)),
            "poses": np.array(_pose_rows(coarse, case, fields, self._pairs)),
            "own": self._agreements(fields, fields),
            "spacing": np.array(coarse.spacing_mm),
        }

    def compared(self, row: int, others: Sequence[int]) -> Tensors:
        """Compare the modalities of a case with those of other patients' cases.

        Returns:
            `agreement`: of the case's first modality with the other's second, then of the other's
            first with the case's second, for one other after the other, `(2 * n_others, n_pairs)`;
            NaN where a case lacks a modality.
        """
        found = []
        for other in others:
            found.append(self._agreements(self._fields(row), self._fields(other)))
            found.append(self._agreements(self._fields(other), self._fields(row)))
        return {"agreement": np.array(found).reshape(2 * len(others), len(self._pairs))}

    def _agreements(
        self, rows: Mapping[str, Float32Array], columns: Mapping[str, Float32Array]
    ) -> Float64Array:
        return np.array(
            [
                agreement(rows[a], columns[b]) if a in rows and b in columns else np.nan
                for a, b in self._pairs
            ]
        )

    def _cube_fields(self, row: int) -> dict[str, Float32Array]:
        coarse = self._coarse(row)
        return {m: _cube_field(image, coarse.bodies[m]) for m, image in coarse.images.items()}


def _pose_rows(
    coarse: CoarseCase,
    case: PreparedCase,
    fields: Mapping[str, Float32Array],
    pairs: Sequence[Pair],
) -> list[Float64Array]:
    """Return gains of poses, and gain, agreement, lead and offset of a far shift, `(18,)` each."""
    shape = next(iter(coarse.images.values())).shape
    k, j, i = (n * s / CUBE for n, s in zip(shape, coarse.spacing_mm, strict=True))
    weights = {
        m: resized_mask(weight > 0, (CUBE,) * 3).astype(np.float32)
        for m, weight in coarse.weights.items()
    }
    spectra = {m: far_spectrum(field, weights[m]) for m, field in fields.items()}
    rows = []
    for first, second in pairs:
        if first not in fields or second not in fields:
            rows.append(np.full(len(POSES) + 6, np.nan))
            continue
        far = far_shift(spectra[first], spectra[second], spacing_mm=(k, j, i))
        agreements = pose_agreements(fields[first], fields[second])
        offset = case.grid.direction_matrix @ np.array(far.offset_mm[::-1])
        gains, lead = agreements[1:] - agreements[0], far.agreement - agreements[0]
        rows.append(np.array([*gains, far.gain, far.agreement, lead, *offset]))
    return rows


def _case_rows(coarse: CoarseCase, case: PreparedCase, pairs: Sequence[Pair]) -> list[Float64Array]:
    """Return agreement, gain, offset (LPS, mm) and sameness of every pair; NaN where it lacks."""
    spacing = coarse.spacing_mm
    radius = small_shifts(next(iter(coarse.images.values())).shape, spacing)
    spectra = {
        modality: edge_spectrum(
            edge_field(image, coarse.bodies[modality], spacing_mm=spacing),
            coarse.weights[modality],
            radius=radius,
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


def _cube_field(image: Float32Array, body: MaskArray) -> Float32Array:
    shape = (CUBE, CUBE, CUBE)
    return edge_field(resized(image, shape), resized_mask(body, shape), spacing_mm=CUBE_SPACING)
