"""Do a network and the linear learner judge strategies alike? From two runs on the same folds.

python Testing/Evidence/learner_agreement.py NETWORK_RUN LINEAR_RUN

Both folders hold a `trainings.jsonl` of `mdal-selector retrospect` with the same cohort, seed,
folds and one budget. Only outer folds that the network has finished count, so that a run that was
stopped can be read, too. Every case is taken to be a patient of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.retrospect.config import RANDOM
from MDALSelectorLib.retrospect.evaluation import Evaluation
from MDALSelectorLib.retrospect.fold_plan import FULL, FoldPlan
from MDALSelectorLib.retrospect.fold_record import plan_from_content
from MDALSelectorLib.retrospect.network_run import open_trainings, result_of, with_seeds
from MDALSelectorLib.retrospect.outcomes import FoldResult, Outcome
from MDALSelectorLib.retrospect.retrospective import luck_of_the_best, signed
from MDALSelectorLib.retrospect.training_log import LOG_NAME, TrainingLog

N_FOLDS = 5


def opened(run: Path, folder: Path) -> TrainingLog:
    """Read a copy of a log, which may still be written to."""
    folder.mkdir()
    shutil.copyfile(run / LOG_NAME, folder / LOG_NAME)
    head = json.loads((folder / LOG_NAME).read_text(encoding="utf-8").split("\n", 1)[0])
    return TrainingLog(folder, head["key"])


def plans_of(log: TrainingLog) -> tuple[tuple[str, ...], list[FoldPlan]]:
    contents = [log.get(f"plan/0/{fold}") for fold in range(N_FOLDS)]
    case_ids = tuple(sorted([*contents[0]["pool"], *contents[0]["test"]]))
    plans = [plan_from_content(c, (0, fold), case_ids) for fold, c in enumerate(contents)]
    return case_ids, plans


def network_folds(log: TrainingLog, *, n_seeds: int) -> tuple[tuple[str, ...], list[FoldResult]]:
    case_ids, plans = plans_of(log)
    seeded = [with_seeds(plan, n_seeds=n_seeds) for plan in plans]
    finished = [plan for plan in seeded if not open_trainings(plan, case_ids, log)]
    return case_ids, [result_of(plan, case_ids, log) for plan in finished]


def linear_folds(log: TrainingLog, folds: set[int]) -> list[FoldResult]:
    case_ids, plans = plans_of(log)
    results = []
    for plan in (plan for plan in plans if plan.fold in folds):
        sets = sorted({training.cases for training in plan.trainings})
        columns = [log.get(f"test/0/{plan.fold}/{case_ids[index]}") for index in plan.test]
        of_set = dict(zip(sets, np.asarray(columns, dtype=float).T, strict=True))
        results.append(FoldResult(plan, np.stack([of_set[t.cases] for t in plan.trainings])))
    return results


def judged(
    results: Sequence[FoldResult], case_ids: Sequence[str], names: Sequence[str]
) -> dict[str, Outcome]:
    evaluation = Evaluation(results, case_ids, seed=0)
    found = [evaluation.outcome(name, 0) for name in names]
    return {outcome.strategy: outcome for outcome in found if outcome is not None}


def mean_dice_of_sets(result: FoldResult) -> dict[tuple[int, ...], float]:
    """Return the mean Dice of every set at the budget, over its seeds and the test cases."""
    rows: dict[tuple[int, ...], list[float]] = {}
    for training, dice in zip(result.plan.trainings, result.dice, strict=True):
        if training.strategy != FULL:
            rows.setdefault(training.cases, []).append(float(dice.mean()))
    return {cases: float(np.mean(values)) for cases, values in rows.items()}


def agreement_on_sets(first: FoldResult, second: FoldResult) -> tuple[float, int]:
    """Return the rank correlation of two learners over the sets of a fold, and their number."""
    one, other = mean_dice_of_sets(first), mean_dice_of_sets(second)
    sets = sorted(set(one) & set(other))
    return float(spearmanr([one[s] for s in sets], [other[s] for s in sets]).statistic), len(sets)


def cell(outcome: Outcome) -> str:
    interval = f"{signed(outcome.low)} to {signed(outcome.high)}"
    return f"{outcome.dice:.3f} | {signed(outcome.difference)} ({interval})"


def show(
    network: Sequence[FoldResult], linear: Sequence[FoldResult], case_ids: Sequence[str]
) -> None:
    names = list(dict.fromkeys(t.strategy for t in network[0].plan.trainings[1:]))
    names = [name for name in names if name != FULL]
    of = [judged(results, case_ids, names) for results in (network, linear)]
    print(f"{len(network)} of {N_FOLDS} outer folds are finished.\n")
    print("| | network: Dice | difference | linear: Dice | difference |\n|---|---|---|---|---|")
    for name in sorted(names, key=lambda n: -of[0][n].difference):
        print(f"| {name} | {cell(of[0][name])} | {cell(of[1][name])} |")
    for learner, results in (("network", network), ("linear", linear)):
        band = Evaluation(results, case_ids, seed=0).random_band(0)
        luck = luck_of_the_best(list(of[learner == "linear"].values()))
        print(
            f"\n{learner}: median random draw {band.median:.3f}, sd of one draw {band.spread:.3f},"
            f" all labels {band.full:.3f}, best of as many by luck {luck:.3f}"
        )
    compared = [name for name in names if name != RANDOM]
    ranks = spearmanr(*([found[name].difference for name in compared] for found in of))
    print(
        f"\nSpearman over {len(compared)} strategies: {ranks.statistic:.2f} (p {ranks.pvalue:.2f})"
    )
    for one, other in zip(network, linear, strict=True):
        rho, n_sets = agreement_on_sets(one, other)
        print(f"Fold {one.plan.fold}: Spearman over {n_sets} sets {rho:.2f}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("linear", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        log = opened(options.network, Path(folder) / "network")
        case_ids, network = network_folds(log, n_seeds=options.seeds)
        if not network:
            print("No outer fold is finished.")
            return 1
        folds = {result.plan.fold for result in network}
        linear = linear_folds(opened(options.linear, Path(folder) / "linear"), folds)
    show(network, linear, case_ids)
    return 0


if __name__ == "__main__":
    sys.exit(main())
