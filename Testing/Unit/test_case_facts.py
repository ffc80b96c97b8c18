"""What the record says of cases, for the case table."""

from __future__ import annotations

from pathlib import Path

from MDALSelectorPanelLib.nodes.case_facts import CaseFacts, read_case_facts, with_facts
from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MultimodalImagingLib.cohorts.class_labels import new_class_label, save_class_label
from MultimodalImagingLib.record.class_task import task_of_names, write_class_task
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalSlicerLib.cohort_files import CohortFiles

CASES = ("a", "b", "c")


def facts(folder: Path, columns: dict[str, dict[str, str]] | None = None) -> CaseFacts:
    return read_case_facts(CohortFiles(str(folder)), "anna", CASES, columns)


def classified(folder: Path) -> CohortRecord:
    record = open_record(folder)
    write_class_task(record, task_of_names(["benign", "malignant"]))
    return record


def test_a_cohort_without_a_record_says_nothing_and_gets_none(tmp_path: Path) -> None:
    assert facts(tmp_path) == CaseFacts()
    assert list(tmp_path.iterdir()) == []


def test_states_tests_and_what_others_have_open_are_told(tmp_path: Path) -> None:
    record = open_record(tmp_path)
    record.change_states({"a": CaseState.SKIPPED})
    record.set_evaluation({"b": ""}, seed=0)
    record.claim("a", "anna")
    record.claim("b", "bea")
    rows = with_facts([CaseRow(case, state=CaseState.SUGGESTED) for case in CASES], facts(tmp_path))
    assert [row.state for row in rows] == ["skipped", "suggested", "suggested"]
    assert [row.claimed_by for row in rows] == ["", "bea", ""]
    assert [row.is_test for row in rows] == [False, True, False]
    record.release("b", "bea")
    assert [row.claimed_by for row in with_facts(rows, facts(tmp_path))] == ["", "", ""]


def test_the_class_of_readers_counts_before_the_one_that_the_cohort_came_with(
    tmp_path: Path,
) -> None:
    record = classified(tmp_path)
    (tmp_path / "classes.csv").write_text("case,class\nb,benign\n", encoding="utf-8")
    save_class_label(record, new_class_label("a", "bea", "malignant"))
    found = facts(tmp_path, {"a": {"Class": "benign"}, "c": {"class": "malignant", "site": "X"}})
    assert found.classes == {"a": "malignant", "b": "benign", "c": "malignant"}
    assert found.asks_classes


def test_classes_that_cannot_be_read_hide_nothing_else(tmp_path: Path) -> None:
    record = classified(tmp_path)
    (tmp_path / "classes.csv").write_text("name;kind\n", encoding="utf-8")
    save_class_label(record, new_class_label("a", "bea", "malignant"))
    found = facts(tmp_path)
    assert found.classes == {"a": "malignant", "b": "", "c": ""}
    assert "classes.csv" in found.problems[0]


def test_a_class_that_was_not_asked_about_stays(tmp_path: Path) -> None:
    row = CaseRow("a", given_class="benign")
    assert with_facts([row], CaseFacts()) == [row]
