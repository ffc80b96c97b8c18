"""Which case is labeled next: that of the command, with the cases set aside evenly in between."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from MDALSelectorPanelLib.nodes import labeling
from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MDALSelectorPanelLib.nodes.labeling import Labeling, suggestedCases
from MultimodalImagingLib.cohorts.reading_plan import labeling_order
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.cohort_record import CaseState, open_record
from MultimodalSlicerLib.cohort_files import CohortFiles

CASES = [f"case-{n}" for n in range(8)]
TESTS = ("case-0", "case-1")


def walk(folder: Path, *, run: str = "") -> list[str]:
    """Label one case after the other, and return them in that order."""
    record, seen = open_record(folder), []
    rows = [CaseRow(case) for case in CASES]
    goes = Labeling(lambda: rows, lambda: CohortFiles(str(folder)), lambda: run)
    while case := goes.nextCase(seen[-1] if seen else ""):
        seen.append(case)
        record.change_states({case: CaseState.LABELLED})
    return seen


def test_tests_are_labeled_at_the_pace_of_the_others(tmp_path: Path) -> None:
    open_record(tmp_path).set_evaluation(dict.fromkeys(TESTS, ""), seed=0)
    others = [case for case in CASES if case not in TESTS]
    assert walk(tmp_path) == labeling_order(others, TESTS)
    assert walk(tmp_path) == []


def test_of_a_selection_the_suggested_cases_and_the_tests_are_labeled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggested = ["case-5", "case-6", "case-7"]
    monkeypatch.setattr(labeling, "suggestedCases", lambda _run: frozenset(suggested))
    record = open_record(tmp_path)
    record.set_evaluation(dict.fromkeys(TESTS, ""), seed=0)
    record.change_states(dict.fromkeys(suggested, CaseState.SUGGESTED))
    record.change_states({"case-7": CaseState.IN_PROGRESS})
    order = labeling_order(suggested, TESTS)
    assert walk(tmp_path, run="run") == ["case-7", *(c for c in order if c != "case-7")]


def test_a_run_that_could_not_be_read_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MDALSelectorLib.selection import run_folder

    def unreadable(_folder: Path) -> None:
        msg = "The share is away."
        raise CohortError(msg)

    run = str(tmp_path)
    monkeypatch.setattr(run_folder, "read_selection", unreadable)
    assert suggestedCases(run) == frozenset()
    from example_selection import example_selection

    selection = example_selection()
    monkeypatch.setattr(run_folder, "read_selection", lambda _folder: selection)
    assert suggestedCases(run) == {case.case_id for case in selection.cases if case.suggested}
