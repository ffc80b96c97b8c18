"""Classes of cases: learner, figures with closed forms, and what a skeptic would try."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from MDALSelectorLib.classification.class_drafts import (
    ClassifiedCohort,
    entropy_column,
    find_drafts,
)
from MDALSelectorLib.classification.class_evaluation import (
    HeldOut,
    Resamples,
    accuracy_of,
    area_under_curve,
    area_within_groups,
    balanced_accuracy,
    group_hits,
)
from MDALSelectorLib.classification.class_learner import (
    STRENGTHS,
    chosen_strength,
    class_probabilities,
    patient_folds,
    predictive_entropy,
    standardized,
)

NAMES = ("benign", "malignant")


def held_out(probabilities: list[float], classes: list[int]) -> HeldOut:
    """Two classes; the probability is that of the second one. Every case is a patient."""
    second = np.asarray(probabilities, dtype=float)
    both = np.stack([1 - second, second], axis=1)[None]
    return HeldOut(both, np.asarray(classes), tuple(map(str, range(len(classes)))))


def test_entropy_is_zero_where_a_draft_is_sure_and_log_k_where_it_knows_nothing() -> None:
    rows = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]])
    assert predictive_entropy(rows) == pytest.approx([0.0, math.log(3), math.log(2)])


def test_balanced_accuracy_is_the_mean_share_that_is_right_of_every_class() -> None:
    hits, classes = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 0, 0, 1, 1])
    draws = Resamples([str(i) for i in range(6)], seed=0)
    assert balanced_accuracy(hits, classes, draws)[0] == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_five_right_of_five_leave_the_doubt_of_jeffreys_interval() -> None:
    draws = Resamples([str(i) for i in range(5)], seed=0)
    found = balanced_accuracy(np.ones(5), np.zeros(5, dtype=int), draws)[1:]
    for level in (0.025, 0.5):
        assert np.quantile(found, level) == pytest.approx(beta(5.5, 0.5).ppf(level), abs=0.04)


def test_cases_of_one_patient_count_as_one_draw() -> None:
    hits, classes = np.array([1.0, 0.0] * 10), np.zeros(20, dtype=int)
    alone = balanced_accuracy(hits, classes, Resamples([str(i) for i in range(20)], seed=0))
    pairs = balanced_accuracy(
        np.sort(hits), classes, Resamples([str(i // 10) for i in range(20)], seed=0)
    )
    assert pairs[1:].std() > 2 * alone[1:].std()


def test_area_under_the_curve_counts_pairs_in_the_right_order_and_ties_half() -> None:
    found = held_out([0.1, 0.6, 0.6, 0.9], [0, 0, 1, 1])
    area = area_under_curve(found, Resamples(found.patients, seed=0))
    assert area is not None
    assert area[0] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert area_under_curve(held_out([0.1, 0.2], [0, 0]), Resamples(["a", "b"], seed=0)) is None


def test_naming_the_most_frequent_class_every_time_is_no_better_than_chance() -> None:
    found = accuracy_of(held_out([0.2] * 20, [0] * 15 + [1] * 5), NAMES, cases="here", seed=0)
    assert found.balanced_accuracy == pytest.approx(0.5)
    assert (found.accuracy, found.majority, found.majority_accuracy) == (0.75, "benign", 0.75)
    assert found.auroc == pytest.approx(0.5)
    assert not found.is_above_chance


def test_pairs_of_other_groups_do_not_count_within_groups() -> None:
    """Between sites the order is perfect; within each it is reversed."""
    found = held_out([0.2, 0.1, 0.9, 0.8], [0, 1, 0, 1])
    draws = Resamples(found.patients, seed=0)
    within = area_within_groups(found, ["a", "a", "b", "b"], draws)
    assert within is not None
    assert within[0][0] == pytest.approx(0.0)
    assert within[1] == 2
    assert area_within_groups(found, ["a", "b", "c", "d"], draws) is None


def test_a_group_that_has_one_class_alone_gives_it_away() -> None:
    classes, patients = np.array([0, 0, 0, 1, 1, 1]), list("abcdef")
    assert group_hits(["x"] * 3 + ["y"] * 3, classes, patients).tolist() == [1.0] * 6
    assert group_hits(["x"] * 6, classes, patients).mean() <= 0.5


def test_folds_split_by_patient_and_hold_every_class_out() -> None:
    classes = np.array([0, 0, 1, 1] * 5)
    patients = [f"p{i // 2}" for i in range(20)]
    seen = []
    for train, test in patient_folds(classes, patients, n_folds=5, seed=0):
        assert not {patients[i] for i in train} & {patients[i] for i in test}
        assert {*classes[test]} == {0, 1}
        seen += test.tolist()
    assert sorted(seen) == list(range(20))


def test_where_nothing_can_be_learned_probabilities_shrink_to_the_shares() -> None:
    generator = np.random.default_rng(3)
    values, classes = generator.normal(size=(40, 8)), np.arange(40) % 4 // 3
    strength = chosen_strength(values, classes, [str(i) for i in range(40)], seed=0)
    assert strength in STRENGTHS[:2]
    found = class_probabilities(values, classes, values, n_classes=2, strength=strength)
    assert found[:, 1] == pytest.approx(np.full(40, 0.25), abs=0.15)


def test_a_class_that_no_case_has_gets_no_probability() -> None:
    values, classes = np.array([[-1.0], [1.0]]), np.array([0, 2])
    found = class_probabilities(values, classes, values, n_classes=3, strength=1.0)
    assert found[:, 1].tolist() == [0.0, 0.0]
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
    alone = class_probabilities(values, np.array([2, 2]), values, n_classes=3, strength=1.0)
    assert alone.tolist() == [[0.0, 0.0, 1.0]] * 2


def test_features_are_standardized_over_cases_that_may_be_learned_from() -> None:
    values = np.array([[1.0, 5.0], [3.0, 5.0], [7.0, 6.0]])
    assert standardized(values, over=values[:2]).tolist() == [[-1.0, 0.0], [1.0, 0.0], [5.0, 1.0]]


def cohort(
    *,
    n: int = 60,
    n_labelled: int = 40,
    signal: float = 3.0,
    seed: int = 0,
    site: str = "",
    evaluation: int = 0,
) -> ClassifiedCohort:
    """Build a cohort whose class shifts one feature; `site` is `follows`, `random` or empty."""
    generator = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    embeddings = generator.normal(size=(n, 8))
    embeddings[:, 0] += signal * truth
    ids = tuple(f"case{i:02d}" for i in range(n))
    where = truth if site == "follows" else generator.integers(2, size=n)
    groups = {"site": {name: f"s{where[i]}" for i, name in enumerate(ids)}} if site else {}
    given = {ids[i]: NAMES[truth[i]] for i in range(n_labelled)}
    aside = frozenset(ids[n_labelled - evaluation : n_labelled])
    return ClassifiedCohort(NAMES, ids, ids, embeddings, given, aside, groups=groups)


def test_a_class_that_follows_the_images_is_learned_and_told_from_chance() -> None:
    data = cohort()
    found = find_drafts(data, seed=0)
    assert found.cross_validated is not None
    assert found.cross_validated.is_above_chance
    assert found.cross_validated.balanced_accuracy > 0.85
    assert found.sentence.startswith("Drafts are told from chance, and remain guesses.")
    assert {*found.drafts} == {*data.case_ids[40:]}
    right = [found.drafts[f"case{i:02d}"].name == NAMES[i % 2] for i in range(40, 60)]
    assert np.mean(right) > 0.8
    entropy = entropy_column(found, data.case_ids)
    assert np.isnan(entropy[:40]).all()
    assert ((entropy[40:] >= 0) & (entropy[40:] <= math.log(2) + 1e-9)).all()


def test_shuffled_classes_are_not_told_from_chance() -> None:
    """False alarms of a 95 % interval are rare: one of five draws at most."""
    found = [find_drafts(cohort(signal=0.0, seed=seed), seed=seed) for seed in range(5)]
    figures = [f.cross_validated for f in found if f.cross_validated is not None]
    assert len(figures) == 5
    assert sum(f.is_above_chance for f in figures) <= 1
    assert abs(np.mean([f.balanced_accuracy for f in figures]) - 0.5) < 0.08
    assert any("not told from chance" in f.sentence for f in found)


def test_a_class_that_follows_the_site_is_found_out() -> None:
    remarks = find_drafts(cohort(site="follows"), seed=0).remarks
    assert any(text.startswith("Classes follow site") for text in remarks)
    assert not find_drafts(cohort(site="random"), seed=0).remarks


def test_cases_of_the_evaluation_set_are_never_learned_from() -> None:
    data = cohort(evaluation=10)
    found = find_drafts(data, seed=0)
    assert found.cross_validated is not None
    assert found.evaluation is not None
    assert found.cross_validated.n_cases == 30
    assert "10 cases of the evaluation set" in found.sentence
    turned = {name: NAMES[1 - NAMES.index(data.given[name])] for name in data.evaluation}
    other = ClassifiedCohort(
        *(NAMES, data.case_ids, data.patient_ids, data.embeddings),
        {**data.given, **turned},
        data.evaluation,
    )
    again = find_drafts(other, seed=0)
    assert again.drafts == found.drafts
    assert again.evaluation is not None
    assert again.evaluation.balanced_accuracy == pytest.approx(
        1 - found.evaluation.balanced_accuracy
    )


def test_too_few_labels_say_why_there_are_no_drafts() -> None:
    found = find_drafts(cohort(n_labelled=3), seed=0)
    assert found.drafts == {}
    assert "found benign 2 and malignant 1" in found.sentence
    assert find_drafts(cohort(n_labelled=0), seed=0).cross_validated is None


def test_a_class_of_one_patient_is_named_and_not_drafted() -> None:
    data = cohort(n_labelled=20)
    three = ClassifiedCohort(
        ("benign", "malignant", "rare"),
        *(data.case_ids, data.patient_ids, data.embeddings),
        {**data.given, "case59": "rare"},
    )
    found = find_drafts(three, seed=0)
    assert "No draft can name rare" in found.remarks[0]
    assert {draft.name for draft in found.drafts.values()} <= {*NAMES}


def test_a_test_case_of_a_class_that_cannot_be_named_counts_as_wrong() -> None:
    data = replace(cohort(evaluation=10), names=("benign", "malignant", "rare"))
    rare = dict.fromkeys([f"case{n}" for n in (38, 39)], "rare")
    found = find_drafts(replace(data, given={**data.given, **rare}), seed=0)
    assert found.evaluation is not None
    assert found.evaluation.n_cases == 10
    assert found.evaluation.chance == pytest.approx(1 / 3)
    others = find_drafts(
        replace(data, evaluation=data.evaluation - {*rare}, companions=frozenset(rare)), seed=0
    )
    assert others.evaluation is not None
    right = round(others.evaluation.accuracy * 8)
    assert found.evaluation.accuracy == pytest.approx(right / 10)
    assert found.evaluation.balanced_accuracy <= 2 / 3
    assert found.drafts == others.drafts
    assert "count as wrong" not in found.remarks[0]  # no case of it may be learned from


def test_other_cases_of_a_test_patient_are_never_learned_from() -> None:
    """Two cases per patient; the test case itself may be missing, for its images are damaged."""
    whole = cohort()
    patients = tuple(f"p{n // 2}" for n in range(60))
    data = replace(
        whole,
        patient_ids=patients,
        evaluation=frozenset({"case02", "gone"}),
        companions=frozenset({"case03", "case10", "case11"}),
    )
    learned = {data.case_ids[row] for row in data.training_rows}
    assert learned == {*whole.case_ids[:40]} - {"case02", "case03", "case10", "case11"}
    embeddings = whole.embeddings.copy()
    embeddings[[2, 3, 10, 11]] += 100.0
    moved = find_drafts(replace(data, embeddings=embeddings), seed=0)
    found = find_drafts(data, seed=0)
    own = {case: draft for case, draft in found.drafts.items() if case >= "case40"}
    assert own == {case: moved.drafts[case] for case in own}


def test_few_labels_say_that_they_say_little() -> None:
    found = find_drafts(cohort(n_labelled=6), seed=0)
    assert found.drafts
    assert found.sentence.startswith("How well drafts hold cannot be said from so few cases.")


def test_the_order_of_the_labels_does_not_matter() -> None:
    data = cohort()
    turned = ClassifiedCohort(
        *(NAMES, data.case_ids, data.patient_ids, data.embeddings),
        dict(reversed(data.given.items())),
    )
    assert find_drafts(turned, seed=0).drafts == find_drafts(data, seed=0).drafts
