"""The closed-form learner against scikit-learn and naive Dice."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from MDALSelectorLib.retrospect import linear_learner
from MDALSelectorLib.retrospect.labelled_cohort import draw_samples
from MDALSelectorLib.retrospect.linear_learner import (
    RIDGE,
    LinearModel,
    Samples,
    case_moments,
    dice_of_models,
    fit_expansion,
    train,
)


def some_cases(n_cases: int = 4, *, n_voxels: int = 900, seed: int = 0) -> list[Samples]:
    """Cases whose target is bright in the first feature."""
    generator = np.random.default_rng(seed)
    cases = []
    for number in range(n_cases):
        local = generator.normal(size=(n_voxels, 3)).astype(np.float32)
        is_target = local[:, 0] + 0.5 * generator.normal(size=n_voxels) > 1.0
        cases.append(draw_samples(local, is_target, seed=(seed, number)))
    return cases


def test_training_is_ridge_regression_with_sample_weights() -> None:
    samples = some_cases()
    expansion = fit_expansion(samples, seed=0)
    moments = [case_moments(expansion, case) for case in samples]
    chosen = [0, 2, 3]
    model = train([moments[index] for index in chosen])
    reference = Ridge(alpha=RIDGE * len(chosen), fit_intercept=False)
    reference.fit(
        np.concatenate([moments[i].phi for i in chosen]).astype(np.float64),
        np.concatenate([samples[i].is_target for i in chosen]).astype(np.float64),
        sample_weight=np.concatenate([samples[i].weights for i in chosen]),
    )
    expected = moments[1].phi @ reference.coef_
    np.testing.assert_allclose(moments[1].phi @ model.weights, expected, atol=2e-3)


def test_the_threshold_has_the_best_mean_dice_of_the_training_cases() -> None:
    samples = some_cases()
    expansion = fit_expansion(samples, seed=0)
    moments = [case_moments(expansion, case) for case in samples]
    model = train(moments)

    def mean_dice(threshold: float) -> float:
        found = []
        for case in moments:
            above = case.phi @ model.weights > threshold
            weights, is_target = case.samples.weights, case.samples.is_target
            hit = weights[above & is_target].sum()
            found.append(2 * hit / (weights[above].sum() + weights[is_target].sum()))
        return float(np.mean(found))

    best = max(mean_dice(t) for t in np.linspace(0.0, 1.0, 101))
    assert mean_dice(model.threshold) == pytest.approx(best, abs=0.01)


def test_dice_is_that_of_all_voxels_and_of_the_target_outside_the_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = some_cases()
    expansion = fit_expansion(samples, seed=0)
    models = [train([case_moments(expansion, case)]) for case in samples]
    generator = np.random.default_rng(9)
    local = generator.normal(size=(1000, 3)).astype(np.float32)
    is_target = local[:, 0] > 1.0
    expected = []
    for model in models:
        predicted = expansion(local) @ model.weights > model.threshold
        n_both = (predicted & is_target).sum()
        expected.append(2 * n_both / (predicted.sum() + is_target.sum() + 50))
    n_target = int(is_target.sum()) + 50
    for rows in (64, 100_000):
        monkeypatch.setattr(linear_learner, "CHUNK_ROWS", rows)
        found = dice_of_models(expansion, local, is_target, models, n_target=n_target)
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_model_that_finds_nothing_has_a_dice_of_zero() -> None:
    expansion = fit_expansion(some_cases(), seed=0)
    nothing = LinearModel(np.zeros(expansion.n_features, np.float32), 1.0)
    local = np.zeros((10, 3), np.float32)
    assert dice_of_models(expansion, local, np.ones(10, bool), [nothing], n_target=10) == [0.0]


def test_samples_weigh_as_much_as_what_they_stand_for() -> None:
    is_target = np.zeros(20_000, dtype=bool)
    is_target[:3000] = True
    samples = draw_samples(np.zeros((20_000, 2), np.float32), is_target, seed=(0, 1))
    assert len(samples.weights) == 400 + 800
    assert samples.weights[samples.is_target].sum() == pytest.approx(0.15, rel=1e-5)
    assert samples.weights.sum() == pytest.approx(1.0, rel=1e-5)


def test_a_missing_modality_counts_as_the_mean_of_the_pool() -> None:
    samples = some_cases()
    expansion = fit_expansion(samples, seed=0)
    local = np.array([[np.nan, 0.3, -0.2]], np.float32)
    filled = local.copy()
    filled[0, 0] = expansion.mean[0]
    np.testing.assert_allclose(expansion(local), expansion(filled), atol=1e-5)
