"""One or two odd images in a modality must not decide what the whole cohort shares."""

from __future__ import annotations

import numpy as np
import pytest

from MDALSelectorLib.estimation.config import CrossFitConfig, EstimationConfig, GaussianConfig
from MDALSelectorLib.estimation.estimate import estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.gaussian import CanonicalCritic
from MDALSelectorLib.pairing.alignment import AlignmentMeasures
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.selection.selecting import pair_statement

PAIR = ("T1", "T2")
N_CASES = 40


def cohort(odd: dict[int, float], *, modality: str = "T1", seed: int = 0) -> EstimationData:
    """Two modalities with six shared factors; the features of odd cases are scaled and inverted."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(N_CASES, 6))
    features = {
        m: shared @ generator.normal(size=(6, 20)) + 2.0 * generator.normal(size=(N_CASES, 20))
        for m in PAIR
    }
    for row, scale in odd.items():
        features[modality][row] = -scale * np.abs(features[modality][row])
    names = tuple(f"case-{row:02d}" for row in range(N_CASES))
    return EstimationData(case_ids=names, patient_ids=names, features=features)


def bound_of(data: EstimationData) -> float:
    config = EstimationConfig(
        estimator="gaussian",
        cross_fit=CrossFitConfig(n_repeats=1),
        gaussian=GaussianConfig(n_shuffles=5),
    )
    found = estimate(data, config)
    assert found.difference.used == (PAIR,)
    (pair,) = found.estimates["gaussian"]
    return pair.bound_nats


@pytest.fixture(scope="module")
def clean() -> float:
    return bound_of(cohort({}))


@pytest.mark.parametrize("modality", PAIR)
@pytest.mark.parametrize(
    "odd", [{7: 3.0}, {7: 30.0}, {7: 1000.0}, {7: 30.0, 8: 30.0}, {0: 5.0, 20: 300.0}]
)
def test_odd_images_leave_the_bound_where_it_was(
    clean: float, odd: dict[int, float], modality: str
) -> None:
    assert bound_of(cohort(odd, modality=modality)) == pytest.approx(clean, abs=0.5)


def test_a_critic_that_condemns_one_case_keeps_its_bound() -> None:
    generator = np.random.default_rng(1)
    u = generator.normal(size=(12, 3))
    correlations = np.array([0.95, 0.9, 0.8])
    v = u * correlations + np.sqrt(1 - correlations**2) * generator.normal(size=(12, 3))
    rows = np.arange(12)
    usual = CanonicalCritic(u, v, correlations).bound(rows, rows)
    u[4] = -40.0
    odd = CanonicalCritic(u, v, correlations)
    assert odd.matched()[4] < -1000.0
    assert odd.bound(rows, rows) == pytest.approx(usual, abs=0.4)


def test_no_reason_shows_a_figure_that_cannot_be_believed() -> None:
    text = pair_statement({PAIR: -1073.0}, {PAIR: -400.0}, {PAIR: 1.9})
    assert text == "T1 and T2 share more than 20 nats less than the cohort's median"
    pmi = np.random.default_rng(0).normal(2.0, 0.5, (N_CASES, 1))
    pmi[5] = -1073.0
    blank = {PAIR: np.zeros(N_CASES)}
    apart = {PAIR: np.zeros((N_CASES, 3))}
    names = tuple(f"case-{row:02d}" for row in range(N_CASES))
    measures = AlignmentMeasures(names, 3.0, blank, blank, apart, {PAIR: np.full(N_CASES, 7.0)})
    (flag,) = pairing_flags(measures, pmi_nats=pmi)["case-05"]
    assert flag.reason.startswith("T1 and T2 share more than 20 nats less")
