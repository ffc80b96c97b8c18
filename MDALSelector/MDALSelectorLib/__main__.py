"""The command `mdal-selector`: which cases of a multimodal cohort to label next."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from MDALSelectorLib.commands.classes import add_classes_arguments, run_classes
from MDALSelectorLib.commands.evaluation import add_evaluation_arguments, run_evaluation
from MDALSelectorLib.commands.inspect import add_inspect_arguments, run_inspect
from MDALSelectorLib.commands.readers import (
    add_agreement_arguments,
    add_consensus_arguments,
    run_agreement,
    run_consensus,
)
from MDALSelectorLib.commands.record import (
    add_claim_arguments,
    add_export_arguments,
    add_import_arguments,
    add_release_arguments,
    add_status_arguments,
    run_claim,
    run_export,
    run_import,
    run_release,
    run_status,
)
from MDALSelectorLib.commands.report import add_report_arguments, run_report
from MDALSelectorLib.commands.retrospect import add_retrospect_arguments, run_retrospect_command
from MDALSelectorLib.commands.sample import add_sample_arguments, run_sample
from MDALSelectorLib.commands.select import add_select_arguments, run_select
from MultimodalImagingLib.jobs.command_line import add_command, run_command_line
from MultimodalImagingLib.record.speeds_file import SpeedsFile

_COMMANDS = (
    (
        "inspect",
        "what is there: cases, modalities, geometry, problems",
        add_inspect_arguments,
        run_inspect,
    ),
    ("select", "rank the cases and suggest which to label next", add_select_arguments, run_select),
    (
        "evaluation",
        "set cases aside for testing, before the first training",
        add_evaluation_arguments,
        run_evaluation,
    ),
    (
        "agreement",
        "how well readers agree; which labels come back to be read again",
        add_agreement_arguments,
        run_agreement,
    ),
    (
        "consensus",
        "make the consensus of several readers, which counts then",
        add_consensus_arguments,
        run_consensus,
    ),
    (
        "report",
        "write the report of a run again, or that of a cohort's labeling",
        add_report_arguments,
        run_report,
    ),
    (
        "retrospect",
        "replay label budgets on a cohort that has its labels: would it have helped",
        add_retrospect_arguments,
        run_retrospect_command,
    ),
    (
        "classes",
        "say which class a case can have, and see, read or write those that were given",
        add_classes_arguments,
        run_classes,
    ),
    ("sample", "make synthetic data to try the programs on", add_sample_arguments, run_sample),
    ("status", "how far the labeling is, and what to do next", add_status_arguments, run_status),
    ("claim", "take cases for a reader", add_claim_arguments, run_claim),
    ("release", "give claimed cases back", add_release_arguments, run_release),
    (
        "export",
        "write the record as JSON and CSV with its labels, or lists for other programs",
        add_export_arguments,
        run_export,
    ),
    (
        "import",
        "add an export of somebody else's record, or a list of another program",
        add_import_arguments,
        run_import,
    ),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="mdal-selector",
        description="Choose which cases of a multimodal cohort to label next. No label is needed.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, summary, add_arguments, run in _COMMANDS:
        add_command(commands, name, summary, add_arguments=add_arguments, run=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1, 2 or 130."""
    return run_command_line(build_parser(), arguments, speeds=SpeedsFile())


if __name__ == "__main__":
    sys.exit(main())
