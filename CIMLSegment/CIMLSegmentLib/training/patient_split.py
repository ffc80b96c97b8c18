"""Cases for training and for validation; never one patient in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.errors import UsageError

_FEWEST_PATIENTS = 3


@dataclass(frozen=True)
class Split:
    """Which cases are trained on, and which choose among the states.

    Attributes:
        training: Case ids, sorted.
        validation: Case ids, sorted; empty if there are too few patients.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]


def split_by_patient(
    cases: Sequence[TrainingCase],
    *,
    share: float,
    seed: int,
    chosen: Sequence[str] | None = None,
) -> Split:
    """Split cases so that a patient is on one side only.

    Args:
        cases: All cases.
        share: Share of the patients kept for validation: at least one of them if it is above 0
            and there are three patients or more, none if there are fewer.
        seed: Decides which patients.
        chosen: Cases for validation instead of a random choice.

    Raises:
        UsageError: If a chosen case does not exist, or none is left to train on.
    """
    patients = sorted({case.patient_id for case in cases})
    if chosen is not None:
        validation = _checked(cases, chosen)
    elif share > 0 and len(patients) >= _FEWEST_PATIENTS:
        n_kept = min(max(1, round(share * len(patients))), len(patients) - 1)
        order = np.random.default_rng(seed).permutation(len(patients))
        kept = {patients[index] for index in order[:n_kept]}
        validation = {case.case_id for case in cases if case.patient_id in kept}
    else:
        validation = set()
    return Split(
        tuple(sorted(case.case_id for case in cases if case.case_id not in validation)),
        tuple(sorted(validation)),
    )


def _checked(cases: Sequence[TrainingCase], chosen: Sequence[str]) -> set[str]:
    patient_of = {case.case_id: case.patient_id for case in cases}
    unknown = sorted(set(chosen) - set(patient_of))
    if unknown:
        msg = (
            f"Expected validation cases that are labeled and usable, got {', '.join(unknown)}."
            " Correct the list."
        )
        raise UsageError(msg)
    kept = {patient_of[case_id] for case_id in chosen}
    both = sorted(c for c, patient in patient_of.items() if patient in kept and c not in chosen)
    if both:
        msg = (
            f"Cases {', '.join(both)} are of patients that are kept for validation. Keep them for"
            " validation too, or leave them out."
        )
        raise UsageError(msg)
    if len(set(chosen)) == len(patient_of):
        msg = "All cases are kept for validation. Leave at least one to train on."
        raise UsageError(msg)
    return set(chosen)
