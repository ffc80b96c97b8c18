"""Which estimator ranks, on estimates whose right choice is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from MDALSelectorLib.estimation.choice import (
    MAX_CPU_SECONDS,
    Found,
    best_estimator,
    cpu_seconds,
    floor_of_chance,
    judge,
    networks_can_change,
)
from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.limits import (
    ANYONE,
    BOUND_BLOCK,
    NEAR_CEILING,
    ceiling_nats,
    is_near_ceiling,
    limit_words,
)
from MDALSelectorLib.estimation.pair_estimate import PairEstimate

PAIR = ("a", "b")
N = 200


def found(
    *,
    r12: float,
    bound: float,
    chance: float = 0.0,
    estimator: str = "gaussian",
    within: Mapping[str, float] = MappingProxyType({}),
) -> Found:
    generator = np.random.default_rng(0)
    common = generator.standard_normal(N)
    halves = [np.sqrt(r12) * common + np.sqrt(1 - r12) * generator.normal(size=N) for _ in "ab"]
    estimate = PairEstimate(
        PAIR,
        estimator,
        np.arange(N),
        common[None],
        np.array([bound]),
        np.array([halves]),
        {ANYONE: np.full(20, chance), **{name: np.full(20, c) for name, c in within.items()}},
    )
    return judge(
        [estimate],
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


def test_a_bound_that_strangers_of_the_same_site_reach_is_no_signal_either() -> None:
    of = found(r12=0.99, bound=0.5, chance=0.1, within={"site": 0.55, "voxel-size": 0.2})
    assert not of.difference.has_signal
    assert "0.55 nats that images of different patients with the same site" in of.unused[PAIR]
    assert (of.null_bound_nats, of.null_grouping) == (pytest.approx(0.55), "site")


def test_the_floor_is_the_largest_of_all_exchanges() -> None:
    of = found(r12=0.7, bound=0.5, chance=0.3, within={"site": 0.1})
    assert of.difference.has_signal
    assert (of.null_bound_nats, of.null_grouping) == (pytest.approx(0.3), ANYONE)
    more = found(r12=0.7, bound=0.5, chance=0.3, within={"site": 0.4})
    assert more.worth < of.worth


def test_the_floor_is_what_nineteen_of_twenty_exchanges_stay_below() -> None:
    of = found(r12=0.7, bound=0.5).estimates[0]
    exchanged = replace(of, null_bounds={ANYONE: np.linspace(0.0, 1.0, 101)})
    assert floor_of_chance(exchanged) == (pytest.approx(0.95), ANYONE)


def test_strangers_that_fit_worse_than_nothing_add_nothing_to_the_worth() -> None:
    assert found(r12=0.7, bound=0.5, chance=-2.0).worth == found(r12=0.7, bound=0.5).worth


def test_the_ceiling_is_that_of_the_block_that_a_bound_is_computed_on() -> None:
    assert ceiling_nats(10, 5) == pytest.approx(np.log(2))
    assert ceiling_nats(9, 5) is None
    assert ceiling_nats(100_000, 5) == pytest.approx(np.log(BOUND_BLOCK))


def test_a_bound_of_whole_cases_near_its_ceiling_decides_nothing() -> None:
    # The vectors share far more than 40 held-out cases can show, and the positions little but
    # enough: what is known to differ is how well the orders repeat.
    ceiling = ceiling_nats(N, EstimationConfig().cross_fit.n_folds)
    assert ceiling == pytest.approx(np.log(40))
    local = found(r12=0.8, bound=0.3, estimator="local")
    near = found(r12=0.7, bound=NEAR_CEILING * ceiling, chance=0.0)
    below = found(r12=0.7, bound=NEAR_CEILING * ceiling - 0.05)
    assert near.worth > local.worth
    assert best_estimator({"local": local, "gaussian": near}) == "local"
    assert best_estimator({"local": local, "gaussian": below}) == "gaussian"


def test_of_two_bounds_near_the_ceiling_the_order_that_repeats_ranks() -> None:
    one, other = found(r12=0.6, bound=3.6), found(r12=0.65, bound=3.2)
    assert best_estimator({"gaussian": one, "contrastive": other}) == "contrastive"
    assert best_estimator({"gaussian": one, "contrastive": one}) == "gaussian"


def test_a_bound_of_positions_has_no_such_ceiling() -> None:
    assert not found(r12=0.9, bound=3.6, estimator="local").is_saturated
    assert found(r12=0.9, bound=3.6).is_saturated


def test_of_both_forms_of_positions_the_order_that_repeats_ranks_whatever_the_bounds() -> None:
    # Measured on a synthetic cohort: the networks' order repeats less, their bound is larger.
    local = found(r12=0.94, bound=0.62, chance=0.17, estimator="local")
    networks = found(r12=0.85, bound=2.32, chance=0.94, estimator="local-contrastive")
    assert networks.worth > local.worth
    assert best_estimator({"local": local, "local-contrastive": networks}) == "local"
    weak = found(r12=0.3, bound=0.62, estimator="local")
    assert best_estimator({"local": weak, "local-contrastive": networks}) == "local-contrastive"
    whole = found(r12=0.9, bound=1.5)
    three = {"local": weak, "gaussian": whole, "local-contrastive": networks}
    assert best_estimator(three) == "gaussian"


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
        too_few={PAIR: "3 cases have both a and b; at least 30 are needed."},
        pairs=[PAIR, ("a", "c")],
        n_cases=5,
        config=EstimationConfig(),
    )
    assert "3 cases" in result.unused[PAIR]
    assert "at enough places" in result.unused["a", "c"]
    assert result.bound_nats is None


def test_the_worth_is_that_of_the_pairs_that_count_alone() -> None:
    one = found(r12=0.7, bound=0.5).estimates[0]
    weak = replace(one, pair=("a", "c"), repeat_bounds=np.array([0.05]))
    both = judge(
        [one, weak],
        too_few={},
        pairs=[PAIR, ("a", "c")],
        n_cases=N,
        config=EstimationConfig(),
    )
    assert both.difference.used == (PAIR,)
    assert both.worth == found(r12=0.7, bound=0.5).worth
    assert both.bound_nats == pytest.approx(0.5)


def test_the_pair_with_the_most_cases_sets_the_ceiling() -> None:
    one, few = found(r12=0.7, bound=2.5).estimates[0], np.arange(N // 4)
    rare = replace(
        one,
        pair=("a", "c"),
        case_index=few,
        repeat_pmi=one.repeat_pmi[:, few],
        half_pmi=one.half_pmi[:, :, few],
    )
    config = EstimationConfig()
    both = judge([one, rare], too_few={}, pairs=[PAIR, rare.pair], n_cases=N, config=config)
    assert is_near_ceiling(2.5, ceiling_nats(len(few), config.cross_fit.n_folds))
    assert not both.is_saturated


def test_an_order_without_a_signal_keeps_no_network_from_training() -> None:
    strangers = found(r12=0.95, bound=0.5, chance=0.6)
    known = replace(strangers.difference, r12_disjoint=0.95)
    assert networks_can_change({"local": replace(strangers, difference=known)})


def test_networks_of_positions_are_trained_on_a_cpu_only_if_they_take_minutes() -> None:
    config = EstimationConfig()
    assert cpu_seconds(config, 4) < MAX_CPU_SECONDS
    assert cpu_seconds(config, 8) == pytest.approx(2 * cpu_seconds(config, 4))
    longer = replace(
        config,
        local_contrastive=replace(
            config.local_contrastive,
            training=replace(config.local_contrastive.training, max_steps=2000),
        ),
    )
    assert cpu_seconds(longer, 4) > MAX_CPU_SECONDS
    several = replace(config, local_contrastive=replace(config.local_contrastive, n_repeats=3))
    assert cpu_seconds(several, 4) == pytest.approx(cpu_seconds(config, 4) * (3 * 5 + 3) / (5 + 3))


@pytest.mark.parametrize(
    ("floor", "grouping", "words"),
    [
        (None, ANYONE, "the 0.10 nats from which on it counts"),
        (-math.inf, ANYONE, "the 0.10 nats from which on it counts"),
        (-0.02, ANYONE, "the 0.10 nats from which on it counts (chance gives up to 0.00)"),
        (0.03, "site", "the 0.10 nats from which on it counts (chance gives up to 0.03)"),
        (0.25, ANYONE, "the 0.25 nats that chance alone could give"),
        (0.25, "site", "the 0.25 nats that images of different patients with the same site could"),
    ],
)
def test_what_a_bound_must_exceed_is_named_for_what_it_is(
    floor: float | None, grouping: str, words: str
) -> None:
    assert limit_words(0.1, floor, grouping).startswith(words)
