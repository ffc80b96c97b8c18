"""The command `report`: one HTML page about results. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import (
    add_case_argument,
    add_label_values_argument,
    find_references,
)
from CIMLSegmentLib.inference.case_input import cases_of_path, modality_rows
from MultimodalImagingLib.cohorts.cases import files_of_cases
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.ownership import check_apart


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `report` command to its parser."""
    parser.add_argument("results", type=Path, help="output folder of `segment`")
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        metavar="COHORT",
        help="cohort, or folder of the one case, that was segmented",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="COHORT",
        help="cohort with labels, or folder of label maps that are named like the cases, to draw"
        " beside the results",
    )
    add_case_argument(parser, "show only this case")
    parser.add_argument("--output", type=Path, metavar="PAGE", help="default: report.html in DIR")
    add_label_values_argument(parser)
    add_modality_argument(parser)


def run_report(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `report` command; returns the exit code 0."""
    from CIMLSegmentLib.results.segmentation_report import ReportRequest, write_segmentation_report

    rows = modality_rows(options)
    cases, _ = cases_of_path(options.images, rows)
    if options.output is not None:
        check_apart(options.output, files_of_cases(cases))
    case_ids = [case.case_id for case in cases]
    references = (
        {}
        if options.reference is None
        else find_references(options.reference, rows, case_ids=case_ids, reporter=reporter).labels
    )
    request = ReportRequest(
        options.results,
        {c.case_id: c for c in cases},
        references,
        tuple(same_name(case_id) for case_id in options.case),
        options.label_values,
    )
    page = write_segmentation_report(request, output=options.output, reporter=reporter)
    reporter.result({"report": str(page)})
    return 0
