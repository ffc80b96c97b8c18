"""Validation by case: the whole image in windows, the merged label map, Dice and HD95."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.devices import Processes
from CIMLSegmentLib.inference.sliding_window import WindowPlan, predict_windows
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.regions import merge_regions, region_logits, region_masks
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.training_case import TrainingCase
from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.images.overlap import dice, hausdorff95
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter

# Half the overlap of a final segmentation: validation only has to rank states.
_OVERLAP = 0.25


@dataclass(frozen=True)
class CaseScore:
    """How well one case was segmented.

    Attributes:
        dice: Per region, by the BraTS rules for empty ones.
        hd95_mm: Per region, mm, by the same rules.
    """

    dice: Mapping[str, float]
    hd95_mm: Mapping[str, float]


def validate_cases(
    network: CIMLNet | Baseline,
    cases: Sequence[TrainingCase],
    plan: WindowPlan,
    processes: Processes,
    reporter: Reporter | None = None,
) -> dict[str, float]:
    """Return means over cases, each process doing a part of them.

    Args:
        network: The network.
        cases: All cases.
        plan: Windows and device.
        processes: Which part is that of this process.
        reporter: Notified of every case of this process.

    Returns:
        `dice <region>` and `hd95_mm <region>` over the cases that have the region's primary, and
        `dice`, the mean over regions.
    """
    regions = network.task.region_names
    sums = torch.zeros(len(regions), 3, dtype=torch.float64)
    for index in processes.share(len(cases)):
        score = validate_case(network, cases[index], plan)
        for row, region in enumerate(regions):
            if region in score.dice:
                values = (score.dice[region], score.hd95_mm[region], 1.0)
                sums[row] += torch.tensor(values, dtype=torch.float64)
        (reporter or NullReporter()).advance()
    return _named_metrics(regions, processes.sum(sums))


def validate_case(
    network: CIMLNet | Baseline,
    case: TrainingCase,
    plan: WindowPlan,
    *,
    withheld: Sequence[str] = (),
) -> CaseScore:
    """Segment a prepared case and compare it with its masks.

    Args:
        network: The network.
        case: The case; regions whose primary it lacks are not scored.
        plan: Windows and device.
        withheld: Auxiliaries to treat as missing.
    """
    task = network.task
    images, masks = case.read(tuple(task.modalities), tuple(slice(0, n) for n in case.shape))
    probabilities = _probabilities(network, case, images, plan, withheld)
    found = region_masks(merge_regions(probabilities, task), task)
    scored = _scored_regions(task, case)
    truth = {name: masks[number].astype(bool) for number, name in enumerate(task.region_names)}
    return CaseScore(
        {name: dice(found[name], truth[name]) for name in scored},
        {
            name: hausdorff95(found[name], truth[name], spacing_mm=case.spacing_mm)
            for name in scored
        },
    )


def validation_plan(patch_size: Sequence[int], device: torch.device) -> WindowPlan:
    """Return the windows of a validation."""
    return WindowPlan(tuple(patch_size), InferenceConfig(overlap=_OVERLAP), device)


def _probabilities(
    network: CIMLNet | Baseline,
    case: TrainingCase,
    images: Float32Array,
    plan: WindowPlan,
    withheld: Sequence[str],
) -> dict[str, Float32Array]:
    box = case.box.fitted(window=plan.window, stride=network.config.total_stride)
    padded = np.stack([box.cut(image) for image in images])
    present = [m in case.modalities and m not in withheld for m in network.task.modalities]
    was_training = network.training
    network.eval()
    output = predict_windows(
        network,  # type: ignore[arg-type]
        torch.from_numpy(padded),
        present,
        plan,
        NullReporter(),
    )
    network.train(was_training)
    with_primary = {s.name: output.logits[s.name] for s in _possible_subtasks(network.task, case)}
    found = {name: np.zeros(case.shape, np.float32) for name in network.task.region_names}
    for name, values in region_logits(with_primary, network.task).items():
        found[name] = values[box.inner].float().sigmoid().numpy()
    return found


def _scored_regions(task: Task, case: TrainingCase) -> list[str]:
    seen = {region for subtask in _possible_subtasks(task, case) for region in subtask.regions}
    return [name for name in task.region_names if name in seen]


def _possible_subtasks(task: Task, case: TrainingCase) -> list[Subtask]:
    return [subtask for subtask in task.subtasks if subtask.primary in case.modalities]


def _named_metrics(regions: tuple[str, ...], sums: Tensor) -> dict[str, float]:
    scored = [(name, row) for name, row in zip(regions, sums.tolist(), strict=True) if row[2]]
    metrics = {"dice": 0.0}
    for name, (total_dice, total_mm, n_cases) in scored:
        metrics[f"dice {name}"] = total_dice / n_cases
        metrics[f"hd95_mm {name}"] = total_mm / n_cases
        metrics["dice"] += total_dice / n_cases / len(scored)
    return metrics
