"""Folds by patient, splits that cannot leak, and rank correlations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from MDALSelectorLib.estimation.config import CrossFitConfig
from MDALSelectorLib.estimation.cross_fitting import (
    BOUND_BLOCK,
    MAX_BOUND_BLOCKS,
    Split,
    bound_blocks,
    mean_pairwise_spearman,
    plan_cross_fit,
    spearman,
)
from MultimodalImagingLib.errors import CohortError

PATIENTS = [f"p{i // 2}" if i < 40 else f"p{i}" for i in range(97)]


def test_the_cases_of_a_patient_share_a_fold_in_every_repeat() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=1)
    for folds in plan.fold_of_case:
        for patient in set(PATIENTS):
            members = [fold for fold, p in zip(folds, PATIENTS, strict=True) if p == patient]
            assert len(set(members)) == 1


def test_the_splits_of_a_repeat_score_every_case_once_and_never_with_its_patient() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=1)
    splits = list(plan.splits(0))
    scored = np.concatenate([split.held_out for split in splits])
    assert sorted(scored) == list(range(97))
    for split in splits:
        assert not {PATIENTS[i] for i in split.fit} & {PATIENTS[i] for i in split.held_out}
        assert len(split.fit) + len(split.held_out) == 97


def test_folds_have_about_the_same_number_of_cases() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(n_folds=4), seed=2)
    sizes = np.bincount(plan.fold_of_case[0])
    assert sizes.max() - sizes.min() <= 2


def test_repeats_draw_other_folds_and_other_seeds() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=1)
    assert not np.array_equal(plan.fold_of_case[0], plan.fold_of_case[1])
    assert len(np.unique(plan.seeds)) == plan.seeds.size


def test_the_same_seed_draws_the_same_folds_in_any_order_of_the_cases() -> None:
    order = np.random.default_rng(0).permutation(97)
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=5)
    permuted = plan_cross_fit([PATIENTS[i] for i in order], config=CrossFitConfig(), seed=5)
    np.testing.assert_array_equal(permuted.fold_of_case, plan.fold_of_case[:, order])
    np.testing.assert_array_equal(permuted.seeds, plan.seeds)


def test_a_split_that_scores_a_patient_it_saw_cannot_be_made() -> None:
    patients = np.array([0, 0, 1, 2])
    with pytest.raises(ValueError, match=r"Cases \[0, 1\] belong to patients on both sides"):
        Split(np.array([0, 2]), np.array([1, 3]), patients, seed=0)


def test_the_inner_split_keeps_patients_together_and_leaves_out_the_scored_cases() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=1)
    for split in plan.splits(0):
        inner = split.inner(0.25)
        assert sorted([*inner.fit, *inner.held_out]) == split.fit.tolist()
        assert 0.15 < len(inner.held_out) / len(split.fit) < 0.35


def test_halves_share_no_patient_and_score_the_same_cases() -> None:
    plan = plan_cross_fit(PATIENTS, config=CrossFitConfig(), seed=1)
    for split in plan.splits(0):
        one, other = split.halves()
        assert sorted([*one.fit, *other.fit]) == split.fit.tolist()
        assert not {PATIENTS[i] for i in one.fit} & {PATIENTS[i] for i in other.fit}
        np.testing.assert_array_equal(one.held_out, split.held_out)
        np.testing.assert_array_equal(other.held_out, split.held_out)


def test_fewer_patients_than_folds_are_refused_with_what_to_do() -> None:
    with pytest.raises(CohortError, match=r"at least 5 patients, found 3\. Add cases"):
        plan_cross_fit(["a", "b", "c", "c", "c", "c"], config=CrossFitConfig(), seed=0)


def test_rank_correlation_equals_the_textbook_one_with_ties() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 9, 50).astype(float), generator.standard_normal(50)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y)[0], abs=1e-12)
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))


def test_the_mean_over_repeats_is_over_all_pairs_of_them() -> None:
    scores = np.array([[1.0, 2, 3], [1, 2, 3], [3, 2, 1]])
    assert mean_pairwise_spearman(scores) == pytest.approx((1 - 1 - 1) / 3)
    assert np.isnan(mean_pairwise_spearman(scores[:1]))


def test_every_case_is_scored_by_two_thirds_that_share_no_patient_with_each_other_or_it() -> None:
    owners = [f"p{i // 2}" for i in range(60)]
    plan = plan_cross_fit(owners, config=CrossFitConfig(n_repeats=2), seed=3)
    third, splits = plan.thirds(1)
    assert np.bincount(third).tolist() == [20, 20, 20]
    for number, split in enumerate(splits):
        assert (third[split.fit] == number).all()
        assert sorted([*split.fit, *split.held_out]) == list(range(60))
    for case in range(60):
        scoring = [split for split in splits if case in split.held_out]
        assert len(scoring) == 2
        seen = [set(plan.patients[split.fit]) for split in scoring]
        assert not seen[0] & seen[1]
        assert not (seen[0] | seen[1]) & {plan.patients[case]}


def test_few_patients_still_stop_a_training_by_three() -> None:
    plan = plan_cross_fit([f"p{i}" for i in range(12)], config=CrossFitConfig(), seed=0)
    split = next(plan.splits(0))
    assert len(split.inner(0.2).held_out) >= 3


def test_bounds_need_two_cases_and_stay_within_their_blocks() -> None:
    assert bound_blocks(0) == bound_blocks(1) == []
    assert [block.tolist() for block in bound_blocks(2)] == [[0, 1]]
    assert [len(block) for block in bound_blocks(BOUND_BLOCK + 1)] == [129, 128]
    many = bound_blocks(3 * MAX_BOUND_BLOCKS * BOUND_BLOCK)
    assert len(many) == MAX_BOUND_BLOCKS
    assert max(map(len, many)) == BOUND_BLOCK
