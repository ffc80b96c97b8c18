"""Rows of the case table: into columns and back, states, and which values are outliers."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MDALSelectorPanelLib.nodes.case_rows import (
    STATE_COLORS,
    CaseRow,
    columns_from_rows,
    rows_from_columns,
    usual_range,
    with_states,
    write_case_table,
)
from MultimodalImagingLib.record.cohort_record import CaseState

ROWS = [
    CaseRow(
        "A",
        state=CaseState.SUGGESTED,
        rank=1,
        measures={"modality difference": 1.5},
        component=-0.25,
        pmi={"CT-PET": 0.5, "CT-T1": 1.25},
        flags=("incomplete: It lacks T2.", "check pairing: It shares too little."),
        reason="The farthest of its cluster.",
        thumbnail="A.png",
        files={"CT": "A/ct.nii.gz", "PET": "A/pet.nii.gz#1"},
        label="A/seg.nii.gz",
    ),
    CaseRow("B", state=CaseState.LABELLED, rank=2, pmi={"CT-T1": -0.5}, files={"T1": "B/t1.nii"}),
    CaseRow("C"),
]


def test_rows_come_back_from_their_columns() -> None:
    assert rows_from_columns(columns_from_rows(ROWS)) == ROWS


def test_no_rows_give_columns_without_values() -> None:
    columns = columns_from_rows([])
    assert columns["case"] == []
    assert rows_from_columns(columns) == []


def test_values_that_are_missing_are_not_a_number_in_the_columns() -> None:
    columns = columns_from_rows(ROWS)
    assert columns["rank"] == [1, 2, 0]
    assert math.isnan(columns["modality difference"][2])
    assert math.isnan(columns["PMI CT-PET (nats)"][1])


def test_another_table_is_refused() -> None:
    with pytest.raises(ValueError, match="Run the selection again"):
        rows_from_columns({"case": ["A"], "volume": [3.0]})


def test_states_change_where_they_are_given() -> None:
    states = {"B": CaseState.SKIPPED, "Z": CaseState.LABELLED}
    assert [row.state for row in with_states(ROWS, states)] == [
        CaseState.SUGGESTED,
        CaseState.SKIPPED,
        CaseState.UNLABELLED,
    ]


def test_every_state_has_a_color_of_its_own() -> None:
    assert set(STATE_COLORS) == set(CaseState)
    assert len(set(STATE_COLORS.values())) == len(STATE_COLORS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0.0, 0.0)),
        ([3.0], (3.0, 3.0)),
        ([1.0, 2.0, 3.0, 4.0], (1.0, 4.0)),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 100.0], (1.0, 7.0)),
        ([-50.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], (1.0, 7.0)),
    ],
)
def test_the_usual_range_leaves_out_what_is_far_from_the_quartiles(values, expected) -> None:
    assert usual_range(values) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_usual_range_lies_within_the_values_whatever_their_order(values: list[float]) -> None:
    low, high = usual_range(values)
    assert min(values) <= low <= high <= max(values)
    assert usual_range(reversed(values)) == (low, high)


@given(st.lists(st.floats(0, 1), min_size=8), st.floats(1e3, 1e6))
def test_one_value_far_away_does_not_change_the_range_of_the_others(values, far) -> None:
    assert usual_range([*values, far])[1] <= 1.0


def test_the_exported_table_can_be_read_as_csv(tmp_path: Path) -> None:
    rows = [CaseRow("A", reason='far, "very" far\nfrom all', rank=1), CaseRow("Bé")]
    write_case_table(tmp_path / "cases.csv", rows)
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        back = list(csv.DictReader(file))
    assert [row["case"] for row in back] == ["A", "Bé"]
    assert back[0]["reason"] == rows[0].reason
