"""What the scores of positions become: medians over cases, for cases that every critic scored."""

from __future__ import annotations

import numpy as np
import pytest

from MDALSelectorLib.estimation.config import CrossFitConfig
from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, plan_cross_fit
from MDALSelectorLib.estimation.limits import ANYONE
from MDALSelectorLib.estimation.position_critics import CaseScores
from MDALSelectorLib.estimation.position_sheet import PositionSheet
from MultimodalImagingLib.images.arrays import Float64Array

N = 8
ALL = np.arange(N)


@pytest.fixture
def plan() -> CrossFitPlan:
    names = [f"c{i}" for i in range(N)]
    return plan_cross_fit(names, config=CrossFitConfig(n_folds=2, n_repeats=2), seed=0)


def scores(pmi: Float64Array) -> CaseScores:
    return CaseScores(pmi, pmi - 1.0)


def test_an_odd_case_breaks_neither_bound_nor_floor(plan: CrossFitPlan) -> None:
    sheet = PositionSheet(("a", "b"), plan, n_repeats=2, n_halves=0)
    odd = np.array([0.5] * (N - 1) + [90.0])
    for repeat in (0, 1):
        sheet.note(ALL, repeat, scores(ALL + 10.0 * repeat), odd + repeat)
    nowhere = np.full(N, np.nan)
    for half in np.split(ALL, 2):
        drawn = [-odd[half], 0.1 - odd[half], nowhere[half]]
        sheet.note_null(ANYONE, half, drawn)
    found = sheet.estimate("local")
    assert found.repeat_bounds.tolist() == [0.5, 1.5]
    assert found.bound_nats == pytest.approx(1.0)
    np.testing.assert_allclose(found.null_bounds[ANYONE], [-0.5, -0.4])
    np.testing.assert_allclose(found.pmi, ALL + 5.0)
    assert found.low_pmi is not None
    np.testing.assert_allclose(found.low_pmi, ALL + 4.0)


def test_cases_that_a_repeat_or_a_half_could_not_score_have_no_estimate(
    plan: CrossFitPlan,
) -> None:
    sheet = PositionSheet(("a", "b"), plan, n_repeats=2, n_halves=1)
    lacking = np.where(ALL == 2, np.nan, ALL.astype(float))
    sheet.note(ALL, 0, scores(ALL.astype(float)), np.ones(N))
    sheet.note(ALL, 1, scores(lacking), np.ones(N))
    sheet.note_half(ALL, 0, 0, scores(ALL + 20.0))
    sheet.note_half(ALL, 0, 1, scores(np.where(ALL == 5, np.nan, ALL + 30.0)))
    found = sheet.estimate("local")
    assert found.case_index.tolist() == [0, 1, 3, 4, 6, 7]
    kept = found.case_index
    np.testing.assert_array_equal(found.half_pmi, [[kept + 20.0, kept + 30.0]])
