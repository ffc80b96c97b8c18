"""What the record of a cohort says of its cases now, for the case table.

Must not import Slicer or Qt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MultimodalImagingLib.cohorts.class_labels import read_class_labels
from MultimodalImagingLib.cohorts.given_classes import GivenClasses, class_texts, meant_classes
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.case_states import CaseState
from MultimodalImagingLib.record.claims import live_claims
from MultimodalImagingLib.record.class_task import ClassTask, read_class_task
from MultimodalImagingLib.record.readers import is_same_reader
from MultimodalSlicerLib.cohort_files import CohortFiles


@dataclass(frozen=True)
class CaseFacts:
    """What the record says of cases.

    Attributes:
        states: State of every case that the record has one of.
        claims: Who has a case open, per case that another reader has open now.
        tests: Cases that are set aside for testing.
        classes: The class that counts per case that was asked about; empty where none was given.
        asks_classes: Whether the cohort is to be classified.
        problems: What is not used of its classes and why; full sentences.
    """

    states: Mapping[str, CaseState] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    tests: frozenset[str] = frozenset()
    classes: Mapping[str, str] = field(default_factory=dict)
    asks_classes: bool = False
    problems: tuple[str, ...] = ()


def read_case_facts(
    files: CohortFiles,
    reader: str,
    cases: Collection[str],
    columns: Mapping[str, Mapping[str, str]] | None = None,
) -> CaseFacts:
    """Read what the record says of cases now; nothing is created.

    Args:
        files: The cohort.
        reader: Who reads here, whose own claims are not meant.
        cases: Cases whose classes are asked about, which costs looking into the folder of each.
        columns: What the manifest of the cohort says per case, by column; its classes count where
            no reader gave one.

    Raises:
        CohortError: If the record cannot be read.
    """
    record = files.record
    states, task = record.read_states(), read_class_task(record)
    classes, problems = ({}, ()) if task is None else _classes(task, files, cases, columns or {})
    claims = live_claims(states.claims).items()
    return CaseFacts(
        {case: entry.state for case, entry in states.entries.items()},
        {case: one.reader for case, one in claims if not is_same_reader(one.reader, reader)},
        frozenset(states.evaluation),
        classes,
        task is not None,
        problems,
    )


def _classes(
    task: ClassTask,
    files: CohortFiles,
    cases: Collection[str],
    columns: Mapping[str, Mapping[str, str]],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the class that counts of every case, empty without one; and what is not used."""
    labels = read_class_labels(files.record, task, only=cases)
    try:
        texts = class_texts(columns, files.root)
    except CohortError as error:
        meant = GivenClasses({}, (str(error),))
    else:
        meant = meant_classes(texts, task, texts)
    known = {**meant.of_case, **labels.that_count}
    return {case: known.get(case, "") for case in cases}, (*labels.problems, *meant.problems)


def with_facts(rows: Sequence[CaseRow], facts: CaseFacts) -> list[CaseRow]:
    """Return rows as the record says; a state or class that it says nothing of stays."""
    return [
        replace(
            row,
            state=facts.states.get(row.case_id, row.state),
            given_class=facts.classes.get(row.case_id, row.given_class),
            claimed_by=facts.claims.get(row.case_id, ""),
            is_test=row.case_id in facts.tests,
        )
        for row in rows
    ]
