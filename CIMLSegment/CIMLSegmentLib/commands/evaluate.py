"""The command `evaluate`: results against reference labels. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from CIMLSegmentLib.inference.case_input import add_modality_argument, modality_rows
from CIMLSegmentLib.task.label_values import OPTION, named_schemes
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.folders import images_in, stem
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPattern
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import ImageFile
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `evaluate` command to its parser."""
    parser.add_argument("results", type=Path, help="output folder of `segment`")
    parser.add_argument(
        "--reference",
        type=Path,
        required=True,
        metavar="COHORT",
        help="cohort with labels, or folder of label maps that are named like the cases",
    )
    parser.add_argument(
        "--output", type=Path, help="where to write evaluation.csv and .json; default: the results"
    )
    parser.add_argument(
        "--count-missing",
        action="store_true",
        help="count cases without a result as empty predictions; else they are only listed",
    )
    add_label_values_argument(parser)
    add_modality_argument(parser)


def add_label_values_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what the values of label maps are."""
    schemes = ", ".join(scheme.name for scheme in named_schemes())
    parser.add_argument(
        OPTION,
        default="",
        metavar="VALUE=LABEL,...",
        help="what the values of the label maps are, for example 3=ET,4=ignore or Tumor=lesion;"
        f" others=ignore for all else; or one of {schemes}",
    )


def run_evaluate(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `evaluate` command; returns the exit code 0.

    Raises:
        CohortError: If there is nothing to compare.
    """
    from rich.console import Console

    from CIMLSegmentLib.results.evaluation import evaluate_results
    from CIMLSegmentLib.results.evaluation_files import remarks, summary_table, write_evaluation

    output = options.results if options.output is None else options.output
    check_can_hold_folders(output)
    references = reference_labels(options.reference, modality_rows(options))
    evaluation = evaluate_results(
        options.results,
        references,
        count_missing=options.count_missing,
        label_values=options.label_values,
        reporter=reporter,
    )
    output.mkdir(parents=True, exist_ok=True)
    csv_file, json_file = write_evaluation(evaluation, output)
    for text in remarks(evaluation):
        reporter.info(text)
    if not getattr(options, "events", False):
        console = Console() if sys.stdout.isatty() else Console(width=100)
        console.print(summary_table(evaluation))
    reporter.result({"evaluation": str(json_file), "table": str(csv_file)})
    return 0


def reference_labels(path: Path, rows: Sequence[ModalityPattern] = ()) -> Mapping[str, ImageFile]:
    """Find the label map of every case.

    Args:
        path: A cohort with labels, or a folder with one label map `<case>.nii.gz` per case.
        rows: Rows that come before the cohort's table.

    Raises:
        CohortError: If there is none.
    """
    flat = {stem(file): ImageFile(file) for file in images_in(path, [])}
    if flat:
        return flat
    cohort = find_cohort(path, patterns=patterns_for(path, rows))
    labels = {case.case_id: case.label for case in cohort.cases if case.label is not None}
    if not labels:
        msg = (
            f"Expected label maps in {path}, found {len(cohort.cases)} cases without any. Name the"
            " label files with --modality PATTERN=label, or give a folder of label maps that are"
            " named like the cases."
        )
        raise CohortError(msg)
    return labels
