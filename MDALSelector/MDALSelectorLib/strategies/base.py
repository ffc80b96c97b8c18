"""The one interface of all strategies, and what they share."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from MDALSelectorLib.strategies.pool import (
    MODALITY_DIFFERENCE,
    IntArray,
    Pick,
    Pool,
    Ranking,
    check_budget,
    check_embeddings,
    utility_column,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray


@dataclass(frozen=True)
class StrategyOptions:
    """What a user may change about the strategies.

    Attributes:
        max_per_patient: Cases that one patient may have before the others have had as many
            (strategies that rank by a utility).
        gate: Share of a group's most typical members that compete (DiverseMD).
        space: What cases are grouped by (DiverseMD): fused embeddings or standardized PMI per pair.
        score_direction: Which end of the user's score comes first (Score).
        uncertainty_weight: Weight of the model's uncertainty against the modality difference, 0 to
            1 (EpistemicMD).
    """

    max_per_patient: int = 1
    gate: float = 0.5
    space: Literal["embedding", "pairs"] = "embedding"
    score_direction: Literal["high", "low"] = "high"
    uncertainty_weight: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values that no strategy can use."""
        if self.max_per_patient < 1:
            msg = (
                f"Expected at least 1 case per patient, got {self.max_per_patient}. Give 1 or more."
            )
            raise UsageError(msg)
        if not 0.0 < self.gate <= 1.0:
            msg = f"Expected a gate above 0 and at most 1, got {self.gate}. The usual value is 0.5."
            raise UsageError(msg)
        if not 0.0 <= self.uncertainty_weight <= 1.0:
            msg = (
                "Expected a weight of the uncertainty from 0 to 1, got"
                f" {self.uncertainty_weight}. The usual value is 0.5."
            )
            raise UsageError(msg)


class Strategy(ABC):
    """A rule that says which cases to label next.

    A subclass implements `_walk`. It sees a pool whose values were checked, and leaves it as it is.

    Attributes:
        name: What the user calls it.
        summary: What it does, in one sentence.
        utility: Column of `Pool.utilities` that it ranks by; `None` if it needs none.
        sign: 1 if it looks for large values of that column, -1 if for small ones.
        also: Further columns that every candidate must have a value in.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    utility: ClassVar[str | None] = None
    sign: ClassVar[float] = 1.0
    also: ClassVar[tuple[str, ...]] = ()

    def select(
        self, pool: Pool, budget: int, *, generator: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose the cases to label next.

        Args:
            pool: All cases; not changed.
            budget: Number of cases to choose, beside those that are labeled already.
            generator: Source of all randomness; the same state gives the same choice.

        Returns:
            `budget` picks of distinct candidates, in order of choice.

        Raises:
            UsageError: If the budget does not fit the pool, or a candidate lacks the utility.
            ValueError: If embeddings are not finite.
        """
        return self.rank(pool, budget, generator=generator).picks

    def rank(self, pool: Pool, budget: int, *, generator: np.random.Generator) -> Ranking:
        """Choose the cases to label next and put all others behind them.

        After the picks come the other candidates in the order in which the strategy would go on,
        then cases that are not eligible (largest modality difference first), then labeled ones.

        Args:
            pool: All cases; not changed.
            budget: Number of cases to choose.
            generator: Source of all randomness.

        Raises:
            UsageError: If the budget does not fit the pool, or a candidate lacks the utility.
            ValueError: If embeddings are not finite.
        """
        self._check(pool, budget)
        walk = self._walk(pool, budget, generator)
        order = (*(pick.index for pick in walk), *_not_candidates(pool))
        return Ranking(picks=tuple(walk[:budget]), order=order)

    @classmethod
    def from_options(cls, options: StrategyOptions) -> Self:
        """Return the strategy with those of the options that it has an attribute for."""
        own: Sequence[Field[object]] = fields(cls) if is_dataclass(cls) else ()
        return cls(**{field.name: getattr(options, field.name) for field in own})

    @abstractmethod
    def _walk(self, pool: Pool, budget: int, generator: np.random.Generator) -> list[Pick]:
        """Put all candidates in order; the first `budget` of them are the choice."""

    def _check(self, pool: Pool, budget: int) -> None:
        check_budget(pool, budget)
        check_embeddings(pool)
        for name in (*([self.utility] if self.utility is not None else []), *self.also):
            utility_column(pool, name)


