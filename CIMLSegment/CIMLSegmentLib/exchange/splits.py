"""Folds of a growing set of labeled cases: by patient, and a patient never changes its fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

N_FOLDS = 5


def dealt_folds(patients: Mapping[str, str], known: Mapping[str, int]) -> dict[str, int]:
    """Give every case a fold; cases that have one keep it.

    A new patient goes where the fewest cases are, those with the most cases first; ties are broken
    by name and number of the fold, so the same cases always get the same folds.

    Args:
        patients: Patient per case.
        known: Folds of earlier rounds, per case.

    Returns:
        Fold per case, 0 to 4. All cases of a patient have the same one.
    """
    of_patient = {patients[case]: fold for case, fold in known.items() if case in patients}
    sizes = Counter(patients.values())
    load = Counter(dict.fromkeys(range(N_FOLDS), 0))
    for patient, fold in of_patient.items():
        load[fold] += sizes[patient]
    for patient in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if patient not in of_patient:
            fold = min(range(N_FOLDS), key=lambda n: (load[n], n))
            of_patient[patient] = fold
            load[fold] += sizes[patient]
    return {case: of_patient[patient] for case, patient in sorted(patients.items())}


def splits(folds: Mapping[str, int]) -> list[dict[str, list[str]]] | None:
    """Return what `splits_final.json` of nnU-Net holds; `None` while a fold is empty.

    Args:
        folds: Fold per case.
    """
    if len(set(folds.values())) < N_FOLDS:
        return None
    return [
        {
            "train": [case for case, other in sorted(folds.items()) if other != fold],
            "val": [case for case, other in sorted(folds.items()) if other == fold],
        }
        for fold in range(N_FOLDS)
    ]
