"""Selections, scores and embeddings that contradict themselves are refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_selection import example_scores, example_selection, write_example_run

from MDALSelectorLib.case_flags import CHECK_PAIRING, Flag
from MDALSelectorLib.selection.case_selection import (
    CaseSelection,
    RankedCase,
    StrategyComparison,
)
from MDALSelectorLib.selection.cohort_scores import (
    MOST_KEPT,
    CohortScores,
    load_scores,
    save_scores,
)
from MDALSelectorLib.selection.run_folder import (
    EMBEDDINGS_NAME,
    LOG_NAME,
    THUMBNAILS_NAME,
    check_run_folder,
    read_embeddings,
    remove_pictures,
    write_embeddings,
)
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.record.tensor_file import write_tensors

CASES = ("a", "b", "c")


@pytest.fixture(scope="module")
def selection() -> CaseSelection:
    return example_selection(budget="3")


@pytest.fixture(scope="module")
def scores() -> CohortScores:
    return example_scores()


def changed(selection: CaseSelection, changes: Mapping[int, Mapping[str, Any]]) -> list[RankedCase]:
    """The cases of a selection with other values in some places."""
    return [replace(case, **changes.get(i, {})) for i, case in enumerate(selection.cases)]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({0: {"rank": 2}, 1: {"rank": 1}}, "the ranks 1 to 51"),
        ({50: {"rank": 52}}, "the ranks 1 to 51"),
        ({7: {"rank": 7}}, "the ranks 1 to 51"),
        ({2: {"suggested": False}}, "first 3 ranks to be suggested"),
        ({3: {"suggested": True}}, "first 3 ranks to be suggested"),
        ({1: {"suggested": False}, 3: {"suggested": True}}, "first 3 ranks to be suggested"),
    ],
)
def test_a_ranking_with_gaps_or_other_suggestions_is_refused(
    selection: CaseSelection, changes: Mapping[int, Mapping[str, Any]], found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        replace(selection, cases=tuple(changed(selection, changes)))


def test_a_case_that_is_ranked_twice_is_refused(selection: CaseSelection) -> None:
    cases = changed(selection, {4: {"case_id": selection.cases[9].case_id}})
    with pytest.raises(ValueError, match="every case once"):
        replace(selection, cases=tuple(cases))


@pytest.mark.parametrize("name", ["pmi_nats", "z"])
def test_scores_of_other_cases_or_pairs_are_refused(scores: CohortScores, name: str) -> None:
    values = getattr(scores, name)
    for wrong in (values[:-1], values[:, :-1], values.T):
        with pytest.raises(ValueError, match="PMI and z of shape"):
            replace(scores, **{name: wrong})


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": {"nobody": (Flag(CHECK_PAIRING, "It lies off."),)}},
        {"labelled": frozenset({"nobody"})},
        {"accepted": frozenset({"nobody"})},
    ],
)
def test_scores_with_names_that_no_case_has_are_refused(
    scores: CohortScores, changes: Mapping[str, Any]
) -> None:
    with pytest.raises(ValueError, match="names of cases of the cohort, got nobody"):
        replace(scores, **changes)


@pytest.mark.parametrize("shape", [(2, 4), (4, 4), (3,), (3, 2, 2)])
def test_embeddings_of_other_cases_are_not_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    given = {"fused": np.zeros((3, 4)), "CT": np.zeros(shape)}
    with pytest.raises(ValueError, match="matrices with 3 rows"):
        write_embeddings(tmp_path, given, case_ids=CASES)
    assert list(tmp_path.iterdir()) == []


def test_embeddings_come_back_with_their_cases(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 4)
    write_embeddings(tmp_path, {"fused": values}, case_ids=CASES)
    names, found = read_embeddings(tmp_path)
    assert names == CASES
    np.testing.assert_array_equal(found["fused"], values)


@pytest.mark.parametrize("header", [{"case_ids": CASES, "version": 99}, {"version": 1}, {}])
def test_embeddings_of_another_version_or_without_cases_are_refused(
    tmp_path: Path, header: Mapping[str, object]
) -> None:
    write_tensors(tmp_path / EMBEDDINGS_NAME, {"fused": np.zeros((3, 4))}, header)
    with pytest.raises(CohortError, match="embeddings of a run"):
        read_embeddings(tmp_path)


def test_absent_and_truncated_embeddings_are_refused(tmp_path: Path) -> None:
    for n_bytes in (0, 100):
        with pytest.raises(CohortError, match="embeddings of a run"):
            read_embeddings(tmp_path)
        write_embeddings(tmp_path, {"fused": np.zeros((3, 4))}, case_ids=CASES)
        path = tmp_path / EMBEDDINGS_NAME
        path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(CohortError, match="embeddings of a run"):
        read_embeddings(tmp_path)


KEY = "0123456789" * 7


def test_kept_scores_come_back_as_they_were(tmp_path: Path, scores: CohortScores) -> None:
    save_scores(tmp_path, KEY, scores)
    found = load_scores(tmp_path, KEY)
    assert found is not None
    for name in ("pmi_nats", "z", "embeddings"):
        np.testing.assert_array_equal(getattr(found, name), getattr(scores, name))
    assert (found.case_ids, found.flags) == (scores.case_ids, scores.flags)
    assert found.diagnostics == scores.diagnostics
    assert found.labelled == frozenset()  # labels change between runs


def test_scores_of_other_images_or_settings_are_not_taken(
    tmp_path: Path, scores: CohortScores
) -> None:
    save_scores(tmp_path, KEY, scores)
    assert load_scores(tmp_path, "x" + KEY) is None
    assert load_scores(tmp_path / "nowhere", KEY) is None


def test_only_the_newest_scores_are_kept_and_no_other_file_is_touched(
    tmp_path: Path, scores: CohortScores
) -> None:
    foreign = tmp_path / "mine.safetensors"
    foreign.write_bytes(b"")
    keys = [f"{number:032x}" for number in range(MOST_KEPT + 2)]
    for number, key in enumerate(keys):
        save_scores(tmp_path, key, scores)
        os.utime(tmp_path / f"{key}.safetensors", (number, number))
    save_scores(tmp_path, KEY, scores)
    kept = [key for key in (*keys, KEY) if load_scores(tmp_path, key) is not None]
    assert kept == [*keys[3:], KEY]
    assert foreign.exists()


@pytest.mark.parametrize("place", [20, -9, None])
def test_damaged_scores_are_estimated_again(
    tmp_path: Path, scores: CohortScores, place: int | None
) -> None:
    save_scores(tmp_path, KEY, scores)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    if place is None:
        del data[-100:]
    else:
        data[place] ^= 1
    path.write_bytes(data)
    assert load_scores(tmp_path, KEY) is None


COMPARISON = StrategyComparison(("MaxMD", "Random"), ((3, 1), (1, 3)), (0.5, 0.7), (1.2, None), 0.4)


@pytest.mark.parametrize(
    "changes",
    [
        {"strategies": ("MaxMD",)},
        {"n_shared": ((3, 1),)},
        {"n_shared": ((3, 1), (1,))},
        {"coverage_radius": (0.5,)},
        {"mean_difference": (1.2, None, 0.1)},
    ],
)
def test_a_comparison_of_other_strategies_than_it_names_is_refused(
    changes: Mapping[str, Any],
) -> None:
    with pytest.raises(ValueError, match="rows and columns"):
        replace(COMPARISON, **changes)


def test_an_earlier_run_is_taken_over_only_without_foreign_files(tmp_path: Path) -> None:
    write_example_run(tmp_path)
    (tmp_path / LOG_NAME).write_text('{"time_s": 0.0, "event": "stage"}\n')
    pictures = sorted((tmp_path / THUMBNAILS_NAME).iterdir())
    notes = tmp_path / THUMBNAILS_NAME / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        check_run_folder(tmp_path)
    notes.unlink()
    check_run_folder(tmp_path)
    assert all(path.exists() for path in pictures)
    remove_pictures(tmp_path)
    assert not any(path.exists() for path in pictures)
