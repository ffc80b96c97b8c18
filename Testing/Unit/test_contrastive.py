"""The contrastive estimator with vector encoders: against known PMI, and what it cannot leak."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
import vector_views
from gaussian_toys import N_LIFTED, lift, make_toy, patients
from vector_views import VectorViews

from MDALSelectorLib.estimation import contrastive_estimator, contrastive_training
from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    CrossFitConfig,
    EstimationConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.contrastive_estimator import (
    ContrastiveSettings,
    FoldScores,
    contrastive_estimates,
    contrastive_settings,
)
from MDALSelectorLib.estimation.contrastive_training import TrainedFold, train_fold
from MDALSelectorLib.estimation.cross_fitting import Split, plan_cross_fit, spearman
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, PairEstimate, modality_difference
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter

PAIR = ("a", "b")
CPU = torch.device("cpu")
TRAINING = replace(vector_views.TRAINING, n_reliability_splits=0)
SHORT = replace(TRAINING, max_steps=15)


def run(
    features: dict[str, Float64Array],
    *,
    owners: list[str] | None = None,
    pairs: tuple[ModalityPair, ...] = (PAIR,),
    training: ContrastiveConfig = SHORT,
    n_repeats: int = 1,
    seed: int = 0,
) -> tuple[PairEstimate, ...]:
    owners = owners or patients(len(features["a"]))
    plan = plan_cross_fit(owners, config=CrossFitConfig(n_repeats=n_repeats), seed=seed)
    settings = ContrastiveSettings(training, NormalizationConfig(), CPU)
    source = VectorViews(tuple(owners), features)
    return contrastive_estimates(source, pairs, plan=plan, settings=settings)


def mean_spearman(n_cases: int, *, n_seeds: int = 5, n_repeats: int = 3) -> float:
    found = []
    for seed in range(n_seeds):
        toy = make_toy(n_cases, seed=seed)
        (estimate,) = run(toy.lifted, training=TRAINING, n_repeats=n_repeats, seed=seed)
        found.append(spearman(estimate.pmi, toy.pmi))
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("n_cases", "n_seeds", "expected"),
    [pytest.param(60, 2, 0.40, marks=pytest.mark.evidence), (250, 1, 0.70)],
)
def test_scores_rank_like_the_true_pmi(n_cases: int, n_seeds: int, expected: float) -> None:
    assert mean_spearman(n_cases, n_seeds=n_seeds, n_repeats=1) >= expected


@pytest.mark.evidence
@pytest.mark.parametrize(
    ("n_cases", "expected"), [(60, 0.35), (125, 0.50), (250, 0.60), (500, 0.70)]
)
def test_scores_of_five_cohorts_rank_like_the_true_pmi(n_cases: int, expected: float) -> None:
    assert mean_spearman(n_cases) >= expected


def test_encoders_score_the_cases_that_they_saw_higher_than_the_estimator_does() -> None:
    """In-sample scores saturate; a leak in the folds would lift the out-of-fold ones to them."""
    generator = np.random.default_rng(0)
    features = {m: generator.standard_normal((60, 40)) for m in PAIR}
    training = replace(TRAINING, max_steps=100, patience=100, evaluate_every=100)
    (estimate,) = run(features, training=training)
    split = Split(np.arange(60), np.arange(0), np.arange(60), seed=0)
    source = VectorViews(tuple(patients(60)), features)
    model = train_fold(source, (PAIR,), split, config=training, device=CPU).model
    views, _ = source.evaluation_views(split.inner(training.stop_share).fit)
    with torch.no_grad():
        encoded = [model.eval().encode(i, views[m][:, 0]) for i, m in enumerate(PAIR)]
        rows, columns = model.factors((0, 1), *encoded)
    critic = rows @ columns.T
    in_sample = critic.diagonal() - critic.mean(dim=1)
    assert float(in_sample.mean()) > 3
    assert float(np.median(estimate.pmi)) < 0.5
    assert estimate.bound_nats < 0.1


def test_the_module_gives_out_scores_and_no_encoders() -> None:
    public = [
        value
        for name, value in vars(contrastive_estimator).items()
        if inspect.isfunction(value)
        and value.__module__ == contrastive_estimator.__name__
        and not name.startswith("_")
    ]
    found = {value.__name__: inspect.signature(value).return_annotation for value in public}
    assert found == {
        "contrastive_estimates": "tuple[PairEstimate, ...]",
        "contrastive_settings": "ContrastiveSettings",
        "score_fold": "tuple[FoldScores, ...]",
    }
    assert [field.name for field in fields(FoldScores)] == [
        "pair",
        "is_held_out",
        "pmi",
        "bound",
        "null_bounds",
    ]


def test_a_case_does_not_change_the_encoders_that_score_its_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = make_toy(50, seed=0)
    changed = {m: values.copy() for m, values in toy.lifted.items()}
    changed["a"][11], changed["b"][11] = changed["a"][30] * 2, changed["b"][20] * 3
    weights: list[torch.Tensor] = []
    real = contrastive_estimator.train_fold

    def train_fold(*arguments: object, **settings: object) -> TrainedFold:
        fold = real(*arguments, **settings)  # type: ignore[arg-type]
        weights.append(torch.cat([p.detach().flatten() for p in fold.model.parameters()]))
        return fold

    monkeypatch.setattr(contrastive_estimator, "train_fold", train_fold)
    monkeypatch.setattr(contrastive_training, "MAX_WORKERS", 1)
    before, after = run(toy.lifted)[0], run(changed)[0]
    folds = plan_cross_fit(patients(50), config=CrossFitConfig(n_repeats=1), seed=0).fold_of_case[0]
    same_fold = (folds == folds[11]) & (np.arange(50) != 11)
    difference = np.abs(after.pmi - before.pmi)
    # Case 11 is one of 49 negatives of the others of its fold and nothing else.
    assert difference[same_fold].max() < 0.5
    first, second = weights[: len(weights) // 2], weights[len(weights) // 2 :]
    same = [torch.equal(first[fold], second[fold]) for fold in range(5)]
    assert same[folds[11]]
    assert not all(same)


def test_shuffled_pairs_have_no_held_out_bound() -> None:
    toy = make_toy(80, seed=1)
    order = np.random.default_rng(1).permutation(80)
    (found,) = run({"a": toy.lifted["a"], "b": toy.lifted["b"][order]}, training=TRAINING)
    assert found.bound_nats < 0.1


def test_three_modalities_share_encoders_and_a_missing_one_is_left_out_of_its_pairs() -> None:
    toy = make_toy(60, seed=0)
    features = {**toy.lifted, "c": lift(toy.second, "c")}
    features["b"][5] = np.nan
    features["c"][[5, 9]] = np.nan
    pairs = (("a", "b"), ("a", "c"), ("b", "c"))
    found = run(features, pairs=pairs, training=replace(TRAINING, max_steps=60))
    assert [e.pair for e in found] == list(pairs)
    assert [len(e.case_index) for e in found] == [59, 58, 58]
    assert all(np.isfinite(e.repeat_pmi).all() for e in found)
    assert min(e.bound_nats for e in found) > 0.3


def test_other_visits_of_a_patient_are_no_negatives() -> None:
    """Two visits that look the same: as negatives of each other they would cap the PMI."""
    toy = make_toy(40, seed=0)
    twice = {m: np.repeat(values, 2, axis=0) for m, values in toy.lifted.items()}
    owners = [f"p{i // 2:02d}" for i in range(80)]
    (as_one,) = run(twice, owners=owners, training=TRAINING)
    np.testing.assert_allclose(as_one.pmi[::2], as_one.pmi[1::2], atol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    toy = make_toy(50, seed=0)
    one, other = run(toy.lifted)[0], run(toy.lifted)[0]
    assert one.repeat_pmi.tobytes() == other.repeat_pmi.tobytes()
    assert not np.array_equal(one.repeat_pmi, run(toy.lifted, seed=1)[0].repeat_pmi)


def test_models_of_two_other_thirds_score_every_case() -> None:
    toy = make_toy(120, seed=0)
    (found,) = run(toy.lifted, training=replace(TRAINING, n_reliability_splits=1))
    assert found.half_pmi.shape == (1, 2, 120)
    assert np.isfinite(found.half_pmi).all()
    difference = modality_difference([found], n_cases=120, unused={})
    assert 0.2 < difference.r12_disjoint < 0.95


def test_a_pair_that_no_two_training_cases_have_is_refused() -> None:
    toy = make_toy(20, seed=0)
    features = toy.lifted
    features["a"][:10], features["b"][10:] = np.nan, np.nan
    source = VectorViews(tuple(patients(20)), features)
    split = Split(np.arange(20), np.arange(0), np.arange(20), seed=0)
    with pytest.raises(ValueError, match="Expected cases of two patients with both modalities"):
        train_fold(source, (PAIR,), split, config=SHORT, device=CPU)


def test_components_of_the_encoder_come_from_the_training_cases_only() -> None:
    features = make_toy(40, seed=0).lifted
    source = VectorViews(tuple(patients(40)), features)
    generator = torch.Generator().manual_seed(0)
    encoder, n_outputs = source.make_encoder("a", np.arange(20), generator=generator)
    changed = {m: values.copy() for m, values in features.items()}
    changed["a"][20:] = np.random.default_rng(0).standard_normal((20, N_LIFTED))
    again, _ = VectorViews(tuple(patients(40)), changed).make_encoder(
        "a", np.arange(20), generator=generator
    )
    views = torch.from_numpy(features["a"][:20].astype(np.float32))
    assert n_outputs == 8
    torch.testing.assert_close(encoder.eval()(views), again.eval()(views), rtol=0, atol=0)
    assert not torch.equal(encoder.train()(views), encoder.train()(views))


class _Warnings(NullReporter):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warning(self, text: str) -> None:
        self.texts.append(text)


def test_the_cpu_steps_in_aloud_when_the_memory_of_the_gpu_does_not_suffice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy, reporter, devices = make_toy(40, seed=0), _Warnings(), []
    real = contrastive_estimator.score_fold

    def score_fold(*arguments: object) -> object:
        settings = arguments[3]
        assert isinstance(settings, ContrastiveSettings)
        devices.append(settings.device.type)
        if settings.device.type != "cpu":
            raise torch.cuda.OutOfMemoryError
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(contrastive_estimator, "score_fold", score_fold)
    plan = plan_cross_fit(patients(40), config=CrossFitConfig(n_repeats=1), seed=0)
    source = VectorViews(tuple(patients(40)), toy.lifted)
    (found,) = contrastive_estimates(
        source,
        [PAIR],
        plan=plan,
        settings=ContrastiveSettings(SHORT, NormalizationConfig(), torch.device("meta")),
        reporter=reporter,
    )
    assert devices == ["meta"] + ["cpu"] * 5
    assert reporter.texts == ["The GPU does not have enough memory; the CPU is used instead."]
    np.testing.assert_array_equal(found.pmi, run(toy.lifted)[0].pmi)


@pytest.mark.parametrize("device", ["cuda:97", "toaster"])
def test_a_device_that_is_not_there_is_refused_with_what_to_do(device: str) -> None:
    with pytest.raises(UsageError, match=f"'{device}' cannot be used here. Choose 'cpu'"):
        contrastive_settings(EstimationConfig(device=device))
