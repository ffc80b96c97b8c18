"""The command `retrospect`: would it have helped on labeled data? No torch: it starts at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from MDALSelectorLib.commands.opening import found_cohort
from MDALSelectorLib.retrospect.config import (
    CLASSIFIER,
    COMPARED,
    DEFAULT_BUDGETS,
    ESTIMATOR_CHOICES,
    LEARNERS,
    RetrospectConfig,
)
from MDALSelectorLib.retrospect.job_stages import retrospect_plan
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument, spelled_as
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import open_record


def add_retrospect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `retrospect` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--budgets",
        default=",".join(DEFAULT_BUDGETS),
        help="numbers of cases to label, or shares of the pool of an outer fold, with commas"
        " between them (default 10%%,20%%,40%%)",
    )
    parser.add_argument("--output", type=Path, help="folder of the run; default: in the record")
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    parser.add_argument(
        "--labels", type=Path, metavar="FOLDER", help="label maps that are named like the cases"
    )
    parser.add_argument(
        "--label-value",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="value of the label maps that is the target; may be given several times (default:"
        " everything but 0)",
    )
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="CASE", help="case that takes no part"
    )
    parser.add_argument(
        "--strategy",
        action="append",
        default=[],
        type=spelled_as(COMPARED),
        choices=list(COMPARED),
        help="strategy to compare with random draws; may be given several times (default: all)",
    )
    _add_design_arguments(parser)
    _add_network_arguments(parser)
    add_modality_argument(parser)


def _add_design_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", type=int, default=40, help="random draws per fold (default 40)")
    parser.add_argument("--folds", type=int, default=5, help="outer folds (default 5)")
    parser.add_argument(
        "--partitions", type=int, default=4, help="times that folds are dealt (default 4)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same result (default 0)")
    parser.add_argument(
        "--estimator",
        default=ESTIMATOR_CHOICES[0],
        choices=list(ESTIMATOR_CHOICES),
        help="how PMI is estimated anew in every fold; only estimators that take seconds",
    )
    parser.add_argument(
        "--learner",
        choices=list(LEARNERS),
        help="what is trained: linear is a quick proxy of a network; network is one small network"
        " for all, whose time is told beforehand; classifier learns the class of every case"
        " (default: linear, or classifier where cases have classes)",
    )
    parser.add_argument(
        "--export",
        choices=["nnunet"],
        help="also write all trainings as splits for nnU-Net, the referee",
    )
    parser.add_argument("--score-column", metavar="NAME", help="column for strategy Score")
    parser.add_argument("--spacing", type=float, metavar="MM", help="working spacing, mm")


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    usual = NetworkConfig()
    group = parser.add_argument_group("with --learner network")
    group.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="trainings of every set that a strategy chose; random draws are trained once each"
        f" (default {usual.n_seeds})",
    )
    group.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help=f"training steps, the same for every set (default {usual.n_steps})",
    )
    group.add_argument(
        "--network-spacing",
        type=float,
        metavar="MM",
        help=f"working spacing of the network, mm (default {usual.spacing_mm:g})",
    )
    group.add_argument("--device", help="cpu, cuda, ...; default: a GPU if there is one")


def config_from_options(options: argparse.Namespace) -> RetrospectConfig:
    """Turn parsed options into a checked configuration.

    Raises:
        UsageError: If a value cannot be used.
    """
    return RetrospectConfig(
        budgets=tuple(text.strip() for text in options.budgets.split(",") if text.strip()),
        strategies=tuple(dict.fromkeys(options.strategy)),
        n_draws=options.draws,
        n_folds=options.folds,
        n_partitions=options.partitions,
        seed=options.seed,
        estimator=options.estimator,
        learner=options.learner,
        network=_network_config(options),
        labels=options.labels,
        label_values=tuple(sorted(set(options.label_value))),
        left_out=tuple(sorted({same_name(case_id) for case_id in options.leave_out})),
        score_column=options.score_column,
        output=options.output,
        record=options.record,
        spacing_mm=options.spacing,
        modality_patterns=tuple(options.modality),
        export=options.export == "nnunet",
    )


def _network_config(options: argparse.Namespace) -> NetworkConfig | None:
    """Return the settings of the network; `None` for another learner."""
    given = {
        "n_seeds": options.seeds,
        "n_steps": options.steps,
        "spacing_mm": options.network_spacing,
        "device": options.device,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if options.learner == "network":
        return NetworkConfig(**given)
    if given:
        msg = (
            "Expected --seeds, --steps, --network-spacing and --device with --learner network"
            f" alone, got them with the {options.learner} learner, which has no use for them. Add"
            " --learner network, or leave them out."
        )
        raise UsageError(msg)
    return None


def run_retrospect_command(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `retrospect` command; returns the exit code 0."""
    cohort = found_cohort(options, reporter)
    options.learner = options.learner or _usual_learner(options, cohort)
    config = config_from_options(options)
    reporter.plan(retrospect_plan(cohort, config))  # loading what follows takes seconds
    from MDALSelectorLib.retrospect.job import run_retrospect

    run = run_retrospect(cohort, config, reporter)
    reporter.result({"run": str(run), "report": str(run / "retrospect.html")})
    return 0


def _usual_learner(options: argparse.Namespace, cohort: Cohort) -> str:
    """Return the learner for the labels that the cohort has."""
    record = open_record(cohort.root, folder=options.record)
    is_classified = options.labels is None and read_class_task(record) is not None
    return CLASSIFIER if is_classified else LEARNERS[0]
