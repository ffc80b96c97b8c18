"""Which cases to set aside for testing: a seeded draw with a share of every site and group.

Patients are drawn, so that all cases of one go together. Every patient of a site and group is as
likely to be drawn as any other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.strategies.base import strategy_generator
from MDALSelectorLib.strategies.clusters import k_means_groups
from MDALSelectorLib.strategies.pool import IntArray
from MDALSelectorLib.strategies.stratified_random import draw_from_sites
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import counted

DEFAULT_SHARE = 0.15
FEWEST_CASES = 5  # of fewer, one case decides on the mean
LARGEST_SHARE = 1 / 3
# Draws that are compared, as in rerandomization (Morgan, Rubin, Annals of Statistics 2012).
N_DRAWS = 200
NO_GROUP = "without an embedding"


@dataclass(frozen=True)
class Strata:
    """How the cases of a cohort are grouped for the draw.

    Attributes:
        case_ids: All cases that may be drawn, sorted.
        patient_ids: Patient of each.
        sites: Site of each; `None` if nothing tells sites apart.
        groups: Group of each by similarity or acquisition; `None` if there is none.
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    sites: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None

    def name_of(self, row: int) -> str:
        """Name site and group of a case: `site A, group 2 of 8`."""
        parts = (column[row] for column in (self.sites, self.groups) if column is not None)
        return ", ".join(parts)


def size_of_set(share: str | None, *, n_cases: int) -> tuple[int, str]:
    """Decide how many cases are set aside.

    Args:
        share: What the user wrote, `15%` or `8`; `None` for 15 %, at least 5 cases, at most a third
            of the cohort.
        n_cases: Cases of the cohort.

    Returns:
        The number, and what the user should know of it; empty if nothing.

    Raises:
        UsageError: If the text is neither, or a case to train on would not be left.
    """
    if n_cases < 2:
        msg = (
            f"Expected a cohort of several cases, found {n_cases}: none can be set aside for"
            " testing if one is to be trained on. Add cases."
        )
        raise UsageError(msg)
    if share is not None:
        wanted = parse_budget(share, n_cases=n_cases).n_cases
    else:
        most = max(math.floor(LARGEST_SHARE * n_cases), 1)
        wanted = min(max(math.ceil(DEFAULT_SHARE * n_cases), FEWEST_CASES), most)
    if wanted >= n_cases:
        msg = (
            f"{counted(n_cases, 'case')} of {n_cases} would be set aside and none trained on. Set"
            " fewer aside."
        )
        raise UsageError(msg)
    if wanted >= FEWEST_CASES:
        return wanted, ""
    whole = counted(n_cases, "case")
    why = f"{FEWEST_CASES} would be more than a third of {whole}; " if share is None else ""
    remark = (
        f"{why}{counted(wanted, 'case')} set aside will give a rough Dice only, on which single"
        " cases decide."
    )
    return wanted, remark[0].upper() + remark[1:]


def embedding_groups(embeddings: Float64Array, n_groups: int, *, seed: int) -> tuple[str, ...]:
    """Group cases by their embeddings, with the k-means that DiverseMD groups them by.

    Args:
        embeddings: Fused embeddings, `(n_cases, n_features)`; a case without one has NaN.
        n_groups: Number of groups.
        seed: Seed of the starts.

    Returns:
        Group of every case, the largest is `group 1`.
    """
    names = np.full(len(embeddings), NO_GROUP, dtype=object)
    known = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    if len(known):
        generator = strategy_generator(seed, "evaluation groups")
        for number, rows in enumerate(
            k_means_groups(embeddings[known], min(n_groups, len(known)), generator=generator), 1
        ):
            names[known[rows]] = f"group {number}"
    return tuple(names)


