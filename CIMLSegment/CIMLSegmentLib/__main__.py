"""The command `ciml-segmenter`: train, segment, round, evaluate, export, import."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from CIMLSegmentLib.commands.evaluate import add_evaluate_arguments, run_evaluate
from CIMLSegmentLib.commands.export import add_export_arguments, run_export
from CIMLSegmentLib.commands.import_predictions import add_import_arguments, run_import
from CIMLSegmentLib.commands.next_round import add_round_arguments, run_round
from CIMLSegmentLib.commands.report import add_report_arguments, run_report
from CIMLSegmentLib.commands.segment import add_segment_arguments, run_segment
from CIMLSegmentLib.commands.train import add_train_arguments, run_train
from MultimodalImagingLib.jobs.command_line import add_command, run_command_line
from MultimodalImagingLib.record.speeds_file import SpeedsFile

COMMANDS = {
    "train": ("train a network on the labeled cases of a cohort", add_train_arguments, run_train),
    "segment": ("segment cases with a trained model", add_segment_arguments, run_segment),
    "round": (
        "segment all cases without a label as drafts, and note what the model reached",
        add_round_arguments,
        run_round,
    ),
    "evaluate": (
        "Dice, HD95 and DSCagg of results against labels",
        add_evaluate_arguments,
        run_evaluate,
    ),
    "report": (
        "one page with pictures and modality contributions",
        add_report_arguments,
        run_report,
    ),
    "export": (
        "write a model, or the cases of a cohort, for other programs",
        add_export_arguments,
        run_export,
    ),
    "import": (
        "take over label maps that another program predicted as drafts",
        add_import_arguments,
        run_import,
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="ciml-segmenter",
        description="Segment multimodal images and show which modality contributed to what.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (summary, add_arguments, run) in COMMANDS.items():
        add_command(commands, name, summary, add_arguments=add_arguments, run=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1, 2 or 130."""
    return run_command_line(build_parser(), arguments, speeds=SpeedsFile())


if __name__ == "__main__":
    sys.exit(main())
