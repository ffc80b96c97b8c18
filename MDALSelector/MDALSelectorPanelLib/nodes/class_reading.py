"""Giving classes to cases, one after the other, with a way back. Knows neither Slicer nor Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from MDALSelectorLib.classification.class_findings import ClassDraft
from MultimodalImagingLib.cohorts.class_labels import (
    ClassLabel,
    ClassLabels,
    new_class_label,
    read_class_labels,
    save_class_label,
    take_back_class_label,
)
from MultimodalImagingLib.record.class_task import ClassTask
from MultimodalImagingLib.record.cohort_record import CohortRecord


@dataclass
class ClassReading:
    """What a reader sees and does while a cohort is classified.

    Attributes:
        record: The cohort's record.
        task: Its classes.
        reader: Who reads.
        clock: Seconds, growing.
        case_id: The open case; empty if none is.
        draft: The draft that is shown; `None` if there is none.
        run: The run that it is from.
    """

    record: CohortRecord
    task: ClassTask
    reader: str
    clock: Callable[[], float] = time.monotonic
    case_id: str = ""
    draft: ClassDraft | None = None
    run: str = ""
    _opened: float = 0.0
    _labels: ClassLabels = field(default_factory=ClassLabels)
    _done: list[tuple[ClassLabel, ClassLabel | None]] = field(default_factory=list)

    def open(self, case_id: str, draft: ClassDraft | None = None, *, run: str = "") -> None:
        """Begin with a case; its time runs from here.

        Args:
            case_id: The case.
            draft: What a classifier made of it.
            run: Name of the run of that draft.
        """
        self.case_id, self.draft, self.run = case_id, draft, run
        self._opened = self.clock()
        self._labels = read_class_labels(self.record, self.task)

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that are not used and why."""
        return self._labels.problems

    @property
    def given(self) -> str:
        """The class that this reader gave the open case; empty if none."""
        label = self._labels.by(self.case_id, self.reader)
        return "" if label is None else label.name

    def choose(self, name: str) -> ClassLabel:
        """Save the class of the open case.

        Raises:
            CrossModalError: If it cannot be saved; the message says where it is.
        """
        label = new_class_label(
            self.case_id,
            self.reader,
            name,
            looking_s=self.clock() - self._opened,
            began="" if self.draft is None else self.run,
            drafted="" if self.draft is None else self.draft.name,
        )
        former = self._labels.by(self.case_id, self.reader)
        save_class_label(self.record, label)
        self._done.append((label, former))
        self._labels = read_class_labels(self.record, self.task)
        self._opened = self.clock()  # a second thought is timed by itself
        return label

    @property
    def last_case(self) -> str:
        """The case whose class can be taken back; empty if there is none."""
        return self._done[-1][0].case_id if self._done else ""

    def undo(self) -> str:
        """Take back the last class that was given here.

        Returns:
            Its case.

        Raises:
            CohortError: If it was changed elsewhere.
            CrossModalError: If a file cannot be written.
        """
        given, former = self._done[-1]
        take_back_class_label(self.record, given, former)
        self._done.pop()
        self._labels = read_class_labels(self.record, self.task)
        return given.case_id
