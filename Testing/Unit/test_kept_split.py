"""Which patients validate stays the same from round to round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from example_training import bright_ball
from hypothesis import given, settings
from hypothesis import strategies as st

from CIMLSegmentLib.training.kept_split import PatientSplit, next_split, validation_cases
from CIMLSegmentLib.training.train import split_by_patient
from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.cohort_record import CohortRecord

GROWING = st.lists(st.lists(st.integers(0, 60), max_size=12), min_size=1, max_size=5)


@given(growing=GROWING, share=st.sampled_from([0.0, 0.2, 0.5]), seed=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_who_has_validated_never_trains_later_nor_the_other_way_round(
    growing: list[list[int]], share: float, seed: int
) -> None:
    patients: set[str] = set()
    known, trained, validated = PatientSplit(), set[str](), set[str]()
    for new in growing:
        n_patients, n_before = len(patients), len(known.validation)
        patients |= {f"patient {number}" for number in new}
        known = next_split(sorted(patients), known, share=share, seed=seed)
        trained |= known.training
        validated |= known.validation
        assert not trained & validated
        assert known.training | known.validation == patients
        most = max(n_before, round(share * len(patients)), 1 if share else 0)
        assert n_before <= len(known.validation) <= most
        if share and len(patients) >= 3 and len(patients) > n_patients:
            assert known.validation
        assert known.training or not patients


def test_the_share_is_held_as_patients_join() -> None:
    known = PatientSplit()
    for n, n_validating in ((2, 0), (3, 1), (10, 2), (15, 3), (40, 8)):
        known = next_split([f"p{i}" for i in range(n)], known, share=0.2, seed=0)
        assert len(known.validation) == n_validating


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingCase]:
    first = bright_ball(tmp_path_factory.mktemp("cases"), 0)
    return [replace(first, case_id=f"case {n}", patient_id=f"patient {n // 2}") for n in range(40)]


def test_the_record_remembers_whatever_the_labels_of_a_later_round_are(
    cases: list[TrainingCase], tmp_path: Path
) -> None:
    record = CohortRecord(tmp_path)

    def validating(chosen: list[TrainingCase], *, seed: int = 0, keep: bool = True) -> set[str]:
        return {*validation_cases(chosen, record, share=0.2, seed=seed, keep=keep)}

    first = validating(cases[:10])
    trained = {case.case_id for case in cases[:10]} - first
    second = validating(cases[4:30])  # labels of a round may also be gone in the next
    assert first & {case.case_id for case in cases[4:30]} <= second
    assert not trained & second
    assert len(second) > len(first)
    other_seeds = {frozenset(validating(cases[:10], seed=seed)) for seed in range(1, 8)}
    assert len(other_seeds) > 1
    before = (tmp_path / "split.json").read_bytes()
    validating(cases, keep=False)
    assert (tmp_path / "split.json").read_bytes() == before


def test_the_first_round_is_split_as_without_a_record(
    cases: list[TrainingCase], tmp_path: Path
) -> None:
    found = validation_cases(cases, CohortRecord(tmp_path), share=0.2, seed=3, keep=True)
    assert split_by_patient(cases, share=0.2, seed=3).validation == found


def test_a_damaged_file_says_what_to_do(cases: list[TrainingCase], tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text('{"format": 1, "splits": {"0": []}}', encoding="utf-8")
    with pytest.raises(CohortError, match=r"which patients validate .* --validation-case"):
        validation_cases(cases, CohortRecord(tmp_path), share=0.2, seed=0, keep=False)
