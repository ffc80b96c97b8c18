"""Robust standardization of PMI and its mean over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.features import fused_embedding
from MDALSelectorLib.estimation.pair_estimate import PairEstimate, modality_difference, robust_z
from MultimodalImagingLib.images.arrays import Float64Array


def make_estimate(
    pair: tuple[str, str], cases: IntArray, pmi: Float64Array, halves: Float64Array | None = None
) -> PairEstimate:
    return PairEstimate(
        pair=pair,
        estimator="gaussian",
        case_index=cases,
        repeat_pmi=pmi,
        repeat_bounds=np.ones(len(pmi)),
        half_pmi=np.empty((0, 2, len(cases))) if halves is None else halves,
    )


def test_standardized_values_are_in_units_of_the_robust_spread() -> None:
    values = np.array([1.0, 2, 3, 4, 100, np.nan])
    np.testing.assert_allclose(
        robust_z(values), (values - 3) * 0.6745 / 1.0, rtol=1e-12, equal_nan=True
    )


def test_equal_values_are_standardized_to_zero_and_many_equal_ones_by_their_deviation() -> None:
    np.testing.assert_array_equal(robust_z(np.full(4, 2.5)), 0)
    values = np.array([1.0, 1, 1, 5])
    np.testing.assert_allclose(robust_z(values), (values - 1) / values.std())


def test_the_difference_is_minus_the_mean_over_the_pairs_that_count() -> None:
    generator = np.random.default_rng(0)
    first = make_estimate(("a", "b"), np.arange(20), generator.standard_normal((3, 20)))
    second = make_estimate(("a", "c"), np.arange(5, 20), generator.standard_normal((3, 15)))
    third = make_estimate(("b", "c"), np.arange(5, 20), generator.standard_normal((3, 15)))
    found = modality_difference(
        [first, second, third], n_cases=21, unused={("b", "c"): "No signal."}
    )
    of_first, of_second = robust_z(first.repeat_pmi.mean(0)), robust_z(second.repeat_pmi.mean(0))
    assert found.values[2] == pytest.approx(-of_first[2])
    assert found.values[7] == pytest.approx(-(of_first[7] + of_second[2]) / 2)
    assert np.isnan(found.values[20])
    assert found.used == (("a", "b"), ("a", "c"))
    assert np.isfinite(found.z[7]).all()


def test_repeatability_compares_the_rankings_of_repeats_and_of_disjoint_models() -> None:
    generator = np.random.default_rng(0)
    repeats, halves = generator.standard_normal((2, 30)), generator.standard_normal((1, 2, 30))
    one = make_estimate(("a", "b"), np.arange(30), repeats, halves)
    found = modality_difference([one], n_cases=30, unused={})
    assert found.r12_repeats == pytest.approx(spearmanr(*repeats)[0])
    assert found.r12_disjoint == pytest.approx(spearmanr(*halves[0])[0])


def test_without_a_pair_that_counts_there_is_no_ranking() -> None:
    one = make_estimate(("a", "b"), np.arange(9), np.random.default_rng(0).random((2, 9)))
    found = modality_difference([one], n_cases=9, unused={("a", "b"): "No signal."})
    assert not found.has_signal
    assert np.isnan(found.values).all()
    assert np.isnan(found.r12_repeats)
    assert modality_difference([], n_cases=3, unused={}).values.shape == (3,)


def test_the_fused_embedding_has_a_unit_vector_per_modality_and_zeros_for_a_missing_one() -> None:
    generator = np.random.default_rng(0)
    features = {"a": generator.standard_normal((30, 50)), "b": generator.standard_normal((30, 5))}
    features["b"][3] = np.nan
    found = fused_embedding(features, n_components=4)
    assert found.shape == (30, 8)
    np.testing.assert_allclose(np.linalg.norm(found[:, :4], axis=1), 1)
    np.testing.assert_array_equal(found[3, 4:], 0)
    np.testing.assert_allclose(np.linalg.norm(np.delete(found[:, 4:], 3, axis=0), axis=1), 1)


def test_like_cases_have_like_embeddings_and_groups_stay_apart() -> None:
    generator = np.random.default_rng(0)
    group = np.repeat([0, 1], 20)
    features = {m: 5 * group[:, None] + generator.standard_normal((40, 30)) for m in ("a", "b")}
    found = fused_embedding(features, n_components=2)
    gram = found @ found.T
    same = group[:, None] == group[None, :]
    assert gram[same].mean() > gram[~same].mean() + 0.5


def test_a_modality_that_says_nothing_adds_nothing() -> None:
    features = {"a": np.random.default_rng(0).standard_normal((9, 4)), "b": np.full((9, 3), 2.0)}
    np.testing.assert_array_equal(fused_embedding(features)[:, -1], 0)
