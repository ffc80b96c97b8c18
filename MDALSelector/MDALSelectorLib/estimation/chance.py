"""Who stands in for whom when the floor of chance is measured.

Chance is what pairs of *different* patients reach. Patients of one site, scanner or voxel size look
alike in ways that no anatomy explains: where such groups are known, patients are also exchanged
within them alone, and what these pairs reach is no signal either. An exchange never leaves a fold,
so that no stand-in was seen by the model that scores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray
from MDALSelectorLib.estimation.limits import ANYONE

# Group of every case by the name of the grouping.
Groups = Mapping[str, Sequence[str]]
# A grouping that gives fewer of the cases a stand-in of their own group says little about it.
MIN_EXCHANGED_SHARE = 0.5
# Groupings that are looked at, the finest first: a finer one keeps more of the acquisition equal.
MAX_GROUPINGS = 3


def labels_to_exchange_within(groups: Groups, plan: CrossFitPlan) -> dict[str, IntArray]:
    """Return who may stand in for whom: one number per case, by the name of the grouping.

    Groupings that part the cases alike count once, and those that leave most cases without another
    patient of their group in the same fold do not count. `ANYONE` comes first and is always there.

    Args:
        groups: Group of every case by the name of the grouping.
        plan: Which cases are held out together; exchanges belong to its first repeat.
    """
    found: dict[str, IntArray] = {ANYONE: np.zeros(len(plan.patients), dtype=np.int64)}
    seen: set[bytes] = set()
    numbered = {name: _numbered(labels) for name, labels in groups.items()}
    for name in sorted(numbered, key=lambda name: (-int(numbered[name].max(initial=0)), name)):
        labels = numbered[name]
        is_new = labels.tobytes() not in seen and len(np.unique(labels)) > 1
        seen.add(labels.tobytes())
        if is_new and _exchanged_share(labels, plan) >= MIN_EXCHANGED_SHARE:
            found[name] = labels
        if len(found) > MAX_GROUPINGS:
            break
    return found


def exchanged(
    cases: IntArray,
    *,
    patients: IntArray,
    labels: IntArray,
    generator: np.random.Generator,
) -> IntArray:
    """Draw another patient's case of the same group for each of some cases.

    Cases whose group has no other patient are exchanged among themselves.

    Args:
        cases: Cases that are held out together.
        patients: Patient of every case of the cohort.
        labels: Group of every case of the cohort.
        generator: Source of the draw.

    Returns:
        The stand-ins, a permutation of `cases`.
    """
    partner = cases.copy()
    for rows in _parts(labels[cases], patients[cases]):
        partner[rows] = _of_other_patients(cases[rows], patients[cases[rows]], generator)
    return partner


def exchanges(plan: CrossFitPlan, labels: IntArray, n: int) -> list[IntArray]:
    """Draw stand-ins for all cases, each within its fold of the first repeat and its group.

    Args:
        plan: Which cases are held out together.
        labels: Group of every case.
        n: Number of draws.
    """
    generator = np.random.default_rng([int(plan.seeds[0, 0]), 4])
    folds = [split.held_out for split in plan.splits(0)]
    found = []
    for _ in range(n):
        partner = np.arange(len(plan.patients))
        for cases in folds:
            partner[cases] = exchanged(
                cases, patients=plan.patients, labels=labels, generator=generator
            )
        found.append(partner)
    return found


def _numbered(labels: Sequence[str]) -> IntArray:
    """Number groups by first appearance, so that equal partitions get equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def _exchanged_share(labels: IntArray, plan: CrossFitPlan) -> float:
    n_exchanged = 0
    for split in plan.splits(0):
        cases = split.held_out
        for label in np.unique(labels[cases]):
            members = plan.patients[cases[labels[cases] == label]]
            n_exchanged += len(members) if len(np.unique(members)) > 1 else 0
    return n_exchanged / len(labels)


def _parts(labels: IntArray, patients: IntArray) -> list[IntArray]:
    """Part rows by group; groups of a single patient form one part, which has at least two."""
    parts, alone = [], np.empty(0, dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(np.unique(patients[rows])) > 1:
            parts.append(rows)
        else:
            alone = np.concatenate([alone, rows])
    if len(alone) and len(np.unique(patients[alone])) < 2 and parts:
        alone = np.concatenate([alone, parts.pop(int(np.argmax([len(p) for p in parts])))])
    return [*parts, np.sort(alone)] if len(alone) else parts


def _of_other_patients(
    cases: IntArray, patients: IntArray, generator: np.random.Generator
) -> IntArray:
    """Shuffle cases so that none stays with its patient, where the patients allow it."""
    names, group, sizes = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.argsort(generator.permutation(len(names))[group], kind="stable")
    partner = np.empty_like(cases)
    partner[order] = np.roll(cases[order], int(sizes.max()))
    return partner