def strategy_generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one strategy, whatever other strategies have drawn."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def capped_order(pool: Pool, order: Sequence[int] | IntArray, *, cap: int) -> list[int]:
    """Put cases of patients that had their turn behind those of other patients.

    No patient gets more than `cap` cases (labeled ones count) before every patient has had the
    chance of that many; then the cap is raised by `cap`, and so on. No case is dropped.

    Args:
        pool: The pool.
        order: Rows, best first.
        cap: Cases per patient and round, at least 1.
    """
    rounds: list[list[int]] = []
    used = Counter(pool.patient_ids[row] for row in np.flatnonzero(pool.labelled))
    for row in order:
        patient = pool.patient_ids[row]
        number = used[patient] // cap
        used[patient] += 1
        rounds += [[] for _ in range(number + 1 - len(rounds))]
        rounds[number].append(int(row))
    return [row for members in rounds for row in members]


def descending(values: Float64Array, rows: MaskArray | IntArray) -> IntArray:
    """Return the given rows, largest value first; ties keep the order of the rows."""
    indices = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, dtype=np.intp)
    return np.asarray(indices[np.argsort(-values[indices], kind="stable")], dtype=np.intp)


def farthest_first(pool: Pool, covered: Sequence[int] | IntArray) -> list[tuple[int, float]]:
    """Walk through the candidates, each time to the one farthest from all that went before.

    Args:
        pool: Pool with finite embeddings.
        covered: Rows that went before, beside the labeled ones; never visited. If there is none,
            the walk starts at the candidate closest to the mean of all candidates.

    Returns:
        Row and Euclidean distance to the closest row before it; infinite for a start.
    """
    labelled = np.flatnonzero(pool.labelled)
    before = [int(row) for row in np.union1d(labelled, np.asarray(covered, dtype=np.intp))]
    is_open = pool.candidates.copy()
    is_open[before] = False
    distance = np.full(pool.n_cases, np.inf)
    for row in before:
        distance = np.minimum(distance, _distances(pool.embeddings, pool.embeddings[row]))
    steps: list[tuple[int, float]] = []
    for _ in range(int(is_open.sum())):
        row = int(np.argmax(np.where(is_open, distance, -1.0)))
        if not before and not steps:
            row = _most_central(pool)
        steps.append((row, float(distance[row])))
        is_open[row] = False
        distance = np.minimum(distance, _distances(pool.embeddings, pool.embeddings[row]))
    return steps


def _distances(embeddings: Float64Array, point: Float64Array) -> Float64Array:
    """Euclidean distances to one point; rows without an embedding are infinitely far."""
    distances = np.linalg.norm(embeddings - point, axis=1)
    return np.where(np.isfinite(distances), distances, np.inf)


def _most_central(pool: Pool) -> int:
    rows = np.flatnonzero(pool.candidates)
    distances = _distances(pool.embeddings[rows], pool.embeddings[rows].mean(axis=0))
    return int(rows[np.argmin(distances)])


def _not_candidates(pool: Pool) -> list[int]:
    blank = np.full(pool.n_cases, -np.inf)
    values = np.asarray(pool.utilities.get(MODALITY_DIFFERENCE, blank))
    values = np.where(np.isfinite(values), values, -np.inf)
    held_back = descending(values, ~pool.candidates & ~pool.labelled)
    return [int(row) for row in (*held_back, *np.flatnonzero(pool.labelled))]
