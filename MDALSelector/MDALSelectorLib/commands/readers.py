"""The commands `consensus` and `agreement` of `mdal-selector`. They need no torch."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from MDALSelectorLib.commands.opening import opened_cohort
from MultimodalImagingLib.cohorts.agreement import DEFAULT_LIMIT
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.voting import METHODS
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.ownership import check_apart


def add_consensus_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `consensus` command to its parser."""
    _add_cohort_arguments(parser)
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="staple weighs readers by how well they agree; majority takes what more than half of"
        " them marked (default %(default)s)",
    )
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="NAME",
        help="only this case; may be given several times; default: all with several readers",
    )
    parser.add_argument(
        "--withdraw",
        action="store_true",
        help="remove the consensus: the label of the reader counts again who saved last",
    )


def add_agreement_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `agreement` command to its parser."""
    _add_cohort_arguments(parser)
    parser.add_argument(
        "--limit",
        type=float,
        metavar="DICE",
        help=f"readings with a lower Dice disagree; default: of the plan, else {DEFAULT_LIMIT}",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="also write agreement.csv, .json and .html there"
    )
    parser.add_argument(
        "--read-again",
        metavar="SHARE",
        help="from now on let this share of the labeled cases, such as 10%%, come back blinded in"
        " the panel; 0%% for none",
    )
    parser.add_argument(
        "--seed", type=int, help="with --read-again: decides which cases (default 0)"
    )


def _add_cohort_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--primary",
        metavar="MODALITY",
        help="labels are compared on the grid of this image; default: the first modality",
    )
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    add_modality_argument(parser)


def run_consensus(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `consensus` command; returns the exit code 0, or 1 if it failed for some cases."""
    from MultimodalImagingLib.cohorts.consensus import (
        FEWEST_READERS,
        make_consensus,
        withdraw_consensus,
    )
    from MultimodalImagingLib.cohorts.readings import one_per_reader, readings_of

    cohort, record = _opened(options, reporter)
    cases = {case.case_id: case for case in cohort.cases}
    wanted = [same_name(name) for name in options.case]
    _check_known(wanted, cases)
    if options.withdraw:
        gone = [
            name
            for name in wanted or cases
            if withdraw_consensus(cases[name], cohort, record, primary=options.primary)
        ]
        reporter.info(f"{counted(len(gone), 'consensus label', 'was', 'were')} removed.")
        reporter.result({"withdrawn": gone})
        return 0
    several = [
        name for name in cases if len(one_per_reader(readings_of(name, record))) >= FEWEST_READERS
    ]
    names = wanted or several
    if not names:
        reporter.warning("No case has labels of several readers, so there is nothing to agree on.")
    done, failed = {}, {}
    reporter.stage("Make the consensus", len(names))
    for name in names:
        try:
            made = make_consensus(
                cases[name], cohort, record, options.method, primary=options.primary
            )
            done[name] = list(made.readers)
            reporter.info(f"Case {name}: consensus of {', '.join(made.readers)}; it counts now.")
            for text in made.remarks:
                reporter.warning(f"Case {name}: {text}")
        except CohortError as error:
            failed[name] = str(error)
            reporter.error(str(error))
        reporter.advance()
    reporter.result({"consensus": done, "failed": failed})
    return 1 if failed else 0


def run_agreement(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `agreement` command; returns the exit code 0."""
    from MDALSelectorLib.report.agreement_page import check_agreement_files, write_agreement
    from MultimodalImagingLib.cohorts.agreement import agreement_sentences, measure_agreement
    from MultimodalImagingLib.cohorts.class_agreement import class_agreement_sentences
    from MultimodalImagingLib.cohorts.reading_plan import read_plan

    cohort, record = _opened(options, reporter)
    if options.output is not None:
        check_apart(options.output, cohort.files)
        check_can_hold_folders(options.output)
        check_agreement_files(options.output)
    _change_plan(options, record, reporter)
    limit = read_plan(record).limit if options.limit is None else options.limit
    pairs = measure_agreement(cohort, record, primary=options.primary, reporter=reporter)
    texts = [
        *agreement_sentences(pairs, record.read_states(), limit=limit),
        *class_agreement_sentences(record),
    ]
    for text in texts or ["No case was read twice, so nothing can be said about agreement."]:
        reporter.info(text)
    result: dict[str, object] = {"pairs": len(pairs)}
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        page = write_agreement(options.output, cohort.root.name, pairs, texts)
        result["report"] = str(page)
    reporter.result(result)
    return 0


def _change_plan(options: argparse.Namespace, record: CohortRecord, reporter: Reporter) -> None:
    """Keep what shall be read again from now on."""
    from MultimodalImagingLib.cohorts.reading_plan import RereadingPlan, read_plan, write_plan

    old = read_plan(record)
    if options.read_again is None:
        if options.seed is not None:
            msg = "--seed belongs to --read-again. Give both, or neither."
            raise UsageError(msg)
        return
    share = _share(options.read_again)
    seed = old.seed if options.seed is None else options.seed
    limit = old.limit if options.limit is None else options.limit
    write_plan(record, RereadingPlan(share, seed, limit))
    reporter.info(
        f"{share:.0%} of the labeled cases come back blinded, seed {seed}; readings with a Dice"
        f" below {limit:g} are read a third time by somebody else."
        if share
        else "No labeled case comes back to be read again."
    )


def _share(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100 if text.strip().endswith("%") else float("nan")
    except ValueError:
        share = float("nan")
    if not 0.0 <= share <= 1.0:
        msg = f"Expected a share such as 10%, got {text!r}. Give one from 0% to 100%."
        raise UsageError(msg)
    return share


def _opened(options: argparse.Namespace, reporter: Reporter) -> tuple[Cohort, CohortRecord]:
    cohort, record = opened_cohort(options, reporter)
    if options.primary is not None and options.primary not in cohort.modalities:
        msg = (
            f"The cohort has no modality {options.primary}. Give --primary one of"
            f" {', '.join(cohort.modalities)}."
        )
        raise UsageError(msg)
    return cohort, record


def _check_known(wanted: list[str], cases: Mapping[str, object]) -> None:
    unknown = sorted({*wanted} - {*cases})
    if unknown:
        msg = f"There is no case {listed(unknown)} in this cohort. Give --case another name."
        raise UsageError(msg)
