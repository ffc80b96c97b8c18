"""Differences and intervals on simulated Dice whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from MDALSelectorLib.estimation.config import CrossFitConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.retrospect import evaluation
from MDALSelectorLib.retrospect.evaluation import Evaluation, trapezoid_weights
from MDALSelectorLib.retrospect.fold_plan import FULL, FoldPlan, Training
from MDALSelectorLib.retrospect.outcomes import FoldResult, Outcome
from MDALSelectorLib.retrospect.remarks import about_benefit
from MDALSelectorLib.retrospect.retrospective import luck_of_the_best, verdict
from MDALSelectorLib.retrospect.selection_noise import mean_overlap

N_CASES, N_CHOSEN, N_DRAWS = 40, 8, 15


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "N_RESAMPLES", 300)


def simulated(seed: int, *, gain: float = 0.0, spread: float = 0.1) -> Evaluation:
    """Every case helps or harms what is trained on it; `MaxMD` ranks without knowing how.

    Args:
        seed: Of everything.
        gain: How much better the cases are that `MinMD` ranks first.
        spread: Standard deviation of what a case contributes.
    """
    generator = np.random.default_rng(seed)
    case_ids = [f"c{index:02d}" for index in range(N_CASES)]
    ranks = {"MaxMD": generator.permutation(N_CASES), "MinMD": np.arange(N_CASES)}
    worth = spread * generator.normal(size=N_CASES)
    worth[: N_CASES // 2] += gain
    ease = generator.normal(0.6, 0.15, size=N_CASES)
    plan = plan_cross_fit(case_ids, config=CrossFitConfig(5, 2), seed=seed)
    results = []
    for partition in range(2):
        for fold, split in enumerate(plan.splits(partition)):
            pool = split.fit.tolist()
            trainings = [Training(FULL, -1, 0, tuple(pool))]
            for draw in range(N_DRAWS):
                drawn = generator.permutation(pool)[:N_CHOSEN]
                trainings.append(Training("Random", 0, draw, tuple(drawn.tolist())))
            for name, order in ranks.items():
                first = [int(case) for case in order if case in pool][:N_CHOSEN]
                trainings.append(Training(name, 0, 0, tuple(first)))
            worths = np.array([worth[list(t.cases)].mean() for t in trainings])
            dice = ease[split.held_out] + worths[:, None]
            dice += 0.02 * generator.normal(size=dice.shape)
            test = tuple(split.held_out.tolist())
            fold_plan = FoldPlan(
                partition, fold, tuple(pool), test, tuple(trainings), "gaussian", True
            )
            results.append(FoldResult(fold_plan, dice))
    return Evaluation(results, case_ids, seed=0)


def outcome(found: Evaluation, strategy: str) -> Outcome:
    result = found.outcome(strategy, 0)
    assert result is not None
    return result


def test_intervals_of_a_strategy_that_knows_nothing_cover_zero_about_as_often_as_they_say() -> None:
    covered = []
    for seed in range(60):
        result = outcome(simulated(seed), "MaxMD")
        covered.append(result.low <= 0.0 <= result.high)
    assert 0.85 <= np.mean(covered) <= 1.0


def test_test_cases_alone_would_give_intervals_that_are_far_too_narrow() -> None:
    results = [outcome(simulated(seed), "MaxMD") for seed in range(20)]
    found = np.std([result.difference for result in results])
    assert found > 3 * np.mean([result.spread_of_cases for result in results])
    both = [np.hypot(result.spread_of_cases, result.spread_of_choices) for result in results]
    assert 0.6 < found / np.mean(both) < 1.6


def test_the_strategy_that_picks_what_helps_comes_out_best_with_an_interval_above_zero() -> None:
    found = simulated(0, gain=0.4, spread=0.02)
    best, other = outcome(found, "MinMD"), outcome(found, "MaxMD")
    assert best.low > 0.05
    assert best.difference == pytest.approx(0.2, abs=0.05)
    assert best.difference > other.difference
    assert best.better_than == 1.0
    usual = replace(other, strategy="DiverseMD")
    sentence = verdict("toy", "20%", [best, usual])
    assert sentence.startswith("On toy at 20%, DiverseMD is ")
    assert f"; best: MinMD, {best.difference:.3f} above" in sentence
    level = replace(usual, difference=-0.0004)
    assert "DiverseMD is level with the median random draw" in verdict("toy", "20%", [level])


def test_a_benefit_needs_an_interval_above_zero_and_more_than_luck() -> None:
    clear = Outcome("MinMD", 0, 0.6, 0.05, 0.01, 0.09, 0.0, 0.01, 0.01, 0.9, 0.5, 20)
    other = replace(clear, strategy="MaxMD", low=-0.01)
    assert about_benefit([clear, other], 0.03).endswith("more than chance explains: MinMD.")
    for compared, luck in (([clear], 0.06), ([other], 0.0), ([], 0.0)):
        assert about_benefit(compared, luck).startswith("No benefit over random draws was shown")


def test_seeds_of_a_strategy_count_as_their_mean_and_not_as_so_many_trials() -> None:
    results = simulated(2)._results
    noise = np.random.default_rng(0)
    seeded, single = [], []
    for result in results:
        row = result.rows("MaxMD", 0)[0]
        plan, chosen = result.plan, result.plan.trainings[row]
        spread = 0.1 * noise.normal(size=(3, len(plan.test)))
        more = tuple(replace(chosen, draw=draw) for draw in (1, 2))
        dice = np.vstack([result.dice, result.dice[row] + spread[1:]])
        dice[row] += spread[0]
        seeded.append(FoldResult(replace(plan, trainings=plan.trainings + more), dice))
        mean = result.dice.copy()
        mean[row] += spread.mean(axis=0)
        single.append(FoldResult(plan, mean))
    case_ids = [f"c{index:02d}" for index in range(N_CASES)]
    found, expected = (outcome(Evaluation(r, case_ids, seed=0), "MaxMD") for r in (seeded, single))
    for name in ("dice", "difference", "low", "high", "spread_of_cases", "spread_of_choices"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-9), name
    assert found.n_folds == len(results)


def test_the_median_draw_lies_inside_its_band_and_below_all_labels_of_good_cases() -> None:
    band = simulated(1).random_band(0)
    assert band.low < band.median < band.high
    assert band.spread > 0
    assert band.n_cases == N_CHOSEN


def test_the_same_choice_in_every_fold_counts_once_and_chance_overlap_counts_nothing() -> None:
    pool = list(range(20))
    assert mean_overlap([[1, 2, 3]] * 5, [pool] * 5, n_cases=20) == pytest.approx(1.0)
    generator = np.random.default_rng(0)
    drawn = [generator.permutation(20)[:5].tolist() for _ in range(200)]
    assert mean_overlap(drawn, [pool] * 200, n_cases=20) == pytest.approx(1 / 200, abs=0.01)
    assert mean_overlap([pool] * 3, [pool] * 3, n_cases=20) == 0.0


def test_the_area_weighs_budgets_by_the_width_that_they_stand_for() -> None:
    np.testing.assert_allclose(trapezoid_weights([4, 8, 16]), [2 / 12, 6 / 12, 4 / 12])
    np.testing.assert_allclose(trapezoid_weights([4]), [1.0])


def test_the_best_of_several_is_said_to_be_lucky() -> None:
    results = [outcome(simulated(0), name) for name in ("MaxMD", "MinMD")]
    assert luck_of_the_best(results) > 0.0
    assert luck_of_the_best(results[:1]) == 0.0


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    result = outcome(simulated(3), "MaxMD")
    assert result.low <= 0 <= result.high
    assert "so chance may explain it" in verdict("toy", "20%", [result])
