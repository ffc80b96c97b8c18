"""What pairs of different patients reach: anywhere, and within groups of acquisition alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from textured_cases import KINDS, ball, prepared, texture
from vector_views import VectorViews

from MDALSelectorLib.estimation.chance import (
    MAX_GROUPINGS,
    exchanged,
    exchanges,
    labels_to_exchange_within,
)
from MDALSelectorLib.estimation.choice import floor_of_chance
from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    CrossFitConfig,
    EstimationConfig,
    GaussianConfig,
    LocalConfig,
)
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, plan_cross_fit
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.limits import ANYONE
from MDALSelectorLib.estimation.local_samples import sample_cohort
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

N, PAIR = 60, ("a", "b")
NAMES = [f"c{i:03d}" for i in range(N)]
SITES = [f"site-{i % 3}" for i in range(N)]
CONFIG = EstimationConfig(
    cross_fit=CrossFitConfig(n_folds=4, n_repeats=1),
    local=LocalConfig(n_places=400, n_shuffles=8, n_reliability_splits=1),
    gaussian=GaussianConfig(n_components=(2, 4), shrinkages=(0.1,), n_reliability_splits=1),
    contrastive=ContrastiveConfig(
        max_steps=120, batch_cases=64, views_per_case=1, learning_rate=1e-2
    ),
    device="cpu",
)


def plan(n_cases: int = N, patients: Sequence[str] | None = None) -> CrossFitPlan:
    owners = patients or [f"c{i:03d}" for i in range(n_cases)]
    return plan_cross_fit(owners, config=CONFIG.cross_fit, seed=0)


def vectors(*, site: float, content: float) -> dict[str, Float64Array]:
    """Features of two modalities that share an offset of the site and content of the case."""
    generator = np.random.default_rng(1)
    of_site = generator.normal(size=(3, 6))[np.arange(N) % 3]
    shared = generator.normal(size=(N, 6))
    return {
        m: site * of_site + content * shared + generator.normal(size=(N, 6)) for m in ("a", "b")
    }


def images(*, site: float, content: float) -> list[PreparedCase]:
    """Textures that are brighter at some sites, and shared to a degree."""
    cases = []
    for i in range(N):
        generator = np.random.default_rng(i)
        common = content * texture(generator, 16)
        brightness = site * (i % 3)
        shown = {m: common + texture(generator, 16) + brightness for m in ("a", "b")}
        cases.append(prepared(NAMES[i], shown, ball(16, 6.5)))
    return cases


def found_by(estimator: str, *, site: float, content: float, known: bool) -> Estimation:
    data = EstimationData(NAMES, NAMES, groups={"site": SITES} if known else {})
    if estimator == "local":
        kinds = {m: KINDS[m] for m in ("a", "b")}
        cases = images(site=site, content=content)
        samples = sample_cohort(cases, kinds, blurs=[{}] * N, n_places=400)
        data = replace(data, samples=samples)
    else:
        features = vectors(site=site, content=content)
        views = VectorViews(tuple(NAMES), features)
        data = replace(data, features=features, views=lambda: views)
    return estimate(data, replace(CONFIG, estimator=estimator))


ESTIMATORS = pytest.mark.parametrize("estimator", ["local", "gaussian", "contrastive"])


@ESTIMATORS
def test_modalities_that_share_nothing_but_the_site_have_no_signal(estimator: str) -> None:
    assert found_by(estimator, site=3.0, content=0.0, known=False).has_signal
    found = found_by(estimator, site=3.0, content=0.0, known=True)
    assert not found.has_signal
    assert "different patients with the same site" in found.unused[PAIR]
    assert found.null_grouping == "site"


@ESTIMATORS
def test_modalities_that_share_content_beyond_the_site_keep_their_signal(estimator: str) -> None:
    found = found_by(estimator, site=1.0, content=2.0, known=True)
    assert found.has_signal


@ESTIMATORS
def test_without_known_groups_nothing_but_free_exchanges_is_measured(estimator: str) -> None:
    (of,) = found_by(estimator, site=1.0, content=1.0, known=False).estimates[estimator]
    assert set(of.null_bounds) == {ANYONE}
    known = found_by(estimator, site=1.0, content=1.0, known=True).estimates[estimator][0]
    np.testing.assert_array_equal(known.null_bounds[ANYONE], of.null_bounds[ANYONE])
    np.testing.assert_array_equal(known.pmi, of.pmi)


def test_the_contrastive_floor_is_that_of_its_own_critics() -> None:
    found = found_by("contrastive", site=0.0, content=2.0, known=False)
    (of,) = found.estimates["contrastive"]
    assert len(of.null_bounds[ANYONE]) == 200
    assert floor_of_chance(of)[0] < 0 < of.bound_nats  # critics that know pairs reject strangers


def test_every_case_is_exchanged_with_another_patient_of_its_group() -> None:
    patients = [f"p{i // 2}" for i in range(N)]
    folds = plan(patients=patients)
    labels = np.array([(i // 2) % 2 for i in range(N)])
    for partner in exchanges(folds, labels, 10):
        assert sorted(partner.tolist()) == list(range(N))
        assert (folds.patients[partner] != folds.patients).all()
        assert (folds.fold_of_case[0][partner] == folds.fold_of_case[0]).all()
        assert (labels[partner] == labels).all()


@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 1], [0, 0, 0, 1, 2], [0, 1, 2, 3, 4]])
def test_cases_that_are_alone_in_their_group_are_exchanged_too(labels: list[int]) -> None:
    cases = np.array([3, 5, 6, 8, 9])
    of_case = np.zeros(10, dtype=np.int64)
    of_case[cases] = labels
    partner = exchanged(
        cases, patients=np.arange(10), labels=of_case, generator=np.random.default_rng(0)
    )
    assert sorted(partner.tolist()) == cases.tolist()
    assert (partner != cases).all()


def test_groupings_that_say_nothing_new_are_left_out() -> None:
    coarse = ["x" if i % 3 == 0 else "y" for i in range(N)]
    groups = {
        "same": [f"other name of {s}" for s in SITES],
        "site": SITES,
        "coarse": coarse,
        "one": ["all"] * N,
        "nearly each": [f"g{i // 2}" for i in range(N)],
    }
    found = labels_to_exchange_within(groups, plan())
    assert list(found) == [ANYONE, "same", "coarse"]
    many = {f"g{k}": [str((i // k) % 3) for i in range(N)] for k in range(1, 9)}
    assert len(labels_to_exchange_within(many, plan())) == 1 + MAX_GROUPINGS


def test_several_cases_of_a_patient_are_no_group_to_exchange_within() -> None:
    patients = [f"p{i // 3}" for i in range(N)]
    folds = plan(patients=patients)
    assert list(labels_to_exchange_within({"site": patients}, folds)) == [ANYONE]
    joined = [f"site-{i // 30}" for i in range(N)]
    assert list(labels_to_exchange_within({"site": joined}, folds)) == [ANYONE, "site"]


def test_groups_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="a group for each of 60 cases"):
        EstimationData(NAMES, NAMES, groups={"site": SITES[:5]})


def test_exchanges_of_trained_critics_train_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from MDALSelectorLib.estimation import contrastive_estimator

    trained = []
    real = contrastive_estimator.train_fold

    def train_fold(*arguments: object, **settings: object) -> object:
        trained.append(torch.get_num_threads())
        return real(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(contrastive_estimator, "train_fold", train_fold)
    found_by("contrastive", site=1.0, content=1.0, known=True)
    assert len(trained) == CONFIG.cross_fit.n_folds + 3  # folds and thirds, as without groups
