"""Which labels of a cohort a training may see, and which test it. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import add_label_values_argument
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.evaluation_set import (
    EvaluationSet,
    check_not_held_out,
    check_some_to_train_on,
    drafts_text,
    labels_from_drafts,
    read_evaluation_set,
    split_held_out,
)
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.cohorts.place_problems import label_problems, read_positions
from MultimodalImagingLib.cohorts.saved_labels import record_remarks
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.selection_file import cases_labelled_before, suggested_cases


def add_labels_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the labels of a cohort are and what their values mean."""
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FOLDER",
        help="label maps that are named like the cases, also with an ending such as _seg or _0000,"
        " or in a folder per case; default: the label files of the cohort and of its record",
    )
    add_label_values_argument(parser)
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")


def labels_to_train_on(
    options: argparse.Namespace, cohort: Cohort, record: CohortRecord, reporter: Reporter
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Find the labeled cases of a cohort, wherever their labels come from.

    Args:
        options: Of the command `train`.
        cohort: The cohort.
        record: Its record.
        reporter: Told what is used for what.

    Returns:
        The cases to train and validate with, and the labeled cases of the evaluation set.

    Raises:
        UsageError: If there is nothing to train on, or a validation case is set aside for testing.
        CohortError: If record or run cannot be read.
    """
    cases = labelled_cases(cohort, record, options.labels, reporter)
    if options.labels is None:
        for text in record_remarks(cohort.root, record):
            reporter.warning(text)
    reporter.info(
        f"{len(cases)} of {counted(len(cohort.cases), 'case', 'has', 'have')} a label map."
    )
    held = read_evaluation_set(cohort, record)
    check_not_held_out(options.validation_case or (), held, option="--validation-case")
    cases, tested = split_held_out(cases, held)
    held.tell(reporter, what=f"trained on; {len(tested)} of them labeled")
    if options.suggested_by is not None:
        cases = known_to_run(cases, options.suggested_by, reporter, held=held)
    check_some_to_train_on(cases, tested)
    drafted = labels_from_drafts({case.case_id: case.label for case in tested})
    if drafted:
        reporter.warning(drafts_text(drafted))
    return cases, tested


def tell_of_places(cases: Sequence[Case], cohort: Cohort, task: Task, reporter: Reporter) -> None:
    """Say what is odd about the places of label maps that the cohort does not know."""
    for case in cases:
        if case.label not in cohort.positions:
            for problem in label_problems(case, read_positions(case, task.modalities)):
                reporter.warning(str(problem))


def known_to_run(
    cases: Sequence[Case],
    run: Path,
    reporter: Reporter,
    *,
    held: EvaluationSet | None = None,
) -> tuple[Case, ...]:
    """Keep the labeled cases that a selection run suggested, or counted as labeled.

    Args:
        cases: Labeled cases.
        run: The run.
        reporter: Notified of what is missing.
        held: Cases that are set aside for testing; they are not missed.

    Raises:
        UsageError: If none of them has a label map.
        CohortError: If the run cannot be read.
    """
    suggested = suggested_cases(run)
    wanted = {same_name(name) for name in (*suggested, *cases_labelled_before(run))}
    kept = tuple(case for case in cases if case.case_id in wanted)
    not_missed = {case.case_id for case in kept} | (held.held_out if held else frozenset())
    missing = sorted({same_name(name) for name in suggested} - not_missed)
    if not kept:
        msg = (
            f"None of the {counted(len(suggested), 'case')} that {run} suggests has a label map:"
            f" {', '.join(missing)}. Label them, for example in the module MDALSelector of 3D"
            " Slicer, or give the folder of their label maps with --labels."
        )
        raise UsageError(msg)
    reporter.info(f"{len(kept)} of them were suggested or labeled in the run {run.name}.")
    if missing:
        reporter.warning(f"Suggested, but without a label map: {', '.join(missing)}.")
    return kept
