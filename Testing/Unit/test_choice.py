"""Which estimator ranks, on estimates whose right choice is known."""

from __future__ import annotations

import numpy as np
import pytest

from MDALSelectorLib.estimation.choice import Found, best_estimator, judge, networks_can_change
from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.pair_estimate import PairEstimate

PAIR = ("a", "b")
N = 200


def found(*, r12: float, bound: float, chance: float = 0.0) -> Found:
    generator = np.random.default_rng(0)
    common = generator.standard_normal(N)
    halves = [np.sqrt(r12) * common + np.sqrt(1 - r12) * generator.normal(size=N) for _ in "ab"]
    estimate = PairEstimate(
        PAIR, "x", np.arange(N), common[None], np.array([bound]), np.array([halves])
    )
    return judge(
        [estimate],
        {PAIR: np.full(20, chance)},
        too_few={},
        pairs=[PAIR],
        n_cases=N,
        config=EstimationConfig(),
    )


def test_of_two_signals_the_order_that_repeats_ranks() -> None:
    # What was measured on a public cohort of 51 cases: the large bound belonged to the order that
    # did not repeat.
    both = {"local": found(r12=0.95, bound=0.29), "gaussian": found(r12=0.13, bound=1.43)}
    assert best_estimator(both) == "local"


def test_of_two_orders_that_repeat_the_clearer_signal_ranks() -> None:
    both = {"local": found(r12=0.8, bound=0.12), "gaussian": found(r12=0.8, bound=1.2)}
    assert best_estimator(both) == "gaussian"


def test_a_bound_that_strangers_reach_too_is_no_signal() -> None:
    both = {
        "local": found(r12=0.99, bound=0.5, chance=0.6),
        "gaussian": found(r12=0.3, bound=0.4, chance=0.05),
    }
    assert not both["local"].difference.has_signal
    assert both["local"].worth == 0
    assert best_estimator(both) == "gaussian"
    assert "0.60 nats that chance alone" in both["local"].unused[PAIR]


def test_without_any_signal_the_first_speaks() -> None:
    both = {"local": found(r12=0.99, bound=0.05), "gaussian": found(r12=0.9, bound=0.09)}
    assert best_estimator(both) == "local"
    assert networks_can_change(both)


@pytest.mark.parametrize(("r12", "bound", "can"), [(0.9, 0.5, False), (0.5, 0.5, True)])
def test_networks_are_trained_only_where_no_closed_form_repeats(
    r12: float, bound: float, can: bool
) -> None:
    weak = found(r12=0.2, bound=1.0)
    assert networks_can_change({"gaussian": weak, "local": found(r12=r12, bound=bound)}) is can


def test_the_worth_is_repeatability_times_the_correlation_of_the_bound() -> None:
    of = found(r12=0.7, bound=0.5, chance=0.1)
    expected = of.difference.r12_disjoint * np.sqrt(1 - np.exp(-2 * 0.4))
    assert of.worth == pytest.approx(expected)


def test_a_pair_without_an_estimate_is_named_with_the_reason() -> None:
    result = judge(
        [],
        {},
        too_few={PAIR: "3 cases have both a and b; at least 30 are needed."},
        pairs=[PAIR, ("a", "c")],
        n_cases=5,
        config=EstimationConfig(),
    )
    assert "3 cases" in result.unused[PAIR]
    assert "at enough places" in result.unused["a", "c"]
    assert result.bound_nats is None
