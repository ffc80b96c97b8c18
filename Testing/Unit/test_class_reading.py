"""Giving classes case after case: what is kept, timed, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from MDALSelectorLib.classification.class_findings import ClassDraft
from MDALSelectorPanelLib.nodes.class_reading import ClassReading
from MultimodalImagingLib.cohorts.class_labels import (
    new_class_label,
    read_class_labels,
    save_class_label,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.class_task import task_of_names
from MultimodalImagingLib.record.cohort_record import CaseState, open_record

TASK = task_of_names(["benign", "malignant"])
DRAFT = ClassDraft("malignant", 0.8, 0.5)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reading(tmp_path: Path, clock: Clock) -> ClassReading:
    return ClassReading(open_record(tmp_path), TASK, "AB", clock)


def test_a_choice_is_saved_with_its_time_and_what_the_draft_said(
    reading: ClassReading, clock: Clock
) -> None:
    reading.open("a", DRAFT, run="003-Epistemic")
    assert reading.given == ""
    clock.now += 7.5
    label = reading.choose("benign")
    assert (label.looking_s, label.began, label.drafted) == (7.5, "003-Epistemic", "malignant")
    assert reading.given == "benign"
    assert reading.record.read_states().of("a") is CaseState.LABELLED


def test_a_case_without_a_draft_begins_as_nothing(reading: ClassReading) -> None:
    reading.open("a")
    label = reading.choose("benign")
    assert (label.began, label.drafted) == ("", "")


def test_undo_goes_back_choice_by_choice_over_cases(reading: ClassReading) -> None:
    reading.open("a")
    reading.choose("benign")
    reading.choose("malignant")
    reading.open("b")
    reading.choose("malignant")
    assert reading.last_case == "b"
    assert reading.undo() == "b"
    assert reading.undo() == "a"
    assert read_class_labels(reading.record, TASK).that_count == {"a": "benign"}
    assert reading.undo() == "a"
    assert reading.last_case == ""
    assert read_class_labels(reading.record, TASK).of_case == {}
    assert reading.record.read_states().of("b") is CaseState.UNLABELLED


def test_what_others_gave_is_not_shown_and_not_undone(reading: ClassReading) -> None:
    save_class_label(reading.record, new_class_label("a", "CD", "malignant"))
    reading.open("a")
    assert reading.given == ""
    reading.choose("benign")
    reading.undo()
    assert read_class_labels(reading.record, TASK).that_count == {"a": "malignant"}


def test_undo_of_what_was_changed_elsewhere_is_refused_and_may_be_tried_again(
    reading: ClassReading,
) -> None:
    reading.open("a")
    reading.choose("benign")
    save_class_label(reading.record, new_class_label("a", "AB", "malignant"))
    with pytest.raises(CohortError, match="changed elsewhere"):
        reading.undo()
    assert reading.last_case == "a"
