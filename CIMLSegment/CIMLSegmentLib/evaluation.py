"""Results against reference labels: scores per case and region, and over all cases.

DSCagg is the aggregated Dice of HECKTOR 2022: twice the common volume of all cases over the volume
of all predictions and references; a case without tumor weighs by what was wrongly found in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from CIMLSegmentLib.merging import region_masks
from CIMLSegmentLib.metrics import ONE_EMPTY_MM, dice, hausdorff95
from CIMLSegmentLib.stored_result import StoredResult, find_results, read_result
from CIMLSegmentLib.task import Task
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.geometry import is_same_grid, resample
from MultimodalImagingLib.progress import Reporter
from MultimodalImagingLib.volume_io import ImageFile, Volume, read_volume


@dataclass(frozen=True)
class RegionScore:
    """One region of one case.

    Attributes:
        case_id: The case.
        region: The region.
        dice: Dice, 0 to 1; by the BraTS rules for empty regions.
        hd95_mm: 95 % Hausdorff distance, mm; by the BraTS rules for empty regions.
        predicted_ml: Volume of the prediction, ml.
        reference_ml: Volume of the reference, ml.
        common_ml: Volume of their overlap, ml.
        has_result: Whether the case was segmented.
    """

    case_id: str
    region: str
    dice: float
    hd95_mm: float
    predicted_ml: float
    reference_ml: float
    common_ml: float
    has_result: bool = True


@dataclass(frozen=True)
class RegionSummary:
    """One region over all cases that count.

    Attributes:
        region: The region.
        n_cases: Number of cases.
        dice_mean: Mean Dice.
        dice_sd: Standard deviation of Dice over cases (n - 1); 0 for one case.
        dice_median: Median Dice.
        hd95_mean_mm: Mean 95 % Hausdorff distance, mm.
        hd95_median_mm: Median 95 % Hausdorff distance, mm.
        dsc_agg: Aggregated Dice; 1 if no case has the region and none was predicted.
    """

    region: str
    n_cases: int
    dice_mean: float
    dice_sd: float
    dice_median: float
    hd95_mean_mm: float
    hd95_median_mm: float
    dsc_agg: float


@dataclass(frozen=True)
class Evaluation:
    """How good the results of a folder are.

    Attributes:
        task: What was segmented.
        scores: One entry per case and region.
        missing: Cases with a reference but without a result.
        without_reference: Cases with a result but without a reference; they are not scored.
        counts_missing: Whether missing cases count as empty predictions.
        warnings: Full sentences.
    """

    task: Task
    scores: tuple[RegionScore, ...]
    missing: tuple[str, ...]
    without_reference: tuple[str, ...]
    counts_missing: bool
    warnings: tuple[str, ...]

    def summary(self) -> tuple[RegionSummary, ...]:
        """Return one entry per region, in the task's order."""
        return tuple(self._summary(name) for name in self.task.region_names)

    @property
    def mean_dsc_agg(self) -> float:
        """Mean of the aggregated Dice over regions."""
        return float(np.mean([entry.dsc_agg for entry in self.summary()]))

    def _summary(self, region: str) -> RegionSummary:
        scores = [score for score in self.scores if score.region == region]
        dices = np.array([score.dice for score in scores])
        distances = np.array([score.hd95_mm for score in scores])
        sizes = sum(score.predicted_ml + score.reference_ml for score in scores)
        common = sum(score.common_ml for score in scores)
        return RegionSummary(
            region=region,
            n_cases=len(scores),
            dice_mean=float(dices.mean()),
            dice_sd=float(dices.std(ddof=1)) if len(scores) > 1 else 0.0,
            dice_median=float(np.median(dices)),
            hd95_mean_mm=float(distances.mean()),
            hd95_median_mm=float(np.median(distances)),
            dsc_agg=2 * common / sizes if sizes > 0 else 1.0,
        )


