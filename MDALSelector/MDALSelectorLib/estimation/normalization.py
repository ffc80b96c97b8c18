"""Critic values that are PMI: both marginal constraints enforced over the cohort, in blocks.

A critic `f(x, y) = p.q + u(x) + v(y)` that was trained with InfoNCE equals the PMI up to constants
per row and column. A valid PMI has `E_y exp(PMI) = 1` for each x and `E_x exp(PMI) = 1` for each
y; the constants `a`, `b` that enforce both on the pairs of different cases are found by Sinkhorn
alternation. No matrix of all cases by all cases is ever held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from MDALSelectorLib.estimation.config import NormalizationConfig


@dataclass(frozen=True)
class NormalizedScores:
    """PMI of matched pairs, and how it was reached.

    Attributes:
        pmi: PMI of each row with the column of the same index, nats, `(n_rows,)`.
        row_constants: `a`, nats, `(n_rows,)`.
        column_constants: `b`, nats, `(n_rows,)`; their mean is the mean of the start.
        n_passes: Passes over the critic matrix.
        error_nats: Estimated largest error of `pmi` that further passes would remove, nats.
    """

    pmi: Tensor
    row_constants: Tensor
    column_constants: Tensor
    n_passes: int
    error_nats: float


def two_sided_scores(
    rows: Tensor,
    columns: Tensor,
    *,
    groups: Tensor | None = None,
    start: Tensor | None = None,
    config: NormalizationConfig | None = None,
) -> NormalizedScores:
    """Normalize the critic `rows @ columns.T` on both sides and return its diagonal.

    Each pass forms every block of the matrix once: the rows of a block are normalized with the
    current column constants, and the normalized block adds to the sums of the columns, so that one
    product and one exponential serve a full alternation. Between passes the column constants are
    extrapolated (Anderson acceleration), which changes the number of passes and not the result.
    Terms of a critic that depend on the row or on the column alone cancel; pass the column's as
    `start` to save passes.

    Args:
        rows: First factors, `(n_rows, n_features)`, float32 or float64; the scale (temperature) is
            part of them.
        columns: Second factors, same shape; row i and column i are the same case and place.
        groups: Case of each row, integers `(n_rows,)`; pairs within a group are no negatives.
            Each row is a group of its own by default.
        start: First guess of the column constants, nats, `(n_rows,)`.
        config: Tolerance and block size.

    Raises:
        ValueError: If the shapes differ, a value is not finite, or a row has no negative.

    References:
        Sinkhorn & Knopp, Pacific J. Math. 21, 1967. Walker & Ni, SIAM J. Numer. Anal. 49, 2011.
    """
    config = config or NormalizationConfig()
    critic = _BlockCritic.build(rows, columns, groups, config.block_rows)
    first = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    constants = first if start is None else start[critic.order].to(rows.dtype)
    try:
        a, b, n_passes, error = _alternate(critic, constants, config)
    except _RangeError:
        if rows.dtype == torch.float64:
            msg = "The critic values span more than double precision can hold; lower its scale."
            raise ValueError(msg) from None
        wide = None if start is None else start.double()
        return two_sided_scores(
            rows.double(), columns.double(), groups=groups, start=wide, config=config
        )
    back = torch.argsort(critic.order)
    matched = (rows * columns).sum(dim=1)
    a, b = a[back], b[back]
    return NormalizedScores(matched - a - b, a, b, n_passes, error)


class _RangeError(Exception):
    """The sums left the range of the number format."""


@dataclass(frozen=True)
class _BlockCritic:
    """The critic matrix with rows sorted by group, as factors with one column for constants."""

    order: Tensor
    rows: Tensor
    columns: Tensor
    group_start: Tensor
    group_size: Tensor
    block_rows: int
    buffer: Tensor = field(repr=False)

    @classmethod
    def build(
        cls, rows: Tensor, columns: Tensor, groups: Tensor | None, block_rows: int
    ) -> _BlockCritic:
        _check_factors(rows, columns)
        n = len(rows)
        groups = torch.arange(n) if groups is None else groups.cpu()
        order = torch.argsort(groups, stable=True)
        _, inverse, sizes = torch.unique(groups[order], return_inverse=True, return_counts=True)
        if len(groups) != n or int(sizes.max()) >= n:
            msg = f"Expected rows of at least two groups, got {len(sizes)} for {n} rows."
            raise ValueError(msg)
        starts = torch.cumsum(sizes, 0) - sizes
        device, ones = rows.device, torch.ones(n, 1, dtype=rows.dtype, device=rows.device)
        order = order.to(device)
        return cls(
            order=order,
            rows=torch.cat([rows[order], ones, ones], dim=1),
            columns=torch.cat([columns[order], ones, ones], dim=1),
            group_start=starts[inverse].to(device),
            group_size=sizes[inverse].to(device),
            block_rows=min(block_rows, n),
            buffer=torch.empty(min(block_rows, n), n, dtype=rows.dtype, device=device),
        )

    @property
    def n_negatives(self) -> Tensor:
        """Rows of other groups, for each row, `(n_rows,)`."""
        return (len(self.rows) - self.group_size).to(self.rows.dtype)

    def blocks(self, shift: Tensor, constants: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield blocks of `f - shift_i - constants_j`, `-inf` within groups; valid until next."""
        self.rows[:, -1], self.columns[:, -1] = -shift, 1.0
        self.rows[:, -2], self.columns[:, -2] = 1.0, -constants
        for begin in range(0, len(self.rows), self.block_rows):
            part = slice(begin, min(begin + self.block_rows, len(self.rows)))
            block = self.buffer[: part.stop - begin]
            torch.mm(self.rows[part], self.columns.T, out=block)
            self._mask(block, part)
            yield part, block

    def _mask(self, block: Tensor, part: slice) -> None:
        size = self.group_size[part]
        row = torch.repeat_interleave(torch.arange(len(block), device=block.device), size)
        first = torch.cumsum(size, 0) - size
        within = torch.arange(len(row), device=block.device) - first[row]
        block[row, self.group_start[part][row] + within] = -math.inf


