"""Results against reference labels: scores per case and region, and over all cases.

DSCagg is the aggregated Dice of HECKTOR 2022: twice the common volume of all cases over the volume
of all predictions and references; a case without tumor weighs by what was wrongly found in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from CIMLSegmentLib.results.case_roles import CaseRole, by_role
from CIMLSegmentLib.results.scores import RegionScore, case_scores, missing_scores
from CIMLSegmentLib.results.segmentation_result import StoredResult, read_results
from CIMLSegmentLib.task.label_scheme import LabelMaps, find_label_maps, grouped
from CIMLSegmentLib.task.label_values import OPTION, parse_label_values
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.progress import Reporter


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
        seen: Scored cases that had a part in the training of the model.
        roles: What part each case had in the model, or that it is of the evaluation set.
    """

    task: Task
    scores: tuple[RegionScore, ...]
    missing: tuple[str, ...]
    without_reference: tuple[str, ...]
    counts_missing: bool
    warnings: tuple[str, ...]
    seen: tuple[str, ...] = ()
    roles: Mapping[str, CaseRole] = field(default_factory=dict)

    def summary(self) -> tuple[RegionSummary, ...]:
        """Return one entry per region, in the task's order."""
        return tuple(self._summary(name) for name in self.task.region_names)

    def by_role(self) -> dict[CaseRole, Evaluation]:
        """Return the evaluation of the cases of each role that occurs; the same task and rules."""
        names = dict.fromkeys(score.case_id for score in self.scores)
        return {
            role: replace(self, scores=tuple(s for s in self.scores if s.case_id in own))
            for role, own in by_role(self.roles, names).items()
        }

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
    label_values: str = "",
    set_aside: Collection[str] = (),
    reporter: Reporter,
) -> Evaluation:
    """Compare all results of a folder with reference labels.

    Args:
        folder: Folder of result folders, or one result folder.
        references: Label map per case.
        count_missing: Whether a case without a result counts as an empty prediction; else it is
            only listed.
        label_values: What the user says about the values of the references; empty for what was
            said when the model was trained.
        set_aside: Cases of the cohort's evaluation set.
        reporter: Notified of every case and of everything odd.

    Raises:
        CohortError: If there is nothing to compare, two results are of one case, a reference
            cannot be read, or a value of the references cannot be explained.
        ModelError: If a result cannot be read.
    """
    results = {result.case_id: result for result in read_results(folder)}
    scored = sorted(results.keys() & references.keys())
    if not scored:
        raise CohortError(_nothing_to_compare(folder, list(results), list(references)))
    task = results[scored[0]].task
    missing = tuple(sorted(references.keys() - results.keys()))
    for case_id in scored:
        _check_same_task(results[case_id], task)
    wanted = [*scored, *(missing if count_missing else ())]
    used = {case_id: references[case_id] for case_id in wanted}
    read = PlannedStage("Read label values", len(used), 0.5)
    compare = PlannedStage("Evaluate cases", len(scored), 3.0)
    reporter.plan(JobPlan("evaluate", (read, compare)))
    maps = reference_maps(used, results[scored[0]], label_values, reporter)
    scores: list[RegionScore] = []
    warnings = _empty_region_warnings(maps)
    reporter.stage(compare.name, len(scored))
    for case_id in scored:
        scores += case_scores(results[case_id], maps.read(case_id), warnings)
        reporter.advance()
    for case_id in missing if count_missing else ():
        scores += missing_scores(case_id, maps.read(case_id), task)
    for text in warnings:
        reporter.warning(text)
    return Evaluation(
        task=task,
        scores=tuple(sorted(scores, key=lambda score: score.case_id)),
        missing=missing,
        without_reference=tuple(sorted(results.keys() - references.keys())),
        counts_missing=count_missing,
        warnings=(*maps.scheme.warnings, *warnings),
        seen=tuple(case_id for case_id in scored if results[case_id].is_seen),
        roles={case_id: _role(case_id, results, set_aside) for case_id in wanted},
    )


def _role(
    case_id: str, results: Mapping[str, StoredResult], set_aside: Collection[str]
) -> CaseRole:
    """Return the role of a case; one that was seen is no test, whatever the record says now."""
    role = results[case_id].role if case_id in results else CaseRole.UNSEEN
    is_test = role is CaseRole.UNSEEN and case_id in set_aside
    return CaseRole.EVALUATION if is_test else role


def reference_maps(
    references: Mapping[str, ImageFile], result: StoredResult, said: str, reporter: Reporter
) -> LabelMaps:
    """Read reference labels with the values of the task of a result, and say how.

    Args:
        references: Label map per case.
        result: A result; it knows the task, and what was said when its model was trained.
        said: What the user says about the values; empty for what was said then.
        reporter: Notified of the mapping.

    Raises:
        CohortError: If a reference cannot be read or a value cannot be explained.
    """
    known = result.model.get("label_values", "")
    if not said and isinstance(known, str) and known:
        reporter.info(f'The model was trained with {OPTION} "{known}"; the same is used here.')
        said = known
    maps = find_label_maps(
        references, result.task, said=parse_label_values(said, result.task), reporter=reporter
    )
    if maps.survey.faults:
        raise CohortError(" ".join(grouped(maps.survey.faults)))
    maps.tell(reporter)
    return maps


def _empty_region_warnings(maps: LabelMaps) -> list[str]:
    """Say which regions no reference has: their Dice only shows false findings."""
    found = "; ".join(maps.scheme.lines) or "nothing"
    return [
        f"No reference has a voxel of region {region.name} ({region.title}), so its scores only"
        f" show whether nothing was found; the label maps hold {found}. If a value means it, say so"
        f' with {OPTION} "VALUE={region.name}".'
        for region in maps.scheme.empty_regions
    ]


def _check_same_task(result: StoredResult, task: Task) -> None:
    if result.task != task:
        msg = (
            f"Expected results of one task, found {task.name!r} and, for case {result.case_id},"
            f" {result.task.name!r} or another version of it. Evaluate them in folders of their"
            " own."
        )
        raise CrossModalError(msg)


def _nothing_to_compare(folder: Path, results: list[str], references: list[str]) -> str:
    if not results:
        return (
            f"Expected results of `ciml-segmenter segment` in {folder}, found none. Check the path."
        )
    return (
        f"No result of {len(results)} in {folder} (such as {min(results)}) belongs to one of the"
        f" reference labels, of which there are {len(references)}"
        + (f" (such as {min(references)})" if references else "")
        + ". Check that both are of the same cohort; names of cases have to agree."
    )
