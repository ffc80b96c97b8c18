from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from textured_cases import KINDS, ball, prepared, texture, textured_case

from MDALSelectorLib.estimation.chance import Groups
from MDALSelectorLib.estimation.config import CrossFitConfig, LocalConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit, spearman
from MDALSelectorLib.estimation.limits import ANYONE
from MDALSelectorLib.estimation.local_estimator import LocalEstimates, local_estimates
from MDALSelectorLib.estimation.local_folds import local_fold
from MDALSelectorLib.estimation.local_samples import sample_cohort
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

N = 24
SHARES = np.random.default_rng(5).permutation(np.linspace(0.05, 0.95, N))
CONFIG = LocalConfig(n_places=600, n_shuffles=5, n_reliability_splits=1)
FOLDS = CrossFitConfig(n_folds=4, n_repeats=1)
PAIR = ("a", "b")


def cohort(shares: Sequence[float] = tuple(SHARES)) -> list[PreparedCase]:
    return [textured_case(f"c{i:02d}", seed=i, share=s) for i, s in enumerate(shares)]


def run(
    cases: Sequence[PreparedCase],
    *,
    groups: Groups | None = None,
    patients: Sequence[str] | None = None,
    modalities: str = "ab",
    pairs: Sequence[tuple[str, str]] = (PAIR,),
) -> LocalEstimates:
    kinds = {m: KINDS[m] for m in modalities}
    samples = sample_cohort(cases, kinds, blurs=[{}] * len(cases), n_places=CONFIG.n_places)
    plan = plan_cross_fit(patients or [c.case_id for c in cases], config=FOLDS, seed=0)
    return local_estimates(samples, pairs, plan=plan, config=CONFIG, groups=groups)


@pytest.fixture(scope="module")
def cases() -> list[PreparedCase]:
    return cohort()


@pytest.fixture(scope="module")
def found(cases: list[PreparedCase]) -> LocalEstimates:
    return run(cases)


def test_cases_are_ranked_by_what_their_modalities_share(found: LocalEstimates) -> None:
    (estimate,) = found.estimates
    assert spearman(estimate.pmi, SHARES) > 0.9
    assert spearman(*estimate.half_pmi[0]) > 0.75  # critics of nine cases each
    assert estimate.bound_nats > 5 * float(
        np.quantile(found.estimates[0].null_bounds[ANYONE], 0.95)
    )


def test_modalities_of_different_patients_have_no_signal(cases: list[PreparedCase]) -> None:
    strangers = [
        prepared(c.case_id, {"a": c.images["a"], "b": cases[(i + 1) % N].images["b"]}, c.body)
        for i, c in enumerate(cases)
    ]
    result = run(strangers)
    limit = max(0.1, float(np.quantile(result.estimates[0].null_bounds[ANYONE], 0.95)))
    assert result.estimates[0].bound_nats < limit


def test_the_same_anatomy_in_all_patients_is_no_signal() -> None:
    shared = texture(np.random.default_rng(99), 24, 3.0)
    body = ball(24, 9.0)
    own = [texture(np.random.default_rng(i), 24) for i in range(2 * N)]
    same = [
        prepared(f"c{i:02d}", {"a": shared + 0.5 * own[i], "b": shared + 0.5 * own[N + i]}, body)
        for i in range(N)
    ]
    result = run(same)
    bound, null = result.estimates[0].bound_nats, result.estimates[0].null_bounds[ANYONE]
    assert bound > 0.2  # the modalities do agree at every place
    assert bound == pytest.approx(float(np.median(null)), abs=0.1)  # and with other patients too


def test_a_larger_body_does_not_score_differently() -> None:
    small = [textured_case(f"s{i:02d}", seed=i, share=0.5, radius=6.0) for i in range(N)]
    large = [textured_case(f"t{i:02d}", seed=i + N, share=0.5, radius=11.0) for i in range(N)]
    pmi = run([*small, *large]).estimates[0].pmi
    spread = pmi.std()
    assert abs(np.median(pmi[:N]) - np.median(pmi[N:])) < 0.5 * spread


def test_air_around_the_body_changes_no_score(
    cases: list[PreparedCase], found: LocalEstimates
) -> None:
    padded = [
        prepared(
            c.case_id,
            {m: np.pad(v, 6, constant_values=-9.0) for m, v in c.images.items()},
            np.pad(c.body, 6),
        )
        for c in cases
    ]
    assert np.allclose(run(padded).estimates[0].pmi, found.estimates[0].pmi, atol=1e-6)


