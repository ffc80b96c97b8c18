"""The Gaussian formula of PMI against determinants, and the estimator against known PMI."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gaussian_toys import CORRELATIONS, N_LIFTED, make_toy, patients

from MDALSelectorLib.estimation.config import CrossFitConfig, GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit, spearman
from MDALSelectorLib.estimation.gaussian import CanonicalCritic, whiten
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates, shuffled_bounds
from MDALSelectorLib.estimation.limits import ANYONE
from MDALSelectorLib.estimation.pair_estimate import PairEstimate, modality_difference
from MultimodalImagingLib.images.arrays import Float64Array

PAIR = ("a", "b")
ONE_SETTING = GaussianConfig(n_components=(8,), shrinkages=(0.1,), n_reliability_splits=1)


def true_critic(first: Float64Array, second: Float64Array) -> CanonicalCritic:
    return CanonicalCritic(first, second, CORRELATIONS)


def estimate(
    features: dict[str, Float64Array], *, seed: int = 0, config: GaussianConfig | None = None
) -> PairEstimate:
    n_cases = len(features["a"])
    plan = plan_cross_fit(patients(n_cases), config=CrossFitConfig(), seed=seed)
    config = config or GaussianConfig(n_reliability_splits=0)
    return gaussian_estimates(features, [PAIR], plan=plan, config=config)[0]


def mean_spearman(n_cases: int) -> float:
    found = []
    for seed in range(5):
        toy = make_toy(n_cases, seed=seed)
        found.append(spearman(estimate(toy.lifted, seed=seed).pmi, toy.pmi))
    return float(np.mean(found))


def test_the_formula_in_canonical_variates_equals_that_of_determinants() -> None:
    toy = make_toy(200, seed=0)
    generator = np.random.default_rng(1)
    maps = [generator.standard_normal((8, 8)) for _ in range(2)]
    x, y = toy.first @ maps[0], toy.second @ maps[1]
    block = np.diag(CORRELATIONS)
    covariance = np.block([[np.eye(8), block], [block, np.eye(8)]])
    mixing = np.block([[maps[0], np.zeros((8, 8))], [np.zeros((8, 8)), maps[1]]])
    joint = mixing.T @ covariance @ mixing
    of_x, of_y, z = joint[:8, :8], joint[8:, 8:], np.hstack([x, y])
    log_det = np.linalg.slogdet(of_x)[1] + np.linalg.slogdet(of_y)[1] - np.linalg.slogdet(joint)[1]

    def form(values: Float64Array, matrix: Float64Array) -> Float64Array:
        return np.asarray((values * np.linalg.solve(matrix, values.T).T).sum(axis=1))

    expected = 0.5 * log_det - 0.5 * (form(z, joint) - form(x, of_x) - form(y, of_y))
    found = true_critic(toy.first, toy.second).matched()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_mean_and_spread_of_the_pmi_are_those_of_the_known_profile() -> None:
    n = 400_000
    toy = make_toy(n, seed=0)
    pmi = true_critic(toy.first, toy.second).matched()
    mutual_information = -0.5 * np.log(1 - CORRELATIONS**2).sum()
    sd = math.sqrt((CORRELATIONS**2).sum())
    fourth = ((pmi - pmi.mean()) ** 4).mean()
    assert abs(pmi.mean() - mutual_information) < 3 * sd / math.sqrt(n)
    assert abs(pmi.std() - sd) < 3 * math.sqrt((fourth - sd**4) / n) / (2 * sd)


def test_the_matrix_of_all_pairs_has_the_matched_ones_on_its_diagonal() -> None:
    toy = make_toy(40, seed=0)
    critic = true_critic(toy.first, toy.second)
    cases = np.arange(5, 30)
    np.testing.assert_allclose(critic.matrix(cases).diagonal(), critic.matched()[cases], atol=1e-12)
    crossed = true_critic(toy.first[[3]], toy.second[[7]]).matched()
    assert critic.matrix(np.array([3, 7]))[0, 1] == pytest.approx(crossed[0], abs=1e-12)


def test_the_bound_stays_below_the_mutual_information_and_comes_near_it() -> None:
    toy = make_toy(2000, seed=0)
    bound = true_critic(toy.first, toy.second).bound(np.arange(2000), np.arange(2000))
    mutual_information = -0.5 * np.log(1 - CORRELATIONS**2).sum()
    assert mutual_information - 0.4 < bound < mutual_information


@pytest.mark.parametrize("n_features", [5, 300])
def test_whitened_components_are_uncorrelated_with_unit_variance(n_features: int) -> None:
    features = np.random.default_rng(0).standard_normal((80, n_features)) * 7 + 3
    components = whiten(features, n_components=4)(features)
    np.testing.assert_allclose(components.T @ components / 80, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-9)


def test_units_of_features_and_constant_features_do_not_matter() -> None:
    features = np.random.default_rng(0).standard_normal((80, 6))
    scaled = np.hstack([features * [1, 10, 1e-3, 5, 1e4, 2], np.full((80, 1), 3.7)])
    found = np.abs(whiten(scaled, n_components=3)(scaled))
    np.testing.assert_allclose(found, np.abs(whiten(features, n_components=3)(features)), atol=1e-6)


def test_features_that_are_the_same_for_all_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="got the same for all"):
        whiten(np.full((20, 4), 1.5), n_components=2)


@pytest.mark.parametrize(("n_cases", "expected"), [(60, 0.55), (125, 0.75), (250, 0.85)])
def test_scores_rank_like_the_true_pmi(n_cases: int, expected: float) -> None:
    assert mean_spearman(n_cases) >= expected


@pytest.mark.evidence
def test_scores_of_500_cases_rank_like_the_true_pmi() -> None:
    assert mean_spearman(500) >= 0.90


def test_bound_and_repeatability_show_signal_and_its_absence() -> None:
    toy = make_toy(125, seed=0)
    config = GaussianConfig()
    signal = estimate(toy.lifted, config=config)
    order = np.random.default_rng(1).permutation(125)
    noise = estimate({"a": toy.lifted["a"], "b": toy.lifted["b"][order]}, config=config)
    assert signal.bound_nats > 1.5
    found = modality_difference([signal], n_cases=125, unused={})
    assert found.r12_disjoint > 0.4
    assert noise.bound_nats < 0.1
    assert abs(modality_difference([noise], n_cases=125, unused={}).r12_disjoint) < 0.25


def test_shuffled_pairs_stay_below_what_chance_is_granted() -> None:
    for seed in range(4):
        toy = make_toy(80, seed=seed)
        order = np.random.default_rng(seed).permutation(80)
        features = {"a": toy.lifted["a"], "b": toy.lifted["b"][order]}
        plan = plan_cross_fit(patients(80), config=CrossFitConfig(), seed=seed)
        config = GaussianConfig(n_reliability_splits=0)
        bound = gaussian_estimates(features, [PAIR], plan=plan, config=config)[0].bound_nats
        null = shuffled_bounds(features, [PAIR], plan=plan, config=config)[PAIR][ANYONE]
        assert null.shape == (20,)
        assert bound <= max(0.1, np.quantile(null, 0.95))


def test_permuting_cases_permutes_scores() -> None:
    toy = make_toy(90, seed=0)
    order = np.random.default_rng(0).permutation(90)
    names = patients(90)
    config, cross_fit = GaussianConfig(n_reliability_splits=1), CrossFitConfig()
    plan = plan_cross_fit(names, config=cross_fit, seed=0)
    expected = gaussian_estimates(toy.lifted, [PAIR], plan=plan, config=config)[0]
    permuted_plan = plan_cross_fit([names[i] for i in order], config=cross_fit, seed=0)
    permuted = {m: values[order] for m, values in toy.lifted.items()}
    found = gaussian_estimates(permuted, [PAIR], plan=permuted_plan, config=config)[0]
    np.testing.assert_allclose(found.pmi, expected.pmi[order], atol=1e-6)
    np.testing.assert_allclose(found.half_pmi, expected.half_pmi[..., order], atol=1e-6)


def test_a_case_does_not_change_the_model_that_scores_its_fold() -> None:
    toy = make_toy(90, seed=0)
    before = estimate(toy.lifted, config=ONE_SETTING)
    changed = {m: values.copy() for m, values in toy.lifted.items()}
    changed["b"][11] = changed["b"][50] * 3
    after = estimate(changed, config=ONE_SETTING)
    plan = plan_cross_fit(patients(90), config=CrossFitConfig(), seed=0)
    for repeat, folds in enumerate(plan.fold_of_case):
        same_fold = (folds == folds[11]) & (np.arange(90) != 11)
        difference = np.abs(after.repeat_pmi[repeat] - before.repeat_pmi[repeat])
        np.testing.assert_array_equal(difference[same_fold], 0)
        assert (difference[folds != folds[11]] > 0).all()
        assert difference[11] > 0


def test_each_pair_is_scored_on_the_cases_that_have_both_modalities() -> None:
    toy = make_toy(80, seed=0)
    features = dict(toy.lifted)
    features["c"] = features["a"] + 0.5 * np.random.default_rng(0).standard_normal((80, N_LIFTED))
    features["b"] = features["b"].copy()
    features["b"][::10] = np.nan
    features["c"][5] = np.nan
    plan = plan_cross_fit(patients(80), config=CrossFitConfig(), seed=0)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    config = GaussianConfig(n_reliability_splits=1)
    found = {e.pair: e for e in gaussian_estimates(features, pairs, plan=plan, config=config)}
    assert [len(found[pair].case_index) for pair in pairs] == [72, 79, 71]
    assert not set(range(0, 80, 10)) & set(found["a", "b"].case_index)
    assert all(np.isfinite(e.repeat_pmi).all() for e in found.values())
    assert all(np.isfinite(e.half_pmi).all() for e in found.values())
    assert found["a", "c"].bound_nats > found["a", "b"].bound_nats > 0.5


def test_the_same_seed_gives_the_same_bytes() -> None:
    toy = make_toy(60, seed=0)
    one, other = estimate(toy.lifted, seed=3), estimate(toy.lifted, seed=3)
    assert one.repeat_pmi.tobytes() == other.repeat_pmi.tobytes()
    assert not np.array_equal(one.repeat_pmi, estimate(toy.lifted, seed=4).repeat_pmi)
