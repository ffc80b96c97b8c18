"""Plans of outer folds in the log of a run, so that a second start need not choose again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from MDALSelectorLib.retrospect.fold_plan import FoldPlan, Training


def plan_content(plan: FoldPlan, case_ids: Sequence[str]) -> dict[str, object]:
    """Return a plan as JSON, with names in place of indices."""
    return {
        "pool": [case_ids[index] for index in plan.pool],
        "test": [case_ids[index] for index in plan.test],
        "estimator": plan.estimator,
        "has_signal": plan.has_signal,
        "trainings": [
            [t.strategy, t.budget, t.draw, [case_ids[index] for index in t.cases]]
            for t in plan.trainings
        ],
    }


def plan_from_content(
    content: Mapping[str, Any], place: tuple[int, int], case_ids: Sequence[str]
) -> FoldPlan:
    """Return the plan that `plan_content` wrote."""
    index = {case_id: number for number, case_id in enumerate(case_ids)}
    trainings = tuple(
        Training(str(strategy), int(budget), int(draw), tuple(index[name] for name in cases))
        for strategy, budget, draw, cases in content["trainings"]
    )
    return FoldPlan(
        *place,
        pool=tuple(index[name] for name in content["pool"]),
        test=tuple(index[name] for name in content["test"]),
        trainings=trainings,
        estimator=str(content["estimator"]),
        has_signal=bool(content["has_signal"]),
    )