def test_the_same_input_gives_the_same_bytes(
    cases: list[PreparedCase], found: LocalEstimates
) -> None:
    again = run(cases)
    assert again.estimates[0].repeat_pmi.tobytes() == found.estimates[0].repeat_pmi.tobytes()
    assert (
        again.estimates[0].null_bounds[ANYONE].tobytes()
        == found.estimates[0].null_bounds[ANYONE].tobytes()
    )


def test_a_case_without_the_pair_is_not_scored_and_the_others_are(
    cases: list[PreparedCase],
) -> None:
    lacking = textured_case("c03", seed=3, share=0.5, modalities=("a",))
    result = run([*cases[:3], lacking, *cases[4:]])
    assert result.estimates[0].case_index.tolist() == [i for i in range(N) if i != 3]
    assert np.isfinite(result.estimates[0].pmi).all()


def test_a_tiny_body_is_scored_and_a_single_voxel_breaks_nothing(
    cases: list[PreparedCase],
) -> None:
    dot = np.zeros_like(cases[0].body)
    dot[10, 10, 10] = True
    tiny = textured_case("c05", seed=5, share=0.5, radius=1.6)
    result = run([*cases[:4], prepared("c04", cases[4].images, dot), tiny, *cases[6:]])
    assert np.isfinite(result.estimates[0].pmi).all()


def test_a_case_whose_modalities_agree_on_no_body_is_not_scored_and_the_others_are(
    cases: list[PreparedCase],
) -> None:
    nowhere = prepared("c05", cases[5].images, np.zeros_like(cases[5].body))
    (estimate,) = run([*cases[:5], nowhere, *cases[6:]]).estimates
    assert estimate.case_index.tolist() == [n for n in range(N) if n != 5]


def test_more_halves_than_repeats_are_not_waited_for(cases: list[PreparedCase]) -> None:
    samples = sample_cohort(cases[:8], KINDS, blurs=[{}] * 8, n_places=CONFIG.n_places)
    plan = plan_cross_fit([c.case_id for c in cases[:8]], config=FOLDS, seed=0)
    config = replace(CONFIG, n_reliability_splits=3)
    (estimate,) = local_estimates(samples, (PAIR,), plan=plan, config=config).estimates
    assert len(estimate.half_pmi) == 1
    assert np.isfinite(estimate.pmi).all()


def test_a_modality_that_never_varies_shares_nothing(cases: list[PreparedCase]) -> None:
    flat = [
        prepared(c.case_id, {**c.images, "b": np.full(c.body.shape, 3.0, np.float32)}, c.body)
        for c in cases
    ]
    (estimate,) = run(flat).estimates
    assert np.allclose(estimate.pmi, 0.0, atol=1e-6)
    assert estimate.bound_nats == pytest.approx(0.0, abs=1e-6)


def test_one_odd_case_does_not_break_the_bound(
    cases: list[PreparedCase], found: LocalEstimates
) -> None:
    odd = prepared(
        "c06", {"a": cases[6].images["a"] * 40, "b": -300 * cases[6].images["b"]}, cases[6].body
    )
    result = run([*cases[:6], odd, *cases[7:]])
    assert result.estimates[0].bound_nats > 0.5 * found.estimates[0].bound_nats


def test_the_critic_of_a_case_never_saw_its_patient(cases: list[PreparedCase]) -> None:
    patients = [f"p{i // 2}" for i in range(N)]
    samples = sample_cohort(cases, dict.fromkeys("ab", "CT"), blurs=[{}] * N, n_places=600)
    plan = plan_cross_fit(patients, config=FOLDS, seed=0)
    split = next(plan.splits(0))
    before = local_fold(samples, PAIR, split)
    unseen = np.flatnonzero(np.isin(plan.patients, plan.patients[split.held_out]))
    for values in samples.values.values():
        values[unseen] += 100
    after = local_fold(samples, PAIR, split)
    one, two = (fold.critic(PAIR, ridge=0.01) for fold in (before, after))
    assert one is not None
    assert two is not None
    assert np.array_equal(one.quadratic, two.quadratic)


def test_an_image_padded_to_the_field_of_view_of_another_does_not_count_where_it_was_padded(
    cases: list[PreparedCase], found: LocalEstimates
) -> None:
    seen = cases[8].body.copy()
    seen[14:] = False
    image = np.where(seen, cases[8].images["b"], np.float32(-9.0))
    padded = replace(
        cases[8], images={**cases[8].images, "b": image}, bodies={**cases[8].bodies, "b": seen}
    )
    result = run([*cases[:8], padded, *cases[9:]])
    spread = found.estimates[0].pmi.std()
    assert abs(result.estimates[0].pmi[8] - found.estimates[0].pmi[8]) < 0.5 * spread
