"""Cases set aside for testing: drawn with their shares, and kept from every choice and training."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib.selection.evaluation_choice import (
    dissolve_evaluation_set,
    set_aside_for_testing,
)
from MDALSelectorLib.selection.evaluation_draw import (
    NO_GROUP,
    Strata,
    draw_cases,
    embedding_groups,
    size_of_set,
)
from MDALSelectorLib.selection.run_folder import write_embeddings
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.evaluation_set import (
    check_not_held_out,
    check_some_to_train_on,
    evaluation_set,
    read_evaluation_set,
    split_held_out,
)
from MultimodalImagingLib.cohorts.modality_patterns import DEFAULT_PATTERNS
from MultimodalImagingLib.cohorts.saved_labels import record_remarks
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.record.cohort_record import CaseState, open_record
from MultimodalImagingLib.record.history import read_history
from MultimodalImagingLib.record.rounds import Round, append_round
from MultimodalImagingLib.record.trained_cases import trained_cases


def names(n: int) -> tuple[str, ...]:
    return tuple(f"c{i:02d}" for i in range(n))


def strata(sites: str, groups: str, patients: tuple[str, ...] | None = None) -> Strata:
    ids = names(len(sites))
    return Strata(ids, patients or ids, tuple(sites), tuple(groups))


def counts(drawn: dict[str, str], part: int) -> Counter[str]:
    return Counter(name.split(", ")[part] for name in drawn.values())


@pytest.mark.parametrize("seed", range(4))
def test_every_site_and_group_has_its_share(seed: int) -> None:
    whole = strata("A" * 30 + "B" * 20 + "C" * 10, "uvwxyz" * 10)
    drawn = draw_cases(whole, 12, seed=seed)
    assert counts(drawn, 0) == {"A": 6, "B": 4, "C": 2}
    assert counts(drawn, 1) == dict.fromkeys("uvwxyz", 2)
    assert list(drawn) == sorted(drawn)


def test_the_seed_decides_and_repeats() -> None:
    whole = strata("A" * 40, "uv" * 20)
    draws = [tuple(draw_cases(whole, 6, seed=seed)) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


def test_every_case_of_a_group_is_drawn_about_as_often() -> None:
    whole = strata("A" * 12 + "B" * 12, "uuvv" * 6)
    drawn = Counter(case for seed in range(300) for case in draw_cases(whole, 6, seed=seed))
    assert len(drawn) == 24
    assert max(drawn.values()) < 75 + 4 * 7.5  # four standard deviations of 300 draws of 1/4
    assert min(drawn.values()) > 75 - 4 * 7.5


def test_all_cases_of_a_patient_are_drawn_together() -> None:
    patients = tuple(f"p{i // 2}" for i in range(24))
    drawn = draw_cases(strata("A" * 24, "u" * 24, patients), 5, seed=3)
    of_drawn = Counter(patients[int(case[1:])] for case in drawn)
    assert set(of_drawn.values()) == {2}
    assert len(drawn) == 6  # the last patient has two


@pytest.mark.parametrize("seed", range(5))
def test_large_patients_do_not_bring_in_their_whole_cohort(seed: int) -> None:
    patients = tuple("big" if i < 20 else f"p{i // 3}" for i in range(50))
    whole = strata("A" * 50, "u" * 50, patients)
    drawn = draw_cases(whole, 8, seed=seed)
    assert 8 <= len(drawn) <= 10
    assert not {*drawn} & {*names(20)}


def test_patients_of_half_the_cohort_are_refused() -> None:
    patients = tuple("a" if i < 18 else "b" for i in range(30))
    whole, sizes = strata("A" * 30, "u" * 30, patients), set()
    for seed in range(10):
        try:
            sizes.add(len(draw_cases(whole, 5, seed=seed)))
        except UsageError as error:
            assert "5 cases were wanted for testing" in str(error)  # noqa: PT017
            assert "would be 18 of 30, more than half" in str(error)  # noqa: PT017
            sizes.add(0)
    assert sizes == {0, 12}


def test_more_cases_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="Only 3 cases may be set aside, and 4 are wanted"):
        draw_cases(strata("AAA", "uuu"), 4, seed=0)


@pytest.mark.parametrize(
    ("n_cases", "share", "wanted", "remark"),
    [
        (100, None, 15, ""),
        (51, None, 8, ""),
        (20, None, 5, ""),
        (15, None, 5, ""),
        (12, None, 4, "5 would be more than a third of 12 cases; 4 cases set aside"),
        (4, None, 1, "5 would be more than a third of 4 cases; 1 case set aside"),
        (2, None, 1, "more than a third"),
        (40, "25%", 10, ""),
        (40, "3", 3, "3 cases set aside will give a rough Dice only"),
    ],
)
def test_the_size_of_the_set(n_cases: int, share: str | None, wanted: int, remark: str) -> None:
    found, said = size_of_set(share, n_cases=n_cases)
    assert found == wanted
    assert remark in said
    assert bool(said) == bool(remark)


def test_a_set_leaves_something_to_train_on() -> None:
    with pytest.raises(UsageError, match="none trained on"):
        size_of_set("100%", n_cases=8)
    with pytest.raises(UsageError, match="several cases, found 1"):
        size_of_set(None, n_cases=1)


def test_groups_of_embeddings_are_those_that_lie_together() -> None:
    points = np.array([[0.0, 0], [0.1, 0], [0, 0.1], [9, 9], [9.1, 9], [np.nan, 0]])
    groups = embedding_groups(points, 2, seed=0)
    assert groups == ("group 1",) * 3 + ("group 2",) * 2 + (NO_GROUP,)


def cohort_in(folder: Path, n: int, *, n_per_patient: int = 1, site: bool = False) -> Cohort:
    cases = tuple(
        Case(
            name, f"p{i // n_per_patient:02d}", {}, attributes={"site": "AB"[i % 2]} if site else {}
        )
        for i, name in enumerate(names(n))
    )
    return Cohort(folder, "test", (), cases, (), DEFAULT_PATTERNS)


def test_other_cases_of_a_patient_are_kept_from_training_too(tmp_path: Path) -> None:
    cohort = cohort_in(tmp_path, 8, n_per_patient=2)
    held = evaluation_set(cohort.cases, ["c02", "gone"])
    assert (held.cases, held.companions, held.absent) == (("c02",), ("c03",), ("gone",))
    training, tests = split_held_out(cohort.cases, held)
    assert [case.case_id for case in training] == ["c00", "c01", "c04", "c05", "c06", "c07"]
    assert [case.case_id for case in tests] == ["c02"]
    assert any("c03" in text for text in held.remarks)
    assert any("gone" in text for text in held.remarks)
    with pytest.raises(UsageError, match="--validation-case names c03, which is set aside"):
        check_not_held_out(["c00", "c03"], held, option="--validation-case")
    with pytest.raises(UsageError, match="found 1 labeled case of the evaluation set only"):
        check_some_to_train_on((), tests)


def test_a_draw_stands_in_the_record_with_site_group_and_seed(tmp_path: Path) -> None:
    cohort, record = cohort_in(tmp_path, 40, site=True), open_record(tmp_path)
    run = record.new_run_folder("DiverseMD-8")
    points = np.array([[i // 10 * 9.0, i % 10 * 0.01] for i in range(40)])
    write_embeddings(run, {"fused": points}, case_ids=names(40))
    done = set_aside_for_testing(cohort, record, seed=5)
    assert tuple(done.added) == done.cases == tuple(record.read_states().evaluation)
    assert len(done.added) == 6
    assert counts(done.added, 0) == {"A": 3, "B": 3}
    assert {part.split(" ")[0] for part in counts(done.added, 1)} == {"group"}
    assert run.name in done.remarks[0]
    assert "column site" in done.remarks[0]
    (event,) = [e for e in read_history(record) if e.event == "evaluation-chosen"]
    assert event.details["seed"] == 5


def test_a_set_grows_only_where_more_is_asked_for_and_can_be_dissolved(tmp_path: Path) -> None:
    cohort, record = cohort_in(tmp_path, 40), open_record(tmp_path)
    first = set_aside_for_testing(cohort, record)
    with pytest.raises(UsageError, match="6 cases are set aside for testing already"):
        set_aside_for_testing(cohort, record)
    more = set_aside_for_testing(cohort, record, share="10")
    assert len(more.added) == 4
    assert {*first.cases} < {*more.cases}
    assert len(dissolve_evaluation_set(record)) == 10
    assert read_evaluation_set(cohort, record).held_out == frozenset()
    assert dissolve_evaluation_set(record) == ()


def test_cases_that_cannot_test_are_not_drawn(tmp_path: Path) -> None:
    cohort, record = cohort_in(tmp_path, 20, n_per_patient=2), open_record(tmp_path)
    record.change_states({"c00": CaseState.SKIPPED, "c01": CaseState.CHECK_PAIRING})
    append_round(record, Round(1, ("c02",), "models/one", "id", "2026-01-01T00:00:00+00:00"))
    model = record.models / "two"
    model.mkdir(parents=True)
    text = '{"training_cases": ["c04"], "validation_cases": ["c06"], "seen_before": ["c08"]}'
    (model / "model.json").write_text(text)
    (record.models / "broken").mkdir()
    (record.models / "broken" / "model.json").write_text("{")
    assert trained_cases(record) == {
        "c02": "models/one",
        "c04": "two",
        "c06": "two",
        "c08": "two",
    }
    done = set_aside_for_testing(cohort, record, share="10")
    assert done.cases == names(20)[10:]  # neither these cases nor others of their patients
    with pytest.raises(UsageError, match="Only 0 cases may be set aside"):
        set_aside_for_testing(cohort, record, share="12")


def test_the_usual_record_counts_where_another_one_is_used(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    cohort = cohort_in(tmp_path / "cohort", 20)
    usual, other = open_record(cohort.root), open_record(cohort.root, folder=tmp_path / "other")
    usual.set_evaluation({"c03": ""}, seed=0)
    other.set_evaluation({"c05": ""}, seed=0)
    assert read_evaluation_set(cohort, other).cases == ("c03", "c05")
    assert read_evaluation_set(cohort, usual).cases == ("c03",)


def test_a_record_of_others_that_may_not_be_written_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cohort").mkdir()
    cohort = cohort_in(tmp_path / "cohort", 20)
    theirs = open_record(cohort.root)
    theirs.set_evaluation({"c03": ""}, seed=0)
    assert list(record_remarks(cohort.root, theirs)) == []
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    theirs.folder.chmod(0o555)
    mine = open_record(cohort.root)
    assert mine.folder.is_relative_to(tmp_path / "home")
    (text,) = record_remarks(cohort.root, mine)
    assert f"You may not write the record of this cohort, {theirs.folder}" in text
    assert read_evaluation_set(cohort, mine).cases == ("c03",)
    theirs.folder.chmod(0o755)


def test_a_run_that_is_named_must_be_one(tmp_path: Path) -> None:
    cohort, record = cohort_in(tmp_path, 20), open_record(tmp_path)
    with pytest.raises(CohortError, match="Expected the embeddings of a run"):
        set_aside_for_testing(cohort, record, run=tmp_path)
    assert not record.read_states().evaluation


def test_a_case_that_joins_later_follows_its_patient(tmp_path: Path) -> None:
    cohort, record = cohort_in(tmp_path, 20), open_record(tmp_path)
    done = set_aside_for_testing(cohort, record)
    patient = next(case.patient_id for case in cohort.cases if case.case_id == done.cases[0])
    later = replace(cohort, cases=(*cohort.cases, Case("later", patient, {})))
    assert "later" in read_evaluation_set(later, record).companions
