"""The command `mdal-selector inspect`: what is there and what is wrong with it. Needs no torch."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from MDALSelectorLib.inspection.cohort_inspection import InspectionOptions, inspect_cohort
from MultimodalImagingLib.cohorts.layouts.detection import LAYOUTS
from MultimodalImagingLib.cohorts.modality_patterns import (
    FILE_NAME,
    parse_pattern,
    write_patterns,
)
from MultimodalImagingLib.cohorts.saved_labels import record_remarks
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import is_unicode
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.cohort_record import (
    CohortRecord,
    default_record_folder,
    open_record,
)


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `inspect` command to its parser."""
    parser.epilog = LAYOUTS
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    add_modality_argument(parser)
    parser.add_argument(
        "--save-modalities",
        action="store_true",
        help="keep the table of patterns, with those of --modality, in the cohort's record",
    )
    parser.add_argument("--deep", action="store_true", help="read all voxels, not only headers")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--all", action="store_true", help="print every case and every problem")


def run_inspect(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `inspect` command.

    Args:
        options: What the parser of `add_inspect_arguments` found.
        reporter: Receives progress and, with `--events`, the report.

    Returns:
        The exit code, 0.
    """
    rows = tuple(parse_pattern(text) for text in options.modality)
    chosen = InspectionOptions(rows, options.deep)
    report = inspect_cohort(options.cohort, options=chosen, reporter=reporter)
    record = CohortRecord(default_record_folder(options.cohort))
    for text in record_remarks(options.cohort, record):
        reporter.warning(text)
    if options.save_modalities:
        path = open_record(options.cohort).folder / FILE_NAME
        write_patterns(path, report.cohort.patterns)
        reporter.info(f"The table of modality patterns is kept in {path}.")
    if options.json:
        is_plain = not is_unicode(sys.stdout)
        sys.stdout.write(json.dumps(report.to_json(), indent=2, ensure_ascii=is_plain) + "\n")
    elif getattr(options, "events", False):
        reporter.result(report.to_json())
    else:
        from MDALSelectorLib.inspection.tables import print_inspection  # rich: only for a terminal

        print_inspection(report, show_all=options.all)
    return 0
