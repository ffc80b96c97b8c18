"""Rows of the case table: into columns and back, states, and which values are outliers."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
from example_selection import example_selection
from hypothesis import given
from hypothesis import strategies as st

from MDALSelectorLib.report import page
from MDALSelectorLib.selection import case_columns, case_selection, run_folder, selecting
from MDALSelectorLib.selection.case_selection import MEASURES, Measure, usual_range
from MDALSelectorPanelLib.nodes import case_rows
from MDALSelectorPanelLib.nodes.case_rows import (
    STATE_COLORS,
    CaseRow,
    columns_from_rows,
    rows_from_columns,
    rows_from_selection,
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


def test_only_cohorts_to_classify_have_a_column_of_the_class() -> None:
    assert "class" not in columns_from_rows(ROWS)
    classified = [replace(ROWS[0], given_class="benign"), ROWS[1]]
    columns = columns_from_rows(classified)
    assert columns["class"] == ["benign", ""]
    assert rows_from_columns(columns) == classified


def test_values_that_are_missing_are_not_a_number_in_the_columns() -> None:
    columns = columns_from_rows(ROWS)
    assert columns["rank"] == [1, 2, 0]
    assert math.isnan(columns["modality difference"][2])
    assert math.isnan(columns["PMI CT-PET (nats)"][1])


def test_another_table_is_refused() -> None:
    with pytest.raises(ValueError, match="Run the selection again"):
        rows_from_columns({"case": ["A"], "volume": [3.0]})


@pytest.mark.parametrize(
    "edited", [{"state": ["done"] * 3}, {"rank": [math.nan] * 3}, {"reason": []}]
)
def test_a_table_that_was_edited_is_refused_with_what_to_do(edited) -> None:
    with pytest.raises(ValueError, match="Run the selection again"):
        rows_from_columns({**columns_from_rows(ROWS), **edited})


def test_states_change_where_they_are_given() -> None:
    states = {"B": CaseState.SKIPPED, "Z": CaseState.LABELLED}
    assert [row.state for row in with_states(ROWS, states)] == [
        CaseState.SUGGESTED,
        CaseState.SKIPPED,
        CaseState.UNLABELLED,
    ]


def test_the_explanation_says_nothing_twice() -> None:
    flags = ("check pairing: It lies 7 mm off.", "incomplete: It lacks T2.")
    row = CaseRow("A", reason="Check the pairing: It lies 7 mm off.", flags=flags)
    assert row.explanation == "Check the pairing: It lies 7 mm off.\nincomplete: It lacks T2."


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


def test_a_further_measure_is_a_column_of_every_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = (*MEASURES, Measure("voxel_nmi", "voxel NMI", "The higher, the more is shared."))
    for module in (case_columns, case_rows, case_selection, selecting):
        monkeypatch.setattr(module, "MEASURES", further)
    selection = example_selection()
    value = selection.cases[0].measures["voxel_nmi"]
    run_folder.write_selection(tmp_path, selection)
    assert run_folder.read_selection(tmp_path).cases[0].measures["voxel_nmi"] == round(value, 6)
    table = csv.DictReader(run_folder.selection_csv(selection).splitlines())
    assert float(next(table)["voxel NMI"]) == round(value, 4)
    assert "Voxel NMI</button>" in page.render_report(tmp_path, selection)
    rows = rows_from_selection(selection, found=(), states={})
    assert columns_from_rows(rows)["voxel NMI"][0] == value
    assert rows_from_columns(columns_from_rows(rows)) == rows
