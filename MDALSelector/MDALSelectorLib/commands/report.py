"""The command `report`: writes the page of a run again. Loads nothing heavy before it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from MultimodalImagingLib.jobs.progress import Reporter


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `report` command to its parser."""
    parser.add_argument(
        "folder", type=Path, metavar="RUN", help="folder that `mdal-selector select` wrote"
    )


def run_report(options: argparse.Namespace, reporter: Reporter) -> int:
    """Write the report of a run and say where it is; returns the exit code 0.

    Raises:
        CrossModalError: If the run cannot be read or the page cannot be written.
    """
    from MDALSelectorLib.report.page import write_report

    reporter.result({"report": str(write_report(options.folder))})
    return 0
