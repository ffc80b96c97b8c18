"""How far the agreement of own images stands out of that of other patients' images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.images.arrays import Float64Array

Pair = tuple[str, str]
IntArray = npt.NDArray[np.int_]

MIN_UNRELATED = 3
MAX_CORRELATION = 0.999
# Median absolute deviation of a normal distribution with standard deviation 1.
NORMAL_MAD = 0.6745


class Comparisons:
    """Agreements of images of own and of other patients, pair by pair of modalities."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """Begin without any."""
        # Per pair: case of the first modality, case of the second, agreement.
        self._found: dict[Pair, list[tuple[int, int, float]]] = {pair: [] for pair in pairs}

    def note_own(self, row: int, values: Float64Array) -> None:
        """Note the agreement of a case's own images, one value per pair, NaN if it lacks one."""
        for pair, value in zip(self._found, values, strict=True):
            if np.isfinite(value):
                self._found[pair].append((row, row, float(value)))

    def note_others(self, row: int, others: Sequence[int], values: Float64Array) -> None:
        """Note the agreements with other patients' cases.

        Args:
            row: The case.
            others: The other cases.
            values: With the case's first image and with its second, one other after the other,
                `(2 * n_others, n_pairs)`.
        """
        ways = [way for other in others for way in ((row, other), (other, row))]
        for (first, second), of_pairs in zip(ways, values, strict=True):
            for pair, value in zip(self._found, of_pairs, strict=True):
                if np.isfinite(value):
                    self._found[pair].append((first, second, float(value)))

    def z_scores(self, n_cases: int) -> dict[Pair, Float64Array]:
        """Return the standardized own agreement per pair, see `standardized_agreement`."""
        return {
            pair: standardized_agreement(*self._columns(pair), n_cases=n_cases)
            for pair in self._found
        }

    def foreign_matches(self, n_cases: int) -> dict[Pair, Float64Array]:
        """Return per pair the best matches with other patients, see `foreign_matches`."""
        return {
            pair: foreign_matches(*self._columns(pair), n_cases=n_cases) for pair in self._found
        }

    def _columns(self, pair: Pair) -> tuple[IntArray, IntArray, Float64Array]:
        rows, columns, values = np.array(self._found[pair], dtype=np.float64).reshape(-1, 3).T
        return rows.astype(int), columns.astype(int), values


def standardized_agreement(
    rows: IntArray,
    columns: IntArray,
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


def foreign_matches(
    rows: IntArray, columns: IntArray, values: Float64Array, *, n_cases: int
) -> Float64Array:
    """Find for every image the other patient's image that it fits best.

    Args:
        rows: Case of the first image of each comparison, `(n_comparisons,)`.
        columns: Case of the second image; equal to the row for own images.
        values: Agreement, -1 to 1.
        n_cases: Number of cases.

    Returns:
        Per case: the row of the best partner of its first and of its second image, and how many
        robust standard deviations (median absolute deviation) each stands out of its row and
        column, `(n_cases, 4)`; -1 and 0 where there are too few.
    """
    found = np.tile([-1.0, -1.0, 0.0, 0.0], (n_cases, 1))
    table = np.full((n_cases, n_cases), np.nan)
    is_other = rows != columns
    table[rows[is_other], columns[is_other]] = np.arctanh(
        np.clip(values[is_other], -MAX_CORRELATION, MAX_CORRELATION)
    )
    enough = [np.isfinite(table).sum(axis=axis) >= MIN_UNRELATED for axis in (1, 0)]
    table = table[np.ix_(*enough)]
    if not table.size:
        return found
    residual = table - np.nanmedian(table, axis=1)[:, None]
    residual = residual - np.nanmedian(residual, axis=0)
    spread = max(float(np.nanmedian(np.abs(residual))) / NORMAL_MAD, 1e-9)
    z = np.where(np.isfinite(residual), residual / spread, -np.inf)
    of_row, of_column = (np.flatnonzero(kept) for kept in enough)
    found[of_row, 0], found[of_row, 2] = of_column[z.argmax(axis=1)], z.max(axis=1)
    found[of_column, 1], found[of_column, 3] = of_row[z.argmax(axis=0)], z.max(axis=0)
    return found
