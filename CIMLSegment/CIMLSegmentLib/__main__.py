"""The command `ciml-segmenter`: train, segment, evaluate, export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from CIMLSegmentLib.commands.evaluate import add_evaluate_arguments, run_evaluate
from CIMLSegmentLib.commands.export import add_export_arguments, run_export
from CIMLSegmentLib.commands.report import add_report_arguments, run_report
from CIMLSegmentLib.commands.segment import add_segment_arguments, run_segment
from CIMLSegmentLib.commands.train import add_train_arguments, run_train
from MultimodalImagingLib.jobs.command_line import Command, add_events_argument, run_command_line


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="ciml-segmenter",
        description="Segment multimodal images and show which modality contributed to what.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    train = _add(commands, "train", "train a network on the labeled cases of a cohort")
    add_train_arguments(train)
    _set_command(train, run_train)
    segment = _add(commands, "segment", "segment cases with a trained model")
    add_segment_arguments(segment)
    _set_command(segment, run_segment)
    evaluate = _add(commands, "evaluate", "Dice, HD95 and DSCagg of results against labels")
    add_evaluate_arguments(evaluate)
    _set_command(evaluate, run_evaluate)
    report = _add(commands, "report", "one page with pictures and modality contributions")
    add_report_arguments(report)
    _set_command(report, run_report)
    export = _add(commands, "export", "write a trained model as a MONAI bundle")
    add_export_arguments(export)
    _set_command(export, run_export)
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
