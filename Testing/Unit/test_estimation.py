"""Both estimators behind one call: what is used, what is refused, and what ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gaussian_toys import make_toy, patients
from vector_views import VectorViews

from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    CrossFitConfig,
    EstimationConfig,
    GaussianConfig,
    LocalContrastiveConfig,
)
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.local_patches import LocalPatches
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter

GAUSSIAN = EstimationConfig(
    estimator="gaussian",
    cross_fit=CrossFitConfig(n_repeats=2),
    gaussian=GaussianConfig(
        n_components=(4, 8), shrinkages=(0.1,), n_shuffles=10, n_reliability_splits=1
    ),
)
AUTO = replace(
    GAUSSIAN, estimator="auto", contrastive=ContrastiveConfig(max_steps=20), device="cpu"
)


def four_modalities(n_cases: int) -> dict[str, Float64Array]:
    """Return features where a, b and c share much and d shares nothing."""
    generator = np.random.default_rng(0)
    toy = make_toy(n_cases, seed=0)
    features = dict(toy.lifted)
    features["c"] = features["a"] + 0.7 * generator.standard_normal(features["a"].shape)
    features["d"] = generator.standard_normal((n_cases, 40))
    return features


def run(
    features: dict[str, Float64Array],
    config: EstimationConfig = GAUSSIAN,
    *,
    with_views: bool = False,
) -> Estimation:
    n_cases = len(next(iter(features.values())))
    names = patients(n_cases)
    source = VectorViews(tuple(names), features) if with_views else None
    views = None if source is None else lambda: source
    return estimate(EstimationData(names, names, features, views=views), config)


def test_pairs_without_signal_do_not_count_and_the_others_do() -> None:
    found = run(four_modalities(80))
    assert found.pairs == (("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d"))
    assert found.difference.used == (("a", "b"), ("a", "c"), ("b", "c"))
    assert found.has_signal
    assert "(chance gives up to" in found.unused["a", "d"]
    z = found.difference.z[:, [0, 1, 3]]
    np.testing.assert_allclose(found.difference.values, -z.mean(axis=1), atol=1e-12)


def test_three_modalities_are_scored_by_their_three_pairs() -> None:
    features = four_modalities(60)
    del features["d"]
    found = run(features)
    assert found.difference.pmi_nats.shape == (60, 3)
    assert np.isfinite(found.difference.values).all()


def test_shuffled_pairs_have_no_signal_and_the_estimation_says_so() -> None:
    toy = make_toy(80, seed=3)
    order = np.random.default_rng(3).permutation(80)
    found = run({"a": toy.lifted["a"], "b": toy.lifted["b"][order]}, AUTO, with_views=True)
    assert not found.has_signal
    assert set(found.estimates) == {"gaussian", "contrastive"}
    assert np.isnan(found.difference.values).all()
    assert max(found.bounds_nats.values()) <= max(0.1, found.null_bound_nats or 0.0)
    assert "no more than the 0.10 nats" in found.unused["a", "b"]


def test_a_bound_below_what_shuffles_reach_is_no_signal() -> None:
    toy = make_toy(60, seed=0)
    plain = run(toy.lifted)
    bound = plain.estimates["gaussian"][0].bound_nats
    strict = replace(GAUSSIAN, min_bound_nats=bound + 1e-6)
    assert plain.has_signal
    assert not run(toy.lifted, strict).has_signal


def test_auto_ranks_by_the_higher_bound_and_reports_both() -> None:
    toy = make_toy(60, seed=0)
    found = run(toy.lifted, AUTO, with_views=True)
    bounds = found.bounds_nats
    assert found.estimator == max(bounds, key=lambda name: bounds[name])
    assert found.rank_correlation is not None
    assert 0.2 < found.rank_correlation <= 1
    best = {e.pair: e.pmi for e in found.estimates[found.estimator]}
    np.testing.assert_array_equal(found.difference.pmi_nats[:, 0], best["a", "b"])


def test_a_single_estimator_has_no_rank_correlation() -> None:
    found = run(make_toy(60, seed=0).lifted)
    assert found.estimator == "gaussian"
    assert found.rank_correlation is None


@pytest.mark.parametrize("names", [("b", "a", "c"), ("a", "b", "b")])
def test_cases_out_of_order_or_twice_are_refused(names: tuple[str, ...]) -> None:
    features = {m: values[:3] for m, values in make_toy(60, seed=0).lifted.items()}
    with pytest.raises(ValueError, match="different case identifiers in order"):
        EstimationData(names, names, features)


def test_a_pair_that_was_not_scored_is_a_column_of_nan_in_its_place() -> None:
    features = four_modalities(60)
    features["b"][:35] = np.nan
    found = run(features)
    assert np.isfinite(found.difference.pmi_nats).any(axis=0).tolist() == [
        "b" not in pair for pair in found.pairs
    ]
    assert np.isnan(found.difference.z[:, 0]).all()


def test_a_case_that_lacks_a_modality_is_ranked_by_the_pairs_that_it_has() -> None:
    features = four_modalities(70)
    del features["d"]
    features["c"][4] = np.nan
    features["b"][9], features["c"][9] = np.nan, np.nan
    found = run(features)
    assert np.isfinite(found.difference.values[4])
    assert np.isnan(found.difference.pmi_nats[4]).tolist() == [False, True, True]
    assert found.difference.values[4] == pytest.approx(-found.difference.z[4, 0])
    assert np.isnan(found.difference.values[9])


def test_pairs_of_too_few_cases_are_left_out_with_the_reason() -> None:
    features = four_modalities(60)
    features["c"][:35] = np.nan
    found = run(features)
    assert found.unused["a", "c"] == ("25 cases have both a and c; at least 30 are needed.")
    assert [e.pair for e in found.estimates["gaussian"]] == [("a", "b"), ("a", "d"), ("b", "d")]


def test_a_cohort_that_is_too_small_is_an_outcome_and_no_error() -> None:
    toy = make_toy(12, seed=0)
    found = run(toy.lifted)
    assert not found.has_signal
    assert found.bounds_nats == {}
    assert found.null_bound_nats is None
    assert np.isnan(found.difference.values).all()
    assert "12 cases have both a and b" in found.unused["a", "b"]


def test_many_cases_of_few_patients_are_too_few() -> None:
    toy = make_toy(60, seed=0)
    names = patients(60)
    owners = [f"p{i % 9}" for i in range(60)]
    found = estimate(EstimationData(names, owners, toy.lifted), GAUSSIAN)
    assert "9 patients have both a and b; at least 10 are needed" in found.unused["a", "b"]


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_features_that_are_not_finite_are_refused_with_the_name_of_the_case(value: float) -> None:
    features = make_toy(60, seed=0).lifted
    features["b"][17, 3] = value
    with pytest.raises(CohortError, match=r"features of b, got NaN or infinity in 1 cases .*00017"):
        run(features)


def test_the_contrastive_estimator_without_views_is_refused() -> None:
    with pytest.raises(UsageError, match="contrastive estimator needs views"):
        run(make_toy(60, seed=0).lifted, replace(GAUSSIAN, estimator="contrastive"))


def test_the_repeatability_of_the_ranking_is_higher_between_models_that_share_cases() -> None:
    signal = run(make_toy(100, seed=0).lifted).difference
    assert signal.r12_disjoint > 0.4
    assert signal.r12_repeats > signal.r12_disjoint


class _Heard(NullReporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def info(self, text: str) -> None:
        self.texts.append(text)


def in_auto(
    features: dict[str, Float64Array], *, max_steps: int = 2, device: str = "cpu"
) -> tuple[Estimation, list[str]]:
    """Run `auto` on vectors, with patches of noise for the networks of positions."""
    n_cases = len(next(iter(features.values())))
    generator = np.random.default_rng(0)
    seen = {m: np.ones((n_cases, 24), dtype=bool) for m in features}
    noise = {
        m: list(generator.normal(size=(n_cases, 24, 2, 7, 7, 7)).astype(np.float16)) for m in seen
    }
    training = ContrastiveConfig(
        max_steps=max_steps, batch_cases=4, views_per_case=4, n_reliability_splits=0
    )
    local = LocalContrastiveConfig(
        channels=(2, 2, 2), n_outputs=4, n_bank=64, stop_places=4, n_shuffles=2, training=training
    )
    config = replace(AUTO, local_contrastive=local, device=device, contrastive=training)
    names, reporter = patients(n_cases), _Heard()
    views = VectorViews(tuple(names), features)
    data = EstimationData(
        names, names, features, views=lambda: views, patches=lambda: LocalPatches(seen, noise)
    )
    return estimate(data, config, reporter), reporter.texts


def test_networks_of_positions_are_trained_where_no_closed_form_repeats() -> None:
    toy = make_toy(60, seed=3)
    order = np.random.default_rng(3).permutation(60)
    found, heard = in_auto({"a": toy.lifted["a"], "b": toy.lifted["b"][order]})
    assert list(found.found) == ["gaussian", "local-contrastive", "contrastive"]
    assert not found.has_signal
    assert heard == []


def test_networks_are_left_out_aloud_where_a_closed_form_repeats() -> None:
    found, heard = in_auto(make_toy(300, seed=0).lifted)
    assert list(found.found) == ["gaussian"]
    assert heard == [
        f"The {name} estimator is left out: another one has a signal and repeats."
        for name in ("local-contrastive", "contrastive")
    ]


def test_networks_of_positions_that_take_too_long_without_a_gpu_are_left_out_aloud() -> None:
    toy = make_toy(60, seed=3)
    order = np.random.default_rng(3).permutation(60)
    shuffled = {"a": toy.lifted["a"], "b": toy.lifted["b"][order]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("MDALSelectorLib.estimation.estimate.MAX_CPU_SECONDS", 1e-3)
        found, heard = in_auto(shuffled)
    assert list(found.found) == ["gaussian", "contrastive"]
    assert "without a GPU it would take one core about" in heard[0]


def test_the_networks_of_positions_without_patches_are_refused() -> None:
    with pytest.raises(UsageError, match="local-contrastive estimator needs patches"):
        run(make_toy(60, seed=0).lifted, replace(GAUSSIAN, estimator="local-contrastive"))
