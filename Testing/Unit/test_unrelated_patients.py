from __future__ import annotations

import numpy as np
import pytest

from MDALSelectorLib.pairing.foreign_images import standardized_agreement


def comparisons(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(np.isfinite(table))
    return rows, columns, table[rows, columns]


def naive(table: np.ndarray) -> np.ndarray:
    values = np.arctanh(table)
    n = len(values)
    others = np.where(np.eye(n, dtype=bool), np.nan, values)
    expected = np.array(
        [
            [
                np.nanmean(others[i]) + np.nanmean(others[:, j]) - np.nanmean(others)
                for j in range(n)
            ]
            for i in range(n)
        ]
    )
    spread = np.sqrt(np.nanmean((others - expected) ** 2))
    return (values - expected).diagonal() / spread


def test_agrees_with_a_naive_double_centering() -> None:
    table = np.random.default_rng(0).uniform(-0.2, 0.6, (9, 9))
    result = standardized_agreement(*comparisons(table), n_cases=9)
    np.testing.assert_allclose(result, naive(table), rtol=1e-10)


def test_sharp_and_blurred_images_hardly_change_who_stands_out() -> None:
    generator = np.random.default_rng(1)
    noise = generator.normal(0, 0.02, (20, 20))
    sharpness = generator.uniform(0.0, 0.3, (2, 20))
    plain = np.tanh(noise + 0.2 * np.eye(20))
    sharp = np.tanh(noise + 0.2 * np.eye(20) + sharpness[0][:, None] + sharpness[1])
    results = [standardized_agreement(*comparisons(t), n_cases=20) for t in (plain, sharp)]
    np.testing.assert_allclose(results[0], results[1], rtol=0.15)
    assert results[0].min() > 5


def test_unrelated_images_lie_around_0_with_unit_spread() -> None:
    table = np.random.default_rng(2).normal(0.1, 0.03, (300, 300))
    result = standardized_agreement(*comparisons(table), n_cases=300)
    assert result.mean() == pytest.approx(0.0, abs=0.2)
    assert result.std() == pytest.approx(1.0, abs=0.15)


def test_too_few_unrelated_images_give_nan_for_that_case_alone() -> None:
    table = np.random.default_rng(3).uniform(0.0, 0.3, (8, 8))
    table[5, :] = np.nan
    table[5, [1, 2, 5]] = 0.1
    result = standardized_agreement(*comparisons(table), n_cases=8)
    assert np.isnan(result).tolist() == [index == 5 for index in range(8)]
    empty = standardized_agreement(
        np.array([], dtype=int), np.array([], dtype=int), np.array([]), n_cases=2
    )
    assert np.isnan(empty).all()
