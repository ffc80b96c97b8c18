"""What keeps measures of cases and scores apart: everything that they depend on, each alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.selection import case_memo, scoring
from MDALSelectorLib.selection.case_memo import CohortMemo
from MDALSelectorLib.selection.config import SelectionConfig
from MultimodalImagingLib.record.kept_results import CaseQuestion

CASES = ("a", "b", "c")
ASKED = CaseQuestion("edges", 1, settings=[3], others=(0,))


def prepared(contents: str = "ABC", patients: tuple[str, ...] = CASES) -> Any:
    cases = tuple(
        SimpleNamespace(case_id=case, patient_id=patient, content=content)
        for case, patient, content in zip(CASES, patients, contents, strict=True)
    )
    return SimpleNamespace(case_ids=CASES, cases=cases, key=lambda case: case.content)


def is_computed(question: CaseQuestion, cohort: Any, cache: Path) -> bool:
    """Ask for something that is three; tell whether it had to be computed."""
    asked = []

    def make() -> dict[str, Any]:
        asked.append(question)
        return {"x": np.array([3.0])}

    assert CohortMemo(cohort, cache)(question, make)["x"].tolist() == [3.0]
    return bool(asked)


def test_what_is_kept_is_taken_again(tmp_path: Path) -> None:
    assert is_computed(ASKED, prepared(), tmp_path)
    assert not is_computed(ASKED, prepared(), tmp_path)
    assert not is_computed(ASKED, prepared("ABX"), tmp_path)  # a case that does not matter


@pytest.mark.parametrize(
    ("question", "contents"),
    [
        (replace(ASKED, settings=[4]), "ABC"),
        (replace(ASKED, others=(2,)), "ABC"),
        (replace(ASKED, others=()), "ABC"),
        (replace(ASKED, row=2), "ABC"),
        (replace(ASKED, what="voxels"), "ABC"),
        (ASKED, "AXC"),
        (ASKED, "XBC"),
    ],
)
def test_everything_that_a_measure_depends_on_lets_it_be_computed_anew(
    question: CaseQuestion, contents: str, tmp_path: Path
) -> None:
    is_computed(ASKED, prepared(), tmp_path)
    assert is_computed(question, prepared(contents), tmp_path)


def test_other_code_lets_measures_be_computed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_computed(ASKED, prepared(), tmp_path)
    monkeypatch.setattr(case_memo, "computing_code", lambda: "other")
    assert is_computed(ASKED, prepared(), tmp_path)


def keys(
    cohort: Any, config: SelectionConfig, groups: dict[str, dict[str, str]]
) -> tuple[str, str]:
    return scoring._estimates_key(cohort, config, groups), scoring._key(cohort, config, groups)


CONFIG = SelectionConfig("1")
SITES = {"site": {"a": "1", "b": "1", "c": "2"}}


@pytest.mark.parametrize(
    "changed",
    [
        lambda: keys(prepared(patients=("a", "a", "c")), CONFIG, {}),
        lambda: keys(prepared("ABX"), CONFIG, {}),
        lambda: keys(prepared(), CONFIG, SITES),
        lambda: keys(
            prepared(), replace(CONFIG, estimation=replace(CONFIG.estimation, seed=7)), {}
        ),
    ],
)
def test_estimates_and_scores_depend_on_patients_images_sites_and_settings(
    changed: Callable[[], tuple[str, str]],
) -> None:
    before, after = keys(prepared(), CONFIG, {}), changed()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_scores_depend_on_the_check_of_pairing_and_estimates_do_not() -> None:
    other = replace(CONFIG, pairing=PairingConfig(min_gain=0.05))
    before, after = keys(prepared(), CONFIG, {}), keys(prepared(), other, {})
    assert before[0] == after[0]
    assert before[1] != after[1]
