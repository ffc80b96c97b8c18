"""Rounds: kept by number, and what a model was trained on tests no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.history import read_history
from MultimodalImagingLib.record.rounds import FILE_NAME, Round, append_round, read_rounds

AT = "2026-11-30T10:00:00+00:00"
SECOND = Round(2, ("a", "b", "d"), "models/two", "2c0ffee5", AT, started_from="one")
FIRST = Round(1, ("a", "b"), "models/one", "1c0ffee5", AT, {"c": {"WT": 0.8, "TC": None}}, 7)


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    return open_record(tmp_path)


def test_rounds_come_back(record: CohortRecord) -> None:
    assert read_rounds(record) == ()
    append_round(record, SECOND)
    assert append_round(record, FIRST) == (FIRST, SECOND)
    assert read_rounds(record) == (FIRST, SECOND)


def test_the_mean_dice_of_a_round_counts_every_case_alike() -> None:
    dice = {"c": {"WT": 0.8, "TC": 0.6}, "d": {"WT": 0.1, "TC": None}, "e": {"WT": None}}
    found = replace(FIRST, evaluation=dice)
    assert found.case_dice == {"c": pytest.approx(0.7), "d": 0.1}
    assert found.mean_dice == pytest.approx(0.4)
    assert replace(FIRST, evaluation={}).mean_dice is None


def test_a_round_may_be_evaluated_again_but_not_taken_by_another_model(
    record: CohortRecord,
) -> None:
    append_round(record, Round(1, ("a", "b"), "models/one", "1c0ffee5", AT))
    assert append_round(record, FIRST) == (FIRST,)
    with pytest.raises(CohortError, match="Give the model models/x the number 2"):
        append_round(record, Round(1, ("a",), "models/x", "x", AT))
    assert read_rounds(record) == (FIRST,)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"format": 2, "rounds": []}', '{"format": 1, "rounds": [1]}'),
        '{"format": 1, "rounds": [{"number": 1, "labels": [], "model": "", "model_id": "",'
        ' "at": "", "evaluation": {"a": {"WT": NaN}}, "n_drafts": 0}]}',
    ],
)
def test_unreadable_rounds_are_an_explained_error(record: CohortRecord, text: str) -> None:
    (record.folder / FILE_NAME).write_text(text)
    with pytest.raises(CohortError, match="Restore it from a backup"):
        read_rounds(record)


def test_cases_are_set_aside_for_testing_unless_a_model_knows_them(record: CohortRecord) -> None:
    record.set_evaluation({"x": "site 1"}, seed=3)
    states = record.set_evaluation({"y": "site 2"}, seed=3)
    assert states.evaluation == {"x": "site 1", "y": "site 2"}
    append_round(record, FIRST)
    with pytest.raises(CohortError, match="1 case was trained on in an earlier round"):
        record.set_evaluation({"a": "site 1"}, seed=4)
    assert record.read_states() == states
    event = read_history(record)[-1]
    assert (event.event, event.details) == (
        "evaluation-chosen",
        {"seed": 3, "groups": {"y": "site 2"}},
    )
