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
from MultimodalImagingLib.jobs.command_line import add_command, run_command_line


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="ciml-segmenter",
        description="Segment multimodal images and show which modality contributed to what.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    add_command(
        commands,
        "train",
        "train a network on the labeled cases of a cohort",
        add_arguments=add_train_arguments,
        run=run_train,
    )
    add_command(
        commands,
        "segment",
        "segment cases with a trained model",
        add_arguments=add_segment_arguments,
        run=run_segment,
    )
    add_command(
        commands,
        "evaluate",
        "Dice, HD95 and DSCagg of results against labels",
        add_arguments=add_evaluate_arguments,
        run=run_evaluate,
    )
    add_command(
        commands,
        "report",
        "one page with pictures and modality contributions",
        add_arguments=add_report_arguments,
        run=run_report,
    )
    add_command(
        commands,
        "export",
        "write a trained model as a MONAI bundle",
        add_arguments=add_export_arguments,
        run=run_export,
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1, 2 or 130."""
    return run_command_line(build_parser(), arguments)


if __name__ == "__main__":
    sys.exit(main())
