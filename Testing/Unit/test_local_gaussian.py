from __future__ import annotations

import numpy as np
import pytest
from gaussian_toys import CORRELATIONS, make_toy

from MDALSelectorLib.estimation.cross_fitting import Split
from MDALSelectorLib.estimation.local_folds import (
    clipped_mean,
    drawn_positions,
    local_fold,
    log_odds,
)
from MDALSelectorLib.estimation.local_gaussian import fit_local_critic, fit_normal_map
from MDALSelectorLib.estimation.local_samples import LocalSamples

TOY = make_toy(20_000, seed=3)
INFORMATION = -0.5 * np.log(1 - CORRELATIONS**2).sum()


def mapped(values: np.ndarray) -> np.ndarray:
    return fit_normal_map(values.astype(np.float32))(values.astype(np.float32))


def test_known_pmi_is_found_behind_monotone_maps_of_every_feature() -> None:
    first, second = mapped(np.exp(TOY.first)), mapped(TOY.second**3)
    critic = fit_local_critic(first, second, ridge=1e-6)
    pmi = critic.matched(first, second)
    assert np.corrcoef(pmi, TOY.pmi)[0, 1] > 0.98
    assert critic.constant == pytest.approx(INFORMATION, abs=0.05)
    assert pmi.mean() == pytest.approx(INFORMATION, abs=0.05)


def test_the_critic_is_the_difference_of_log_densities() -> None:
    from scipy.stats import multivariate_normal

    u, v = TOY.first[:500, :2], TOY.second[:500, :2]
    critic = fit_local_critic(u, v, ridge=0.2)
    rows = np.concatenate([u, v], axis=1)
    covariance = np.cov(rows.T, bias=True) + 0.2 * np.eye(4)
    mean = rows.mean(axis=0)
    joint = multivariate_normal(mean, covariance).logpdf(rows)
    x = multivariate_normal(mean[:2], covariance[:2, :2]).logpdf(u)
    y = multivariate_normal(mean[2:], covariance[2:, 2:]).logpdf(v)
    assert np.allclose(critic.matched(u, v), joint - x - y, atol=1e-9)
    assert np.allclose(critic.matrix(u, v).diagonal(), joint - x - y, atol=1e-9)
    assert critic.matrix(u, v)[3, 7] == pytest.approx(critic.matched(u[3:4], v[7:8])[0])


def test_expected_ratios_are_one_on_both_sides() -> None:
    u, v = TOY.first[:, 2:5], TOY.second[:, 2:5]
    critic = fit_local_critic(u, v, ridge=1e-9)
    ratios = np.exp(critic.matrix(u[:2000], v[5000:7000]))
    assert np.median(ratios.mean(axis=1)) == pytest.approx(1.0, abs=0.1)
    assert np.median(ratios.mean(axis=0)) == pytest.approx(1.0, abs=0.1)


def test_a_feature_that_never_varies_says_nothing() -> None:
    constant = np.full((300, 1), 7.0, dtype=np.float32)
    scores = fit_normal_map(constant)(np.array([[7.0], [9.0], [-1.0]], dtype=np.float32))
    assert np.allclose(scores, 0.0)
    critic = fit_local_critic(np.zeros((300, 1)), TOY.second[:300, :1], ridge=0.01)
    assert np.allclose(critic.matched(np.zeros((5, 1)), TOY.second[:5, :1]), 0.0)


def test_values_that_many_share_get_the_score_of_their_middle_rank() -> None:
    values = np.concatenate([np.zeros(800), np.arange(1, 201)]).astype(np.float32)[:, None]
    scores = fit_normal_map(values)(values)[:, 0]
    assert np.ptp(scores[:800]) == 0
    assert scores[0] == pytest.approx(-0.35, abs=0.05)  # mean of a normal's lowest 80 %
    assert (np.diff(scores[799:]) > 0).all()


def test_odds_agree_with_a_naive_sum_and_leave_out_the_own_patient() -> None:
    critic = np.random.default_rng(0).normal(size=(5, 5))
    patients = np.array([0, 0, 1, 2, 2])
    found = log_odds(critic, patients)
    for i in range(5):
        others = [j for j in range(5) if j == i or patients[j] != patients[i]]
        row = np.log(np.mean([np.exp(critic[i, j]) for j in others]))
        column = np.log(np.mean([np.exp(critic[j, i]) for j in others]))
        limit = np.log(len(others))
        expected = np.clip(critic[i, i] - (row + column) / 2, -limit, limit)
        assert found[i] == pytest.approx(expected, abs=1e-12)


def test_no_position_can_break_a_bound() -> None:
    critic = np.random.default_rng(0).normal(size=(50, 50))
    critic[7, 7] = -1e4
    found = log_odds(critic, np.arange(50))
    assert found[7] == -np.log(50)
    assert np.abs(found).max() <= np.log(50)


def test_positions_are_drawn_evenly_from_all_cases_that_have_any() -> None:
    counts = np.random.default_rng(1).random((9, 400)) < 0.5
    counts[4] = False
    case, place = drawn_positions(counts, np.random.default_rng(2))
    assert np.bincount(case, minlength=9).tolist() == [48, 48, 48, 48, 0, 48, 48, 48, 48]
    assert counts[case, place].all()
    assert len(set(zip(case.tolist(), place.tolist(), strict=True))) == len(case)


def test_a_score_does_not_follow_its_extreme_positions() -> None:
    pmi = np.linspace(0.0, 1.0, 1001)
    broken = pmi.copy()
    broken[:5] = -1e6
    assert clipped_mean(pmi) == pytest.approx(0.5)
    assert clipped_mean(broken) == pytest.approx(0.5, abs=0.01)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lacking", ["fit", "held_out"])
def test_a_pair_that_one_side_of_a_split_never_shows_is_not_scored(lacking: str) -> None:
    generator = np.random.default_rng(0)
    values = {m: generator.normal(size=(8, 40, 2)).astype(np.float32) for m in ("CT", "PET")}
    split = Split(np.arange(5), np.arange(5, 8), np.arange(8), seed=0)
    values["PET"][getattr(split, lacking)] = np.nan
    fold = local_fold(LocalSamples(values), ("CT", "PET"), split)
    critic = fold.critic(("CT", "PET"), ridge=0.1)
    assert (critic is None) == (lacking == "fit")
    assert np.isnan(fold.case_scores(("CT", "PET"), critic).pmi).all()
    assert np.isnan(fold.case_bounds(("CT", "PET"), critic)).all()
