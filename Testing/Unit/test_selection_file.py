"""A selection that was changed, damaged or written by something else is not read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.selection_file import (
    JSON_NAME,
    cases_labelled_before,
    read_selection_content,
    suggested_cases,
    write_selection_content,
)

CONTENT = {
    "cases": [
        {"case": "b", "rank": 2, "suggested": True, "labelled": False},
        {"case": "a", "rank": 1, "suggested": True, "labelled": False},
        {"case": "c", "rank": 3, "suggested": False, "labelled": True},
    ]
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_selection_content(tmp_path, CONTENT)
    return tmp_path


def change(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((run / JSON_NAME).read_text())
    edit(document)
    (run / JSON_NAME).write_text(json.dumps(document))


def test_cases_come_in_the_order_of_their_ranks(run: Path) -> None:
    assert read_selection_content(run) == CONTENT
    assert suggested_cases(run) == ("a", "b")
    assert cases_labelled_before(run) == ("c",)


def test_another_layout_of_the_text_is_the_same_content(run: Path) -> None:
    change(run, lambda document: None)
    assert read_selection_content(run) == CONTENT


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda d: d["selection"]["cases"][0].update(rank=1), "does not fit its checksum"),
        (lambda d: d["selection"]["cases"].pop(), "does not fit its checksum"),
        (lambda d: d.pop("sha256"), "does not fit its checksum"),
        (lambda d: d.update(selection=[]), "does not fit its checksum"),
        (lambda d: d.update(format="CrossModal result"), "Expected a 'CrossModal selection'"),
        (lambda d: d.pop("format"), "Expected a 'CrossModal selection'"),
        (lambda d: d.update(version=2), "Expected version 1"),
        (lambda d: d.pop("version"), "Expected version 1"),
    ],
)
def test_what_was_changed_after_the_run_is_refused(
    run: Path, edit: Callable[[dict[str, Any]], object], found: str
) -> None:
    change(run, edit)
    with pytest.raises(CohortError, match=found):
        read_selection_content(run)


def test_a_list_is_no_selection_even_with_its_own_checksum(tmp_path: Path) -> None:
    write_selection_content(tmp_path, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(CohortError, match="changed or damaged"):
        read_selection_content(tmp_path)


@pytest.mark.parametrize(
    "case", [{"case": "a", "rank": 1}, {"rank": 1, "suggested": True}, {"case": "a", "rank": "x"}]
)
def test_a_ranking_with_a_missing_or_wrong_part_is_refused(
    tmp_path: Path, case: dict[str, object]
) -> None:
    write_selection_content(tmp_path, {"cases": [case]})
    with pytest.raises(CohortError, match="a part is missing or wrong"):
        suggested_cases(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "there is no"),
        ("", "cannot be read"),
        ('{"format": ', "cannot be read"),
        ("[]", "Expected a 'CrossModal selection'"),
    ],
)
def test_a_folder_without_a_whole_file_is_no_run(
    tmp_path: Path, content: str | None, found: str
) -> None:
    if content is not None:
        (tmp_path / JSON_NAME).write_text(content)
    with pytest.raises(CohortError, match=found):
        read_selection_content(tmp_path)
