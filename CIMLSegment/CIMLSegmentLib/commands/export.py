"""The command `export`: a trained model in the form of other programs. Imports no torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from CIMLSegmentLib.model.shipped_models import MODEL_HELP, model_folder
from MultimodalImagingLib.jobs.progress import Reporter


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `export` command to its parser."""
    parser.add_argument("model", type=model_folder, help=MODEL_HELP)
    parser.add_argument(
        "--monai-bundle",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="write a bundle that `python -m monai.bundle run` runs",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle")


def run_export(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `export` command; returns the exit code 0."""
    from CIMLSegmentLib.model.bundle import export_bundle

    folder = export_bundle(options.model, options.monai_bundle, overwrite=options.overwrite)
    reporter.result({"bundle": str(folder)})
    return 0
