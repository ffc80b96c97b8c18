"""What a retrospective needs of labeled cases, whatever their labels are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from MultimodalImagingLib.preparation.preprocessing import PreparedCohort


class CaseWithLabel(Protocol):
    """A labeled case."""

    @property
    def row(self) -> int:
        """Its index in the prepared cohort."""

    @property
    def case_id(self) -> str:
        """Its name."""

    @property
    def patient_id(self) -> str:
        """Its patient."""

    @property
    def checksum(self) -> str:
        """Of its label."""


class CohortWithLabels(Protocol):
    """Labeled cases, sorted by name."""

    @property
    def prepared(self) -> PreparedCohort:
        """The prepared cohort."""

    @property
    def cases(self) -> Sequence[CaseWithLabel]:
        """The labeled cases that can be used."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out and why; full sentences."""

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Name of every case."""

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of every case."""
