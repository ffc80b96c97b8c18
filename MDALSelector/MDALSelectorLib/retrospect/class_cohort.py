"""The cases of a cohort that have a class, as a retrospective needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.classification.class_learner import (
    LEAST_PATIENTS,
    IntArray,
    patients_per_class,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import counted, joined
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort


@dataclass(frozen=True)
class ClassifiedCase:
    """One case with a class.

    Attributes:
        row: Its index in the prepared cohort.
        case_id: Its name.
        patient_id: Its patient.
        name: Its class.
    """

    row: int
    case_id: str
    patient_id: str
    name: str

    @property
    def checksum(self) -> str:
        """What stands for its label: the class."""
        return self.name


@dataclass(frozen=True, eq=False)
class ClassCohort:
    """All cases with a class, sorted by name.

    Attributes:
        prepared: The prepared cohort.
        cases: The cases that can be used.
        remarks: What was left out and why; full sentences.
        names: Classes that they have, sorted.
    """

    prepared: PreparedCohort
    cases: tuple[ClassifiedCase, ...]
    remarks: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Name of every case."""
        return tuple(case.case_id for case in self.cases)

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of every case."""
        return tuple(case.patient_id for case in self.cases)

    @property
    def classes(self) -> IntArray:
        """Number of the class of every case, `(n_cases,)`."""
        return np.array([self.names.index(case.name) for case in self.cases], dtype=np.intp)

    @property
    def worth(self) -> Float64Array:
        """What a right case counts, so that the mean over all is the balanced accuracy.

        Returns:
            `n_cases / (n_classes * cases of its class)`, shape `(n_cases,)`.
        """
        counts = np.bincount(self.classes)
        return np.asarray(len(self.cases) / (len(self.names) * counts[self.classes]))


def read_class_cohort(prepared: PreparedCohort, of_case: Mapping[str, str]) -> ClassCohort:
    """Return the prepared cases that have a class that two patients or more have.

    Args:
        prepared: The prepared cohort; every case has a class.
        of_case: Class per case.

    Raises:
        UsageError: If fewer than two classes are left.
    """
    found = [
        ClassifiedCase(row, case.case_id, case.patient_id, of_case[case.case_id])
        for row, case in enumerate(prepared.cases)
    ]
    names = sorted({case.name for case in found})
    numbers = np.array([names.index(case.name) for case in found], dtype=np.intp)
    enough = patients_per_class(numbers, [case.patient_id for case in found])
    rare = [name for number, name in enumerate(names) if enough[number] < LEAST_PATIENTS]
    kept = tuple(case for case in found if case.name not in rare)
    names = [name for name in names if name not in rare]
    if len(names) < 2:
        msg = (
            f"Expected two classes with cases of at least {LEAST_PATIENTS} patients each, found"
            f" {joined(names) or 'none'}. Classify more cases."
        )
        raise UsageError(msg)
    n = len(found) - len(kept)
    left_out = (
        f"{counted(n, 'case', 'was', 'were')} left out: fewer than {LEAST_PATIENTS} patients are"
        f" {joined(rare)}."
    )
    return ClassCohort(prepared, kept, (left_out,) if rare else (), tuple(names))
