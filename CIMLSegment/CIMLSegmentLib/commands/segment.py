"""The command `segment`: its options, and what they mean. Imports no torch."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import add_case_argument
from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.case_input import (
    case_of_images,
    cases_of_path,
    chosen_cases,
    modality_rows,
)
from CIMLSegmentLib.inference.case_progress import segmentation_plan
from CIMLSegmentLib.model.shipped_models import MODEL_HELP, model_folder
from CIMLSegmentLib.settings import add_options, settings_from_options
from MultimodalImagingLib.cohorts.cases import Case, files_of_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders, tidy_up
from MultimodalImagingLib.record.ownership import check_apart, check_beside, check_outside


def add_segment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `segment` command to its parser."""
    parser.add_argument(
        "input", type=Path, nargs="?", help="folder of a cohort, CSV manifest, or folder of a case"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="MODALITY=FILE",
        help="an image of one case, in place of a folder; once per modality",
    )
    parser.add_argument("--case-id", metavar="NAME", help="name of the case given by --image")
    add_case_argument(parser, "segment only this case of the cohort")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="leave out the patients with whose cases the model, or one that it started from, was"
        " trained or validated",
    )
    parser.add_argument("--model", type=model_folder, required=True, help=MODEL_HELP)
    parser.add_argument("--output", type=Path, required=True, help="receives one folder per case")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    add_modality_argument(parser)
    add_options(parser, InferenceConfig)


def run_segment(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `segment` command; processes that `torchrun` started share the cases.

    Returns:
        Exit code 0, or 1 if some cases failed.

    Raises:
        CrossModalError: If nothing could be segmented.
    """
    config = settings_from_options(InferenceConfig, options)
    reporter.stage("Find cases", 1)
    cases = _cases(options, reporter)
    reporter.advance()
    if options.unseen:
        cases = _unseen(cases, options.model, reporter)
    check_outside(options.output, options.model, holds="a model")
    check_can_hold_folders(options.output)
    tidy_up(options.output)
    reporter.plan(segmentation_plan(cases, config))  # loading torch takes seconds
    from CIMLSegmentLib.inference.devices import joined_processes, keep_freed_memory
    from CIMLSegmentLib.inference.segmentation_job import SegmentationJob, segment_cases
    from CIMLSegmentLib.model.model import load_model

    keep_freed_memory()
    with joined_processes(config.device) as processes:
        own = [cases[index] for index in processes.share(len(cases))]
        config = replace(config, device=str(processes.device))
        job = SegmentationJob(config, options.output, options.overwrite, len(cases) > 1)
        outcome = segment_cases(own, lambda: load_model(options.model), job, reporter=reporter)
        processes.wait()
    reporter.result(
        {
            "output": str(options.output),
            "done": list(outcome.done),
            "kept": list(outcome.kept),
            "failed": dict(outcome.failed),
        }
    )
    return 1 if outcome.failed else 0


def _unseen(cases: tuple[Case, ...], model: Path, reporter: Reporter) -> tuple[Case, ...]:
    from CIMLSegmentLib.model.model_files import read_model_files

    seen = read_model_files(model)[1].facts.seen_cases
    patients = {case.patient_id for case in cases if case.case_id in seen}
    unseen = tuple(case for case in cases if case.patient_id not in patients)
    others = sorted({case.case_id for case in cases if case.patient_id in patients} - seen)
    if others:
        reporter.info(
            f"{counted(len(others), 'case', 'is', 'are')} of patients of whom the model has seen"
            f" another case, and left out, too: {listed(others)}."
        )
    reporter.info(f"{len(unseen)} of {counted(len(cases), 'case', 'is', 'are')} new to the model.")
    return unseen


def _cases(options: argparse.Namespace, reporter: Reporter) -> tuple[Case, ...]:
    if bool(options.image) == (options.input is not None):
        msg = (
            "Expected either a folder or --image MODALITY=FILE for every modality, got"
            f" {'both' if options.image else 'neither'}."
        )
        raise UsageError(msg)
    if options.image:
        case = case_of_images(options.image, options.case_id)
        check_beside(options.output, files_of_cases([case]))
        return (case,)
    cases, problems = cases_of_path(options.input, modality_rows(options), reporter)
    check_apart(options.output, files_of_cases(cases, problems))
    chosen = chosen_cases(cases, options.case)
    names = {case.case_id for case in chosen}
    for problem in problems:
        if problem.severity == "error" and (problem.case_id is None or problem.case_id in names):
            reporter.warning(str(problem))
    return chosen
