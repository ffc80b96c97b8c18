"""Segment many cases one after the other; a case that fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.segment_case import SegmentationModel, segment_case
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
        failed: Reason per case that could not be segmented.
    """

    done: Mapping[str, Path]
    failed: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Which cases are segmented and which are not, known before the work.

    Attributes:
        todo: Cases to segment.
        kept: Cases whose older result is kept.
        refused: Reason per case in whose place something lies that is no result.
    """

    todo: tuple[Case, ...]
    kept: tuple[str, ...]
    refused: Mapping[str, str]


def plan_cases(cases: Sequence[Case], job: SegmentationJob, reporter: Reporter) -> Plan:
    """Leave out cases whose result would replace something that it may not, and say so.

    Raises:
        UsageError: If there is such a case and `continue_on_error` is off.
    """
    todo, kept, refused = [], [], {}
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
    return Plan(tuple(todo), tuple(kept), refused)


def segment_cases(
    cases: Sequence[Case], model: SegmentationModel, job: SegmentationJob, *, reporter: Reporter
) -> Outcome:
    """Segment cases and write their results as they are finished.

    Raises:
        CrossModalError: If a case fails and `continue_on_error` is off.
        NoSpaceError: If the disk is full.
        CancelledError: If the user asked to stop; finished results are kept.
    """
    done: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for number, case in enumerate(cases, start=1):
        reporter.info(f"Case {case.case_id} ({number} of {len(cases)})")
        try:
            done[case.case_id] = _segment(case, model, job, reporter)
        except (CancelledError, NoSpaceError):
            raise
        except CrossModalError as error:
            if not job.continue_on_error:
                raise
            failed[case.case_id] = str(error)
            reporter.error(f"Case {case.case_id} was not segmented. {error}")
    return Outcome(done, failed)


def _segment(
    case: Case, model: SegmentationModel, job: SegmentationJob, reporter: Reporter
) -> Path:
    result = segment_case(case, model, job.config, reporter=reporter)
    reporter.stage("write", 1)
    folder = write_result(result, job.output, overwrite=job.overwrite)
    reporter.advance()
    reporter.result({"case": case.case_id, "folder": str(folder)})
    return folder
