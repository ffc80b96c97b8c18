"""The option `--from` of the command `train`: a model to start from. Imports no torch."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from CIMLSegmentLib.config import KINDS
from CIMLSegmentLib.model.shipped_models import model_folder
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.ownership import check_outside

if TYPE_CHECKING:
    from CIMLSegmentLib.model.model_description import ModelDescription


def add_start_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a model to start from."""
    parser.add_argument(
        "--from",
        dest="start",
        type=model_folder,
        metavar="MODEL",
        help="begin with the weights of this model, a folder or the name of one that comes with"
        " CrossModal; its modalities must include those of the task. The network has its shape, and"
        " images its spacing unless --spacing is given; which parts are kept and new is said",
    )


def check_start(options: argparse.Namespace) -> None:
    """Refuse what contradicts a model to start from.

    Raises:
        UsageError: If something does.
    """
    if options.start is None:
        return
    if options.kind != KINDS[0] or options.features is not None:
        given = "--features" if options.features is not None else f"--kind {options.kind}"
        msg = (
            f"A training --from a model has the kind and the shape of its network, which {given}"
            f" contradicts. Leave {given} out, or train without --from."
        )
        raise UsageError(msg)
    check_outside(options.output, options.start, holds="the model to start from")


def read_start(options: argparse.Namespace, task: Task) -> ModelDescription | None:
    """Read the description of the model to start from; `None` if all is to be new.

    Raises:
        ModelError: If there is no such model.
        UsageError: If it lacks a modality of the task.
    """
    if options.start is None:
        return None
    from CIMLSegmentLib.model.model_files import read_model_files
    from CIMLSegmentLib.training.start_model import check_modalities

    start = read_model_files(options.start)[1]
    check_modalities(start, task, options.start)
    return start
