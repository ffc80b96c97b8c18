"""The trainings of a retrospective as splits for nnU-Net, so that it can be the referee.

nnU-Net v2 reads `splits_final.json` in the folder of the preprocessed data set: a list whose entry
number f is what `nnUNetv2_train ... f` trains on (`train`) and tests on (`val`), by identifiers of
cases. One entry per distinct set of cases and outer fold; `trainings.json` says which entry belongs
to which strategy, budget and draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from MDALSelectorLib.retrospect.fold_plan import FoldPlan
from MDALSelectorLib.retrospect.run_files import NNUNET_LISTS_NAME, NNUNET_SPLITS_NAME
from MultimodalImagingLib.record.atomic_files import write_json

Split = dict[str, list[str]]


def nnunet_splits(
    plans: Sequence[FoldPlan], case_ids: Sequence[str], budgets: Sequence[str]
) -> tuple[list[Split], list[dict[str, object]]]:
    """Return the splits, and which of them each training is.

    Args:
        plans: Outer folds with their trainings.
        case_ids: Name of every case.
        budgets: The budgets as they were asked for.
    """
    splits: list[Split] = []
    number_of: dict[tuple[int, int, tuple[int, ...]], int] = {}
    trainings: list[dict[str, object]] = []
    for plan in plans:
        for training in plan.trainings:
            key = (plan.partition, plan.fold, training.cases)
            if key not in number_of:
                number_of[key] = len(splits)
                splits.append(
                    {
                        "train": [case_ids[index] for index in training.cases],
                        "val": [case_ids[index] for index in plan.test],
                    }
                )
            trainings.append(
                {
                    "split": number_of[key],
                    "partition": plan.partition,
                    "fold": plan.fold,
                    "strategy": training.strategy,
                    "budget": "all" if training.budget < 0 else budgets[training.budget],
                    "draw": training.draw,
                }
            )
    return splits, trainings


def write_nnunet_splits(
    run: Path, plans: Sequence[FoldPlan], case_ids: Sequence[str], budgets: Sequence[str]
) -> Path:
    """Write both files into the folder of a run; returns that of the splits.

    Raises:
        CrossModalError: If a file cannot be written.
    """
    splits, trainings = nnunet_splits(plans, case_ids, budgets)
    path = run / NNUNET_SPLITS_NAME
    path.parent.mkdir(exist_ok=True)
    write_json(path, splits)
    write_json(
        run / NNUNET_LISTS_NAME,
        {
            "trainings": trainings,
            "how": "Copy splits_final.json into the folder of the preprocessed data set of nnU-Net"
            " v2, whose cases have these identifiers, and train split f with"
            " `nnUNetv2_train DATASET 3d_fullres f`. The Dice of a split is in the summary.json of"
            " its validation.",
        },
    )
    return path