def draw_cases(strata: Strata, n_cases: int, *, seed: int) -> dict[str, str]:
    """Draw cases for testing: by patient, every site and group with its share.

    Of 200 systematic draws the one that comes closest to the shares of sites and of groups is
    taken; the same seed gives the same cases, whatever the order of a folder listing.

    Args:
        strata: Cases that may be drawn.
        n_cases: How many; more come back only where no patient that was drawn could be left out.
        seed: Seed of the draw.

    Returns:
        Drawn case, sorted, to the site and group that it was drawn from.

    Raises:
        UsageError: If there are not so many, or patients have so many cases each that more than
            half of all would be set aside.
    """
    if n_cases > len(strata.case_ids):
        msg = (
            f"Only {counted(len(strata.case_ids), 'case')} may be set aside, and {n_cases} are"
            " wanted: skipped cases, those whose pairing is to be checked, and patients that a"
            " model has trained on are not. Set fewer aside."
        )
        raise UsageError(msg)
    rows_of = _fitting_patients(_rows_by_patient(strata), n_cases)
    firsts = [rows[0] for rows in rows_of]
    sites = _of_rows(strata.sites, firsts)
    groups = _of_rows(strata.groups, firsts)
    generator = strategy_generator(seed, "evaluation set")
    n_patients = max(round(n_cases * len(rows_of) / sum(map(len, rows_of))), 1)
    while True:
        drawn = [rows_of[row] for row in _closest_draw(sites, groups, n_patients, generator)]
        if sum(map(len, drawn)) >= n_cases or n_patients == len(rows_of):
            break
        n_patients += 1
    rows = sorted(row for own in _without_surplus(drawn, n_cases) for row in own)
    if len(rows) > n_cases and len(rows) > len(strata.case_ids) / 2:
        raise UsageError(_too_large_patients(strata, n_cases, len(rows)))
    return {strata.case_ids[row]: strata.name_of(row) for row in rows}


def shares_text(drawn: Collection[str], case_ids: Sequence[str], groups: Sequence[str]) -> str:
    """Say how many cases of each group were drawn: `A 3 of 20, B 2 of 11`."""
    sizes = Counter(groups)
    taken = Counter(group for name, group in zip(case_ids, groups, strict=True) if name in drawn)
    return ", ".join(f"{group} {taken[group]} of {sizes[group]}" for group in sorted(sizes))


def _rows_by_patient(strata: Strata) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, patient in enumerate(strata.patient_ids):
        rows.setdefault(patient, []).append(row)
    return [rows[patient] for patient in sorted(rows)]


def _fitting_patients(rows_of: list[list[int]], n_cases: int) -> list[list[int]]:
    """Leave out patients with more cases than are wanted, unless the others have too few."""
    fitting = [rows for rows in rows_of if len(rows) <= n_cases]
    return fitting if sum(map(len, fitting)) >= n_cases else rows_of


def _without_surplus(drawn: list[list[int]], n_cases: int) -> list[list[int]]:
    """Leave out drawn patients without whom there are cases enough, the largest first."""
    kept, n_now = list(drawn), sum(map(len, drawn))
    for rows in sorted(drawn, key=len, reverse=True):
        if n_now - len(rows) >= n_cases:
            kept.remove(rows)
            n_now -= len(rows)
    return kept


def _too_large_patients(strata: Strata, n_cases: int, n_drawn: int) -> str:
    return (
        f"{counted(n_cases, 'case')} {'was' if n_cases == 1 else 'were'} wanted for testing, but"
        " patients are set aside as a whole and have so many cases each that it would be"
        f" {n_drawn} of {len(strata.case_ids)}, more than half. Correct the column `patient` of a"
        " manifest if these are several patients, or add cases of other patients."
    )


def _of_rows(column: Sequence[str] | None, rows: Sequence[int]) -> list[str]:
    return ["" for _ in rows] if column is None else [column[row] for row in rows]


def _closest_draw(
    sites: Sequence[str], groups: Sequence[str], n: int, generator: np.random.Generator
) -> IntArray:
    draws = [draw_from_sites(sites, n, generator=generator, within=groups) for _ in range(N_DRAWS)]
    columns = [np.unique(np.asarray(c), return_inverse=True)[1] for c in (sites, groups)]
    wanted = [n * np.bincount(column) / len(column) for column in columns]

    def distance(rows: IntArray) -> float:
        return sum(
            float(np.square(np.bincount(column[rows], minlength=len(share)) - share).sum())
            for column, share in zip(columns, wanted, strict=True)
        )

    return min(draws, key=distance)