def _alternate(
    critic: _BlockCritic, constants: Tensor, config: NormalizationConfig
) -> tuple[Tensor, Tensor, int, float]:
    mixer = _Mixer(config.n_mixed)
    shift: Tensor | None = None
    error, n_passes = math.inf, 0
    while True:
        row_constants, column_constants = _pass(critic, shift, constants)
        n_passes += 1
        step = column_constants - constants
        step = step - step.mean()
        mixer.note(constants, step)
        error = float(step.abs().max()) * 2.0 * mixer.amplification
        if error <= config.tolerance_nats or n_passes == config.max_passes:
            return row_constants, column_constants, n_passes, error
        shift, constants = row_constants, mixer.next_guess()


def _pass(critic: _BlockCritic, shift: Tensor | None, constants: Tensor) -> tuple[Tensor, Tensor]:
    """Normalize rows given the columns' constants, then columns given the rows'."""
    n_negatives = critic.n_negatives
    row_constants = torch.empty_like(constants)
    column_sum = torch.zeros_like(constants, dtype=torch.float64)
    known = torch.zeros_like(constants) if shift is None else shift
    for part, block in critic.blocks(known, constants):
        if shift is None:
            largest = block.amax(dim=1)
            block.sub_(largest[:, None])
            known[part] += largest
        row_sum = block.exp_().sum(dim=1)
        if not bool(((row_sum > 0) & torch.isfinite(row_sum)).all()):
            raise _RangeError
        row_constants[part] = known[part] + torch.log(row_sum / n_negatives[part])
        column_sum += block.T.mv(n_negatives[part] / row_sum)
    column_mean = column_sum / n_negatives
    smallest = torch.finfo(constants.dtype).tiny * 1e6
    if not bool(((column_mean > smallest) & torch.isfinite(column_mean)).all()):
        raise _RangeError
    return row_constants, constants + torch.log(column_mean).to(constants.dtype)


class _Mixer:
    """Anderson acceleration of a fixed-point iteration that is known up to a common constant."""

    def __init__(self, n_mixed: int) -> None:
        self._n_mixed = n_mixed
        self._points: list[Tensor] = []
        self._steps: list[Tensor] = []

    def note(self, point: Tensor, step: Tensor) -> None:
        """Remember a point and the step that one pass takes from it."""
        keep = max(self._n_mixed, 1)
        self._points = [*self._points[-keep:], point]
        self._steps = [*self._steps[-keep:], step]

    @property
    def amplification(self) -> float:
        """How many times larger than the last step the distance to the solution may be."""
        moved, changed = self._differences()
        if not len(moved):
            return 1.0
        ratio = moved.abs().amax(dim=1) / changed.abs().amax(dim=1).clamp(min=1e-300)
        return max(1.0, float(ratio[-1]))

    def next_guess(self) -> Tensor:
        """Return the point that the noted steps, taken as linear, lead to."""
        point, step = self._points[-1], self._steps[-1]
        moved, changed = self._differences()
        guess = point + step
        if self._n_mixed and len(changed):
            gram = changed @ changed.T
            gram.diagonal().add_(1e-10 * gram.trace() + 1e-300)
            weights = torch.linalg.solve(gram, changed @ step.double())
            guess = guess - (moved + changed).T @ weights
        return guess.to(point.dtype)

    def _differences(self) -> tuple[Tensor, Tensor]:
        points, steps = torch.stack(self._points).double(), torch.stack(self._steps).double()
        return points.diff(dim=0), steps.diff(dim=0)


def _check_factors(rows: Tensor, columns: Tensor) -> None:
    if rows.ndim != 2 or rows.shape != columns.shape or not len(rows):
        msg = (
            "Expected two matrices of the same shape (n_rows, n_features), got"
            f" {tuple(rows.shape)} and {tuple(columns.shape)}."
        )
        raise ValueError(msg)
    for name, factor in (("rows", rows), ("columns", columns)):
        is_bad = ~torch.isfinite(factor).all(dim=1)
        if bool(is_bad.any()):
            where = is_bad.nonzero()[:5, 0].tolist()
            msg = f"Expected finite values, got others in {name}, indices {where}."
            raise ValueError(msg)
