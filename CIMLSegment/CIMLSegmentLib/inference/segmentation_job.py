"""Segment many cases one after the other; a case that fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.case_progress import STAGE, CaseProgress, segmentation_plan
from CIMLSegmentLib.inference.segment_case import segment_case
from CIMLSegmentLib.model.model import TrainedModel
from CIMLSegmentLib.results.result_io import (
    check_replaceable,
    result_folder,
    result_ownership,
    write_result,
)
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CancelledError, CrossModalError, NoSpaceError, UsageError
from MultimodalImagingLib.jobs.progress import Reporter


@dataclass(frozen=True)
class SegmentationJob:
    """What to do with every case.

    Attributes:
        config: How to segment.
        output: Receives a folder per case.
        overwrite: Whether older results are replaced; else their cases are passed over.
        continue_on_error: Whether a failed case is reported and the next one begun.
    """

    config: InferenceConfig
    output: Path
    overwrite: bool = False
    continue_on_error: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of the cases.

    Attributes:
        done: Result folder per segmented case.
        kept: Cases whose older result is kept.
        failed: Reason per case that could not be segmented, or in whose place something lies that
            is no result.
    """

    done: Mapping[str, Path]
    kept: tuple[str, ...]
    failed: Mapping[str, str]


def segment_cases(
    cases: Sequence[Case],
    load: Callable[[], TrainedModel],
    job: SegmentationJob,
    *,
    reporter: Reporter,
) -> Outcome:
    """Segment cases and write their results as they are finished.

    Cases whose result would replace something that it may not are left out, and it is said so.

    Args:
        cases: The cases.
        load: Returns the model; only called if there is a case to segment.
        job: What to do.
        reporter: Notified of every case.

    Raises:
        UsageError: If a result may not be written and `continue_on_error` is off.
        CrossModalError: If a case fails and `continue_on_error` is off.
        NoSpaceError: If the disk is full.
        CancelledError: If the user asked to stop; finished results are kept.
    """
    done: dict[str, Path] = {}
    todo, kept, failed = _planned(cases, job, reporter)
    reporter.plan(segmentation_plan(todo, job.config))
    reporter.stage(STAGE, len(cases))
    reporter.kept(len(cases) - len(todo))
    model = load() if todo else None
    for number, case in enumerate(todo, start=1):
        reporter.info(f"Case {case.case_id} ({number} of {len(todo)})")
        try:
            done[case.case_id] = _segment(case, cast(TrainedModel, model), job, reporter)
        except (CancelledError, NoSpaceError):
            raise
        except CrossModalError as error:
            if not job.continue_on_error:
                raise
            failed[case.case_id] = str(error)
            reporter.error(f"Case {case.case_id} was not segmented. {error}")
        reporter.advance()
    return Outcome(done, tuple(kept), failed)


def _planned(
    cases: Sequence[Case], job: SegmentationJob, reporter: Reporter
) -> tuple[list[Case], list[str], dict[str, str]]:
    """Return the cases to segment, those that are kept, and the reason of each refused one."""
    todo: list[Case] = []
    kept: list[str] = []
    refused: dict[str, str] = {}
    for case in cases:
        name = case.case_id
        try:
            check_replaceable(job.output, name, overwrite=job.overwrite)
        except UsageError as error:
            if not job.continue_on_error:
                raise
            is_result = result_ownership(name).is_marked(result_folder(job.output, name))
            if is_result and not job.overwrite:
                kept.append(name)
                reporter.info(str(error))
            else:
                refused[name] = str(error)
                reporter.error(f"Case {name} is not segmented. {error}")
        else:
            todo.append(case)
    return todo, kept, refused


def _segment(case: Case, model: TrainedModel, job: SegmentationJob, reporter: Reporter) -> Path:
    result = segment_case(case, model, job.config, reporter=CaseProgress(reporter))
    folder = write_result(result, job.output, overwrite=job.overwrite)
    reporter.result({"case": case.case_id, "folder": str(folder)})
    return folder
