"""How far the agreement of a case's own images stands out of that with other patients' images."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.pairing.coarse_case import CoarseCase, resized, resized_mask
from MDALSelectorLib.pairing.gradient_agreement import FloatArray, Triple, agreement, edge_field
from MultimodalImagingLib.images.arrays import MaskArray

Pair = tuple[str, str]

# Cases before and after a case, in the order of their names, whose images serve as unrelated ones.
N_NEIGHBORS = 16
MIN_UNRELATED = 3
# All cases are brought to a cube of this many voxels a side to be compared with each other.
CUBE = 32
CUBE_SPACING: Triple = (3.0, 3.0, 3.0)
MAX_CORRELATION = 0.999


class UnrelatedPatients:
    """Compares each case with its neighbors in the order of the cohort, a window at a time."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._n_cases = 0
        self._window: deque[tuple[int, str, dict[str, FloatArray]]] = deque(maxlen=N_NEIGHBORS)
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
        of_row: Mapping[str, FloatArray],
        column: int,
        other: Mapping[str, FloatArray],
    ) -> None:
        for first, second in self._pairs:
            if first in of_row and second in other:
                value = agreement(of_row[first], other[second])
                self._found[first, second].append((row, column, value))

    def z_scores(self) -> dict[Pair, npt.NDArray[np.float64]]:
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
    values: npt.NDArray[np.float64],
    *,
    n_cases: int,
) -> npt.NDArray[np.float64]:
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


def _cube_field(image: FloatArray, body: MaskArray) -> FloatArray:
    shape = (CUBE, CUBE, CUBE)
    return edge_field(resized(image, shape), resized_mask(body, shape), spacing_mm=CUBE_SPACING)
