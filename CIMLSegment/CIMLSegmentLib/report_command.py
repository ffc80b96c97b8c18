"""The command `report`: one HTML page about results. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from CIMLSegmentLib.case_input import add_modality_argument, cases_of_path, modality_rows
from MultimodalImagingLib.progress import Reporter


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
    add_modality_argument(parser)


def run_report(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `report` command; returns the exit code 0."""
    from CIMLSegmentLib.segmentation_report import write_segmentation_report

    cases, _ = cases_of_path(options.images, modality_rows(options))
    by_id = {case.case_id: case for case in cases}
    page = write_segmentation_report(options.results, by_id, reporter=reporter)
    reporter.result({"report": str(page)})
    return 0
