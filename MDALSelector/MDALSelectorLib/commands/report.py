"""The command `report`: the page of a run, or of the labeling of a cohort."""

from __future__ import annotations

import argparse
from pathlib import Path

from MDALSelectorLib.retrospect.run_files import JSON_NAME as RETROSPECTIVE_NAME
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.cohort_record import (
    FILE_NAME,
    default_record_folder,
    open_record,
)
from MultimodalImagingLib.record.selection_file import JSON_NAME


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `report` command to its parser."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="RUN",
        help="folder that `mdal-selector select` or `retrospect` wrote; or a cohort with a record,"
        " for how far its labeling has come and whether to go on",
    )
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    add_modality_argument(parser)


def run_report(options: argparse.Namespace, reporter: Reporter) -> int:
    """Write the report of a run, or of labeling, and say where it is; returns the exit code 0.

    Raises:
        CrossModalError: If the run or the record cannot be read, or the page cannot be written.
    """
    from MDALSelectorLib.report.page import write_report
    from MDALSelectorLib.retrospect.page import write_page
    from MDALSelectorLib.retrospect.run_files import read_retrospective

    folder = options.folder
    if (folder / RETROSPECTIVE_NAME).is_file():
        page = write_page(folder, read_retrospective(folder / RETROSPECTIVE_NAME))
    elif not (folder / JSON_NAME).is_file() and _has_record(options):
        page = _labeling_page(options, reporter)
    else:
        page = write_report(folder)
    reporter.result({"report": str(page)})
    return 0


def _has_record(options: argparse.Namespace) -> bool:
    if options.record is not None:
        return True
    exists: bool = options.folder.exists()
    return exists and (default_record_folder(options.folder) / FILE_NAME).is_file()


def _labeling_page(options: argparse.Namespace, reporter: Reporter) -> Path:
    from MDALSelectorLib.labeling.page import write_labeling_page

    reporter.stage("Find cases", 1)
    patterns = patterns_for(options.folder, tuple(parse_pattern(text) for text in options.modality))
    cohort = find_cohort(options.folder, patterns=patterns, reporter=reporter)
    reporter.advance()
    record = open_record(cohort.root, folder=options.record)
    return write_labeling_page(cohort, record, reporter)
