"""How well readers agree on the classes of cases: Cohen's kappa of every two of them.

Kappa is the agreement beyond what the shares of the classes alone would give: 1 if they always
agree, 0 for chance (Cohen, A coefficient of agreement for nominal scales, 1960).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from MultimodalImagingLib.cohorts.class_labels import ClassLabels, read_class_labels
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord


@dataclass(frozen=True)
class ClassAgreement:
    """How well two readers agree on the classes of the cases that both have read.

    Attributes:
        first: One reader.
        second: The other.
        n_cases: Cases that both have given a class.
        n_alike: Those to which they gave the same.
        kappa: Cohen's kappa, at most 1; NaN where both gave one class alone, the same.
    """

    first: str
    second: str
    n_cases: int
    n_alike: int
    kappa: float

    @property
    def sentence(self) -> str:
        """The figures in words."""
        kappa = (
            "Cohen's kappa is not defined, for all are of one class"
            if math.isnan(self.kappa)
            else f"Cohen's kappa {self.kappa:.2f}"
        )
        return (
            f"Classes by {self.first} and {self.second}: {self.n_alike} of"
            f" {counted(self.n_cases, 'case')} alike, {kappa}."
        )


def class_agreements(labels: ClassLabels) -> tuple[ClassAgreement, ...]:
    """Compare every two readers that have cases in common, by name."""
    of_reader: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}
    for case_id, own in labels.of_case.items():
        for label in own:
            key = label.reader.casefold()
            names.setdefault(key, label.reader)
            of_reader.setdefault(key, {})[case_id] = label.name
    found = []
    for first, second in combinations(sorted(of_reader), 2):
        both = sorted(of_reader[first].keys() & of_reader[second].keys())
        if both:
            one = [of_reader[first][case] for case in both]
            other = [of_reader[second][case] for case in both]
            n_alike = sum(a == b for a, b in zip(one, other, strict=True))
            kappa = cohens_kappa(one, other)
            found.append(ClassAgreement(names[first], names[second], len(both), n_alike, kappa))
    return tuple(found)


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Cohen's kappa of two readers.

    Args:
        first: Class per case by one reader, at least one.
        second: Those by the other, of the same cases in the same order.

    Returns:
        At most 1; NaN if both gave one class alone, the same.
    """
    n = len(first)
    alike = sum(a == b for a, b in zip(first, second, strict=True)) / n
    shares = Counter(first), Counter(second)
    by_chance = sum(shares[0][name] * shares[1][name] for name in shares[0]) / n**2
    return (alike - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def class_agreement_sentences(record: CohortRecord) -> list[str]:
    """Say how well readers agree on classes; nothing for a cohort to segment.

    Raises:
        CohortError: If the classes of the record cannot be read.
    """
    task = read_class_task(record)
    if task is None:
        return []
    labels = read_class_labels(record, task)
    texts = [pair.sentence for pair in class_agreements(labels)]
    if labels.disputed:
        n = len(labels.disputed)
        texts.append(
            f"Readers gave {counted(n, 'case')} different classes: {listed(list(labels.disputed))}."
        )
    return texts