def evaluate_results(
    folder: Path,
    references: Mapping[str, ImageFile],
    *,
    count_missing: bool = False,
    reporter: Reporter,
) -> Evaluation:
    """Compare all results of a folder with reference labels.

    Args:
        folder: Folder of result folders, or one result folder.
        references: Label map per case; values are those of the task.
        count_missing: Whether a case without a result counts as an empty prediction; else it is
            only listed.
        reporter: Told of every case and of everything odd.

    Raises:
        CohortError: If there is nothing to compare.
        ModelError: If a result cannot be read.
    """
    results = {result.case_id: result for result in map(read_result, find_results(folder))}
    scored = sorted(results.keys() & references.keys())
    if not scored:
        raise CohortError(_nothing_to_compare(folder, list(results), list(references)))
    task = results[scored[0]].task
    missing = tuple(sorted(references.keys() - results.keys()))
    scores: list[RegionScore] = []
    warnings: list[str] = []
    reporter.stage("evaluate", len(scored))
    for case_id in scored:
        _check_same_task(results[case_id], task)
        scores += _case_scores(results[case_id], references[case_id], warnings)
        reporter.advance()
    for case_id in missing if count_missing else ():
        scores += _missing_scores(case_id, references[case_id], task)
    for text in warnings:
        reporter.warning(text)
    return Evaluation(
        task=task,
        scores=tuple(sorted(scores, key=lambda score: score.case_id)),
        missing=missing,
        without_reference=tuple(sorted(results.keys() - references.keys())),
        counts_missing=count_missing,
        warnings=tuple(warnings),
    )


def _case_scores(
    result: StoredResult, reference: ImageFile, warnings: list[str]
) -> list[RegionScore]:
    predicted = read_volume(ImageFile(result.label_map))
    expected = read_volume(reference)
    if not is_same_grid(predicted.grid, expected.grid, tolerance_mm=1e-2):
        warnings.append(
            f"Case {result.case_id}: the reference lies on another grid"
            f" ({_grid_text(expected)}) than the result ({_grid_text(predicted)}); it was resampled"
            " to the result's by nearest neighbor, so scores are slightly off."
        )
        expected = resample(expected, predicted.grid, interpolation="nearest", fill=0)
    warnings += _unknown_values(result, expected)
    masks = region_masks(predicted.array, result.task)
    truths = region_masks(expected.array, result.task)
    spacing = predicted.grid.spacing_mm
    return [
        _score(result.case_id, name, masks[name], truths[name], spacing_mm=spacing)
        for name in result.task.region_names
    ]


def _score(
    case_id: str,
    region: str,
    predicted: npt.NDArray[np.bool_],
    reference: npt.NDArray[np.bool_],
    *,
    spacing_mm: Sequence[float],
) -> RegionScore:
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    return RegionScore(
        case_id=case_id,
        region=region,
        dice=dice(predicted, reference),
        hd95_mm=hausdorff95(predicted, reference, spacing_mm=spacing_mm[::-1]),
        predicted_ml=int(predicted.sum()) * voxel_ml,
        reference_ml=int(reference.sum()) * voxel_ml,
        common_ml=int((predicted & reference).sum()) * voxel_ml,
    )


def _missing_scores(case_id: str, reference: ImageFile, task: Task) -> list[RegionScore]:
    """Score a case without a result as an empty prediction."""
    volume = read_volume(reference)
    voxel_ml = float(np.prod(volume.grid.spacing_mm)) / 1000
    scores = []
    for name, mask in region_masks(volume.array, task).items():
        n_voxels = int(mask.sum())
        worst = (0.0, ONE_EMPTY_MM) if n_voxels else (1.0, 0.0)
        scores.append(RegionScore(case_id, name, *worst, 0.0, n_voxels * voxel_ml, 0.0, False))
    return scores


def _unknown_values(result: StoredResult, expected: Volume) -> list[str]:
    found = {float(value) for value in np.unique(expected.array)}
    unknown = sorted(found - {0.0} - {float(value) for value in result.task.labels})
    if not unknown:
        return []
    return [
        f"Case {result.case_id}: the reference has label values"
        f" {', '.join(f'{value:g}' for value in unknown)}, which the task {result.task.name!r}"
        " does not know; they count as background."
    ]


def _check_same_task(result: StoredResult, task: Task) -> None:
    if result.task != task:
        msg = (
            f"Expected results of one task, found {task.name!r} and, for case {result.case_id},"
            f" {result.task.name!r} or another version of it. Evaluate them in folders of their"
            " own."
        )
        raise CrossModalError(msg)


def _grid_text(volume: Volume) -> str:
    size = " x ".join(str(n) for n in volume.grid.size)
    return f"{size} voxels of {' x '.join(f'{s:.3g}' for s in volume.grid.spacing_mm)} mm"


def _nothing_to_compare(folder: Path, results: list[str], references: list[str]) -> str:
    if not results:
        return (
            f"Expected results of `ciml-segmenter segment` in {folder}, found none. Check the path."
        )
    return (
        f"None of the {len(results)} results in {folder} (such as {min(results)}) belongs to one of"
        f" the {len(references)} reference labels"
        + (f" (such as {min(references)})" if references else "")
        + ". Check that both are of the same cohort; names of cases have to agree."
    )
