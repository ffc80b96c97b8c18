"""The command `mdal-selector`: which cases of a multimodal cohort to label next."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from MDALSelectorLib.commands.inspect import add_inspect_arguments, run_inspect
from MDALSelectorLib.commands.report import add_report_arguments, run_report
from MDALSelectorLib.commands.select import add_select_arguments, run_select
from MultimodalImagingLib.jobs.command_line import Command, add_events_argument, run_command_line


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="mdal-selector",
        description="Choose which cases of a multimodal cohort to label next. No label is needed.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    inspect = _add(commands, "inspect", "what is there: cases, modalities, geometry, problems")
    add_inspect_arguments(inspect)
    _set_command(inspect, run_inspect)
    select = _add(commands, "select", "rank the cases and suggest which to label next")
    add_select_arguments(select)
    _set_command(select, run_select)
    report = _add(commands, "report", "write the report of a run again")
    add_report_arguments(report)
    _set_command(report, run_report)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1, 2 or 130."""
    return run_command_line(build_parser(), arguments)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )


def _set_command(parser: argparse.ArgumentParser, command: Command) -> None:
    add_events_argument(parser)
    parser.set_defaults(command=command)


if __name__ == "__main__":
    sys.exit(main())
