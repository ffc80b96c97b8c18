"""The command `import`: predictions of another program as drafts. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import add_label_values_argument
from CIMLSegmentLib.commands.train import find_cohort_apart, task_of_options
from CIMLSegmentLib.exchange.predictions import ImportJob, import_predictions
from CIMLSegmentLib.task.label_values import parse_label_values
from CIMLSegmentLib.task.task_io import preset_names
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.cohort_record import open_record


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `import` command to its parser."""
    parser.add_argument(
        "predictions",
        type=Path,
        help="folder of label maps that are named like the cases, such as nnU-Net's predictions",
    )
    parser.add_argument(
        "--cohort", type=Path, required=True, help="folder of the cohort, or a CSV manifest"
    )
    parser.add_argument(
        "--task",
        required=True,
        help=f"what the labels are: a JSON file, or one of {', '.join(preset_names())}",
    )
    parser.add_argument("--primary", metavar="MODALITY", help="for tasks that leave it open")
    parser.add_argument(
        "--name", help="name of the model that predicted; default: the folder of the predictions"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the results; default: in the record, where the panel offers them as drafts",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace older results")
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    add_label_values_argument(parser)
    add_modality_argument(parser)


def run_import(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `import` command; returns the exit code 0.

    Raises:
        UsageError: If there is no such folder, or no prediction could be taken over.
    """
    if not options.predictions.is_dir():
        msg = f"Expected a folder of predictions at {options.predictions}, found none."
        raise UsageError(msg)
    cohort = find_cohort_apart(options, reporter, option="--output")
    record = open_record(cohort.root, folder=options.record)
    name = options.name or options.predictions.resolve().name
    task = task_of_options(options, cohort)
    output = options.output or record.results / _folder_name(name)
    said = parse_label_values(options.label_values, task)
    job = ImportJob(task, name, output, said, options.overwrite)
    done = import_predictions(cohort, options.predictions, job, reporter)
    for case_id, reason in done.refused.items():
        reporter.warning(f"Case {case_id} is not taken over: {reason}")
    if done.unmatched:
        reporter.warning(f"These files belong to no case: {listed(list(done.unmatched))}.")
    if not done.done:
        msg = (
            f"No prediction in {options.predictions} was taken over; the reasons are above, case by"
            " case."
        )
        raise UsageError(msg)
    reporter.info(
        f"{counted(len(done.done), 'case', 'has', 'have')} a draft of {name}. A draft is no label"
        " until it was looked at and saved in 3D Slicer."
    )
    reporter.result(
        {
            "results": str(output),
            "cases": sorted(done.done),
            "refused": dict(done.refused),
            "unmatched": list(done.unmatched),
        }
    )
    return 0


def _folder_name(name: str) -> str:
    """Return the name of a model as that of its folder.

    Raises:
        UsageError: If it would lead elsewhere.
    """
    if name in {".", ".."} or set(name) & set('/\\:*?"<>|\0'):
        msg = f"Expected --name without slashes and the like, got {name!r}. Choose another name."
        raise UsageError(msg)
    return name
