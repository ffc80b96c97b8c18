"""The command `select`: its options and what they mean. No torch: it starts at once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from MDALSelectorLib.commands.opening import found_cohort
from MDALSelectorLib.estimation.config import ESTIMATORS, EstimationConfig, EstimatorName
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.retrospect.job_stages import evidence_stages
from MDALSelectorLib.selection.config import LABELLED_RULES, SelectionConfig
from MDALSelectorLib.selection.job_stages import selection_plan
from MDALSelectorLib.strategies import DEFAULT_STRATEGY, STRATEGIES
from MDALSelectorLib.strategies.base import StrategyOptions
from MultimodalImagingLib.jobs.command_line import add_modality_argument, spelled_as
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.json_entry import ConfigT, changed_config, read_settings


def add_select_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `select` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--budget", required=True, help="how many cases to suggest: a number, or a share like 20%%"
    )
    _add_strategy_arguments(parser)
    parser.add_argument("--output", type=Path, help="folder of the run; default: in the record")
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same files (default 0)")
    parser.add_argument(
        "--estimator",
        default="auto",
        choices=list(ESTIMATORS),
        help="what PMI is estimated from: positions (local: closed form; local-contrastive:"
        " networks) or whole cases (gaussian: closed form; contrastive: networks); auto takes the"
        " one that repeats and has the clearest signal",
    )
    parser.add_argument("--device", help="cpu, cuda, ...; default: a GPU if there is one")
    parser.add_argument("--spacing", type=float, metavar="MM", help="working spacing, mm")
    parser.add_argument(
        "--labelled",
        default="auto",
        choices=list(LABELLED_RULES),
        help="which cases count as labeled: those of the record; also those with a label file;"
        " auto: label files count unless every case has one (default)",
    )
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CASE",
        help="suggest this case although its modalities do not seem to belong together",
    )
    add_modality_argument(parser)
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="JSON with `estimation`, `pairing` and `strategy_options`: any of the values of these"
        " names in the configuration of a selection.json; what it names counts before options",
    )


def _add_strategy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strategy",
        default=DEFAULT_STRATEGY,
        type=spelled_as(STRATEGIES),
        choices=list(STRATEGIES),
        help="how to choose (default %(default)s)",
    )
    parser.add_argument("--score-column", metavar="NAME", help="column for strategy Score")
    parser.add_argument(
        "--score-direction", default="high", choices=["high", "low"], help="which end comes first"
    )
    parser.add_argument(
        "--drafts",
        type=Path,
        metavar="FOLDER",
        help="results of `ciml-segmenter segment` for Epistemic and EpistemicMD; default: those of"
        " the model in the cohort's record that segmented last",
    )
    parser.add_argument(
        "--uncertainty-weight",
        type=float,
        default=StrategyOptions().uncertainty_weight,
        metavar="WEIGHT",
        help="EpistemicMD: weight of the uncertainty against the modality difference, 0 to 1"
        " (default %(default)s)",
    )
    parser.add_argument(
        "--within",
        metavar="NAME",
        help="compare the modality difference within the groups of a column of the manifest or"
        " participants.tsv (site, ...), voxel-size or field-of-view",
    )


def config_from_options(options: argparse.Namespace) -> SelectionConfig:
    """Turn parsed options into a checked configuration.

    Raises:
        ModelError: If the file of settings cannot be read, or has other keys or types.
        UsageError: If a value cannot be used.
    """
    estimator: EstimatorName = options.estimator
    estimation = EstimationConfig(estimator=estimator, seed=options.seed, device=options.device)
    strategy_options = StrategyOptions(
        score_direction=options.score_direction, uncertainty_weight=options.uncertainty_weight
    )
    settings = read_settings(options.settings, ("estimation", "pairing", "strategy_options"))

    def changed(kind: str, config: ConfigT) -> ConfigT:
        where = f"the {kind} of the settings {options.settings}"
        return changed_config(config, settings[kind], where=where)

    return SelectionConfig(
        budget=options.budget,
        strategy=options.strategy,
        options=changed("strategy_options", strategy_options),
        estimation=changed("estimation", estimation),
        pairing=changed("pairing", PairingConfig()),
        output=options.output,
        record=options.record,
        spacing_mm=options.spacing,
        labelled=options.labelled,
        accepted=tuple(same_name(case_id) for case_id in options.accept),
        score_column=options.score_column,
        modality_patterns=tuple(options.modality),
        drafts=options.drafts,
        within=options.within,
    )


def run_select(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `select` command; returns the exit code 0."""
    config = config_from_options(options)
    cohort = found_cohort(options, reporter)
    later = evidence_stages(cohort, config)
    reporter.plan(selection_plan(cohort, config, later=later))  # loading what follows takes seconds
    from MDALSelectorLib.retrospect.while_labelling import evidence_while_labelling
    from MDALSelectorLib.selection_job import run_selection

    run = run_selection(cohort, config, reporter, later=later)
    evidence = evidence_while_labelling(cohort, config, reporter)
    result: dict[str, object] = {"run": str(run), "report": str(run / "report.html")}
    if evidence is not None:
        offer = f" To use it, give --strategy {evidence.offered}." if evidence.offered else ""
        reporter.info(f"{evidence.text}{offer}")
        if getattr(options, "events", False):
            result["evidence"] = asdict(evidence)
    reporter.result(result)
    return 0
