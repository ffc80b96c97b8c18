"""The command `mdal-selector evaluation`: cases set aside for testing. Needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from MDALSelectorLib.commands.opening import opened_cohort
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.evaluation_set import evaluation_set
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.cohort_record import CohortRecord


def add_evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `evaluation` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--share",
        metavar="SHARE",
        help="how many cases to set aside in all: a share like 15%% or a number; default: 15%%, at"
        " least 5 and at most a third of the cohort. With a set already, a larger share adds cases,"
        " and without this option the set is only listed",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same cases (default 0)")
    parser.add_argument(
        "--run",
        type=Path,
        help="selection run whose embeddings group the cases; default: the latest in the record,"
        " or, without one, voxel size or field of view",
    )
    parser.add_argument(
        "--dissolve",
        action="store_true",
        help="let all cases that were set aside be trained on again",
    )
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    add_modality_argument(parser)


def run_evaluation(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `evaluation` command; returns the exit code 0."""
    from MDALSelectorLib.selection.evaluation_choice import (
        dissolve_evaluation_set,
        set_aside_for_testing,
    )

    cohort, record = opened_cohort(options, reporter)
    if options.dissolve:
        if options.share is not None or options.run is not None:
            msg = "--dissolve takes no --share and no --run. Dissolve the set, then draw another."
            raise UsageError(msg)
        _tell_dissolved(dissolve_evaluation_set(record), reporter)
    elif options.share is not None or not record.read_states().evaluation:
        done = set_aside_for_testing(
            cohort, record, share=options.share, seed=options.seed, run=options.run
        )
        reporter.info(
            f"{counted(len(done.added), 'case', 'is', 'are')} set aside for testing (seed"
            f" {done.seed}): {', '.join(done.added)}."
        )
        for text in done.remarks:
            reporter.info(text)
        reporter.info(
            "Label them like the others, without looking at drafts of a model, best before the"
            " first training. They are never suggested and never trained on; their images, not"
            " their labels, still count when modality differences are estimated."
        )
    reporter.result(_listed(cohort, record, reporter))
    return 0


def _tell_dissolved(cases: tuple[str, ...], reporter: Reporter) -> None:
    reporter.info(
        f"{counted(len(cases), 'case')} may be trained on again. What models reached on"
        " them stays as it was; a Dice of models that train on them from now on says little."
        if cases
        else "No case was set aside for testing."
    )


def _listed(cohort: Cohort, record: CohortRecord, reporter: Reporter) -> dict[str, object]:
    """Say which cases are set aside now; returns the result of the command."""
    groups = record.read_states().evaluation
    held = evaluation_set(cohort.cases, groups)
    labelled = {case.case_id for case in labelled_cases(cohort, record, None)}
    for text in held.remarks:
        reporter.warning(text)
    for name in held.cases:
        state = "labeled" if name in labelled else "not labeled yet"
        reporter.info(f"{name}: {', '.join(part for part in (groups[name], state) if part)}")
    if held.cases:
        done = sum(name in labelled for name in held.cases)
        n = len(held.cases)
        reporter.info(f"Evaluation set: {counted(n, 'case')}, {done} of them labeled.")
    return {
        "cases": list(held.cases),
        "groups": {name: groups[name] for name in held.cases},
        "labelled": [name for name in held.cases if name in labelled],
        "companions": list(held.companions),
        "absent": list(held.absent),
    }
