"""The commands on a cohort's record: `status`, `claim`, `release`, `export`, `import`. No torch."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from MDALSelectorLib.exchange.case_lists import (
    read_list,
    write_case_iterator,
    write_slicercart,
)
from MDALSelectorLib.exchange.record_content import read_content
from MDALSelectorLib.exchange.record_export import export_record
from MDALSelectorLib.exchange.record_merge import REPLACE, Merged, merge_content
from MDALSelectorLib.exchange.record_status import record_status
from MultimodalImagingLib.cohorts.case_table import export_table
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set
from MultimodalImagingLib.cohorts.labelled_cases import is_labelled
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import is_unicode, same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.claims import PURPOSES
from MultimodalImagingLib.record.cohort_record import (
    CaseState,
    CaseStates,
    CohortRecord,
    open_record,
)
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.ownership import check_apart
from MultimodalImagingLib.record.readers import default_reader

# States of cases that a list may suggest, and what others are, in words.
_TO_SUGGEST = (CaseState.UNLABELLED, CaseState.CONFIRMED)
_STAYS = {
    CaseState.LABELLED: "labeled",
    CaseState.CHECK_PAIRING: "to be checked for pairing before they are labeled",
}
_LISTS = (".csv", ".yaml", ".yml")


def add_status_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `status` command to its parser."""
    _add_cohort(parser)
    parser.add_argument("--json", action="store_true", help="print the status as JSON")


def run_status(options: argparse.Namespace, reporter: Reporter) -> int:
    """Say how far the labeling of a cohort is; returns the exit code 0."""
    cohort, record = _opened(options, reporter)
    status = record_status(cohort, record)
    if options.json:
        text = json.dumps(status.to_json(), indent=2, ensure_ascii=not is_unicode(sys.stdout))
        sys.stdout.write(text + "\n")
    elif getattr(options, "events", False):
        reporter.result(status.to_json())
    else:
        sys.stdout.write("".join(f"{line}\n" for line in status.lines()))
    return 0


def add_claim_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `claim` command to its parser."""
    _add_cases(parser)
    parser.add_argument(
        "--purpose",
        choices=PURPOSES,
        default=PURPOSES[0],
        help="what for (default %(default)s)",
    )


def run_claim(options: argparse.Namespace, reporter: Reporter) -> int:
    """Claim cases for a reader; returns the exit code 0."""
    cohort, record = _opened(options, reporter)
    for case_id in _known(options.cases, cohort):
        claim = record.claim(case_id, options.reader, purpose=options.purpose)
        reporter.info(f"Case {case_id} is claimed by {claim.reader} since {claim.since}.")
    return 0


def add_release_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `release` command to its parser."""
    _add_cases(parser)


def run_release(options: argparse.Namespace, reporter: Reporter) -> int:
    """Give cases back that a reader has claimed; returns the exit code 0."""
    cohort, record = _opened(options, reporter)
    for case_id in _known(options.cases, cohort):
        record.release(case_id, options.reader)
        reporter.info(f"Case {case_id} is not claimed any more.")
    return 0


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `export` command to its parser."""
    _add_cohort(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="new folder for all that the record knows, as JSON and as CSV tables, with the labels",
    )
    parser.add_argument(
        "--cart", type=Path, metavar="FILE", help="list for CART: CSV with a column uid"
    )
    parser.add_argument(
        "--case-iterator", type=Path, metavar="FILE", help="list for SlicerCaseIterator: CSV"
    )
    parser.add_argument(
        "--slicercart",
        type=Path,
        metavar="FOLDER",
        help="output folder of SlicerCART, for its working and its remaining list",
    )
    parser.add_argument(
        "--primary",
        metavar="MODALITY",
        help="main image in the lists; default: the first modality of the cohort",
    )


def run_export(options: argparse.Namespace, reporter: Reporter) -> int:
    """Export the record or lists of its cases; returns the exit code 0."""
    cohort, record = _opened(options, reporter)
    targets = (options.output, options.cart, options.case_iterator, options.slicercart)
    if not any(targets):
        msg = "Say what to export: --output, --cart, --case-iterator or --slicercart."
        raise UsageError(msg)
    primary = _primary(options.primary, cohort)
    for option in ("--output", "--slicercart"):
        folder = getattr(options, option[2:])
        if folder is not None:
            check_apart(folder, cohort.files, option=option)
    if options.output is not None:
        content = export_record(record, options.output, reporter)
        reporter.info(
            f"{counted(len(content.cases), 'case')} and {counted(len(content.labels), 'label')} are"
            f" in {options.output}."
        )
    if options.cart is not None:
        export_table(cohort, record, options.cart, option="--cart")
    if options.case_iterator is not None:
        write_case_iterator(cohort, record, options.case_iterator, primary)
    if options.slicercart is not None:
        n = write_slicercart(cohort, record, options.slicercart, primary)
        reporter.info(f"{counted(n, 'case', 'remains', 'remain')} on the list of SlicerCART.")
    reporter.result({"written": [str(target) for target in targets if target is not None]})
    return 0


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `import` command to its parser."""
    _add_cohort(parser)
    parser.add_argument(
        "source",
        type=Path,
        help="folder that `mdal-selector export --output` wrote, or a list of cases of CART,"
        " SlicerCaseIterator (CSV) or SlicerCART (YAML), whose cases are suggested then",
    )
    parser.add_argument(
        REPLACE,
        action="store_true",
        help="where the record and the export differ, take what the export says; a label that is"
        " replaced is kept in the folder `replaced` of the record",
    )


