"""What a strategy chooses from, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.texts import counted

IntArray = npt.NDArray[np.intp]

# Names of the columns of `Pool.utilities`.
MODALITY_DIFFERENCE = "modality_difference"
VOXEL_NMI = "voxel_nmi"
SCORE = "score"
EPISTEMIC = "epistemic_nats"


@dataclass(frozen=True)
class Pool:
    """All cases of a cohort as a strategy sees them; row i of every array is case i.

    Attributes:
        case_ids: Distinct names, in order, so that the order of a folder listing cannot matter.
        patient_ids: Patient of every case; several cases may belong to one patient.
        embeddings: Fused embedding per case, unitless, shape `(n_cases, n_features)`.
        eligible: Whether a case may be suggested, shape `(n_cases,)`; a case whose pairing must be
            checked first is not.
        labelled: Whether a case has its label already, shape `(n_cases,)`; it is never picked, and
            the strategies that spread their picks treat its surroundings as covered.
        utilities: Values to rank by, each of shape `(n_cases,)`: `modality_difference` (unitless,
            the larger the less information the modalities share), `voxel_nmi` (normalized
            mutual information of voxels, unitless), `score` (the user's own), `epistemic_nats`
            (uncertainty of the segmentation model about its draft, nats).
        pair_z: Standardized PMI per pair of modalities, shape `(n_cases, n_pairs)`, NaN where the
            case lacks the pair; only needed to spread picks over it.
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    embeddings: Float64Array
    eligible: MaskArray
    labelled: MaskArray
    utilities: Mapping[str, Float64Array] = field(default_factory=dict)
    pair_z: Float64Array | None = None

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and names that occur twice."""
        if len(set(self.case_ids)) != self.n_cases:
            twice = sorted({c for c in self.case_ids if self.case_ids.count(c) > 1})
            msg = f"Expected distinct case names, got {', '.join(twice)} more than once."
            raise ValueError(msg)
        if tuple(sorted(self.case_ids)) != self.case_ids:
            msg = "Expected the cases of a pool in the order of their names, as a cohort has them."
            raise ValueError(msg)
        columns = {"patient_ids": len(self.patient_ids), "embeddings": len(self.embeddings)}
        columns |= {"eligible": len(self.eligible), "labelled": len(self.labelled)}
        columns |= {name: len(values) for name, values in self.utilities.items()}
        columns |= {} if self.pair_z is None else {"pair_z": len(self.pair_z)}
        wrong = {name: length for name, length in columns.items() if length != self.n_cases}
        if wrong or self.embeddings.ndim != 2:
            msg = (
                f"Expected {self.n_cases} rows in every column and a matrix of embeddings,"
                f" got {wrong} and embeddings of shape {self.embeddings.shape}."
            )
            raise ValueError(msg)

    @property
    def n_cases(self) -> int:
        """Number of cases, whether they can be picked or not."""
        return len(self.case_ids)

    @property
    def candidates(self) -> MaskArray:
        """Which cases can be picked: eligible and not labeled, shape `(n_cases,)`."""
        return np.logical_and(self.eligible, np.logical_not(self.labelled))


@dataclass(frozen=True)
class Pick:
    """One chosen case.

    Attributes:
        index: Its row in the pool.
        reason: Why the strategy took it; a part of a sentence, with numbers.
    """

    index: int
    reason: str


@dataclass(frozen=True)
class Ranking:
    """All cases of a pool in the order in which they should be labeled.

    Attributes:
        picks: The suggested cases in order of choice.
        order: Every row of the pool once: the picks; the other candidates; those that are not
            eligible; those that are labeled.
    """

    picks: tuple[Pick, ...]
    order: tuple[int, ...]


def check_budget(pool: Pool, budget: int) -> None:
    """Refuse a budget that the pool cannot give.

    Raises:
        UsageError: If there is no candidate, or the budget is not between 1 and their number.
    """
    n_candidates = int(pool.candidates.sum())
    n_labelled = int(np.asarray(pool.labelled, dtype=bool).sum())
    held_back = pool.n_cases - n_candidates - n_labelled
    found = (
        f"{n_candidates} of {counted(pool.n_cases, 'case')} can be suggested ({n_labelled} labeled,"
        f" {held_back} must be checked first or cannot be ranked)"
    )
    if n_candidates == 0:
        advice = "Look at the cases that are held back." if held_back else "Add cases to continue."
        msg = f"There is no case left to suggest: {found}. {advice}"
        raise UsageError(msg)
    if budget < 1:
        msg = f"Expected a budget of at least 1 case, got {budget}. Give a larger budget."
        raise UsageError(msg)
    if budget > n_candidates:
        msg = (
            f"A budget of {counted(budget, 'case')} is too large: {found}. Give a budget of at most"
            f" {n_candidates}."
        )
        raise UsageError(msg)


def utility_column(pool: Pool, name: str) -> Float64Array:
    """Return a column of utilities whose values are finite for every candidate.

    Args:
        pool: The pool.
        name: Name of the column.

    Returns:
        The column, shape `(n_cases,)`; minus infinity where a case that cannot be picked has no
        value.

    Raises:
        UsageError: If the column is absent or a candidate has no finite value in it.
    """
    if name not in pool.utilities:
        known = ", ".join(sorted(pool.utilities)) or "none"
        msg = (
            f"This strategy ranks by '{name.replace('_', ' ')}', which was not computed for this"
            f" cohort (available: {known}). Choose another strategy."
        )
        raise UsageError(msg)
    values = np.asarray(pool.utilities[name], dtype=np.float64)
    wrong = [pool.case_ids[i] for i in np.flatnonzero(pool.candidates & ~np.isfinite(values))]
    if wrong:
        msg = (
            f"Expected a finite {name.replace('_', ' ')} for every case that can be suggested, got"
            f" none for {_listed(wrong)}. Give them a value or leave these cases out."
        )
        raise UsageError(msg)
    return np.where(np.isfinite(values), values, -np.inf)


def check_embeddings(pool: Pool) -> None:
    """Refuse embeddings that are not finite where they are needed.

    Raises:
        ValueError: If a candidate or a labeled case has NaN or infinities in its embedding.
    """
    is_finite = np.isfinite(np.asarray(pool.embeddings, dtype=np.float64)).all(axis=1)
    needed = pool.candidates | np.asarray(pool.labelled, dtype=bool)
    wrong = [pool.case_ids[i] for i in np.flatnonzero(needed & ~is_finite)]
    if wrong:
        msg = f"Expected finite embeddings, got NaN or infinities for {_listed(wrong)}."
        raise ValueError(msg)


def _listed(case_ids: Sequence[str]) -> str:
    shown = ", ".join(case_ids[:5])
    return f"case {shown}" if len(case_ids) <= 5 else f"{len(case_ids)} cases ({shown}, ...)"