def run_import(options: argparse.Namespace, reporter: Reporter) -> int:
    """Import an export or a list; returns the exit code 0, or 1 if something differs."""
    cohort, record = _opened(options, reporter)
    if options.source.suffix.lower() in _LISTS:
        return _import_list(options.source, cohort, record, reporter)
    content = read_content(options.source)
    unknown = sorted(content.cases - {case.case_id for case in cohort.cases})
    if unknown and len(unknown) == len(content.cases):
        msg = (
            f"None of the {counted(len(unknown), 'case')} of {options.source} is in this cohort,"
            f" such as {unknown[0]}. Give the export of this cohort."
        )
        raise UsageError(msg)
    if unknown:
        reporter.warning(
            f"Imported, but not in this cohort: {listed(unknown)}. Look for their images."
        )
    folder = options.source if options.source.is_dir() else options.source.parent
    merged = merge_content(record, content, folder, may_replace=options.replace)
    for text in (*merged.replaced, *merged.conflicts):
        reporter.warning(text)
    reporter.info(_told(merged))
    reporter.result({"labels": merged.n_labels, "conflicts": merged.conflicts})
    return 1 if merged.conflicts else 0


def _import_list(file: Path, cohort: Cohort, record: CohortRecord, reporter: Reporter) -> int:
    found = read_list(file, cohort)
    states, held = record.read_states(), read_evaluation_set(cohort, record).held_out
    now = {case: _state_of(case, record, states) for case in found.cases}
    open_cases = [case for case, state in now.items() if state in _TO_SUGGEST]
    new = [case for case in open_cases if case not in held]
    record.change_states(dict.fromkeys(new, CaseState.SUGGESTED), seen_revision=states.revision)
    append_event(record, "imported", details={"list": file.name, "cases": len(new)})
    kept = [case for case in open_cases if case in held]
    if kept:
        reporter.warning(
            f"{counted(len(kept), 'case')} of the list {'is' if len(kept) == 1 else 'are'} kept for"
            f" testing and not suggested: {listed(kept)}. Label them like the others, but do not"
            " train on them."
        )
    for state in sorted({*now.values()} - {*_TO_SUGGEST}):
        stay = [case for case, own in now.items() if own is state]
        reporter.info(
            f"{counted(len(stay), 'case')} of the list {'stays' if len(stay) == 1 else 'stay'}"
            f" {_STAYS.get(state, state)}: {listed(stay)}."
        )
    if found.repeated:
        reporter.info(f"Named more than once, and counted once: {listed(list(found.repeated))}.")
    if found.unknown:
        reporter.warning(
            f"{counted(len(found.unknown), 'row', 'names', 'name')} no case of this cohort:"
            f" {listed(list(found.unknown))}."
        )
    if found.n_masks:
        reporter.info(
            f"The list names {counted(found.n_masks, 'label file')}. They stay where they are; give"
            " `ciml-segmenter train` their folder with --labels."
        )
    reporter.info(f"{counted(len(new), 'case', 'is', 'are')} suggested now.")
    reporter.result({"suggested": new, "unknown": list(found.unknown)})
    return 0


def _state_of(case: str, record: CohortRecord, states: CaseStates) -> CaseState:
    state = states.of(case)
    is_labeled = state in _TO_SUGGEST and is_labelled(case, None, record, None)
    return CaseState.LABELLED if is_labeled else state


def _told(merged: Merged) -> str:
    parts = [
        counted(merged.n_labels, "label"),
        counted(merged.n_states, "state"),
        counted(merged.n_events, "line") + " of the history",
    ]
    text = f"Imported: {', '.join(parts)}."
    if merged.conflicts:
        text += f" {counted(len(merged.conflicts), 'difference')} left as they are; see above."
    return text


def _add_cohort(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="the record; default: the cohort's own"
    )


def _add_cases(parser: argparse.ArgumentParser) -> None:
    _add_cohort(parser)
    parser.add_argument("cases", nargs="+", metavar="CASE", help="cases as `inspect` lists them")
    parser.add_argument(
        "--reader", default=default_reader(), help="who reads (default: the login name)"
    )


def _opened(options: argparse.Namespace, reporter: Reporter) -> tuple[Cohort, CohortRecord]:
    cohort = find_cohort(options.cohort, reporter=reporter)
    if options.record is not None:
        check_apart(options.record, cohort.files, option="--record")
    return cohort, open_record(cohort.root, folder=options.record)


def _known(cases: list[str], cohort: Cohort) -> list[str]:
    names = [same_name(case) for case in cases]
    unknown = sorted(set(names) - {case.case_id for case in cohort.cases})
    if unknown:
        msg = f"There is no case {listed(unknown)} in this cohort. Give names as `inspect` does."
        raise UsageError(msg)
    return names


def _primary(asked: str | None, cohort: Cohort) -> str:
    if asked is not None and asked not in cohort.modalities:
        msg = (
            f"There is no modality {asked!r}; give --primary one of {', '.join(cohort.modalities)}."
        )
        raise UsageError(msg)
    return asked or cohort.modalities[0]
