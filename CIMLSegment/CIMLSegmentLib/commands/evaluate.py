"""The command `evaluate`: results against reference labels. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from CIMLSegmentLib.inference.case_input import modality_rows
from CIMLSegmentLib.results.case_roles import CaseRole
from CIMLSegmentLib.task.label_values import OPTION, named_schemes
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.evaluation_set import (
    drafts_text,
    labels_from_drafts,
    read_evaluation_set,
)
from MultimodalImagingLib.cohorts.folders import stem
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPattern
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders
from MultimodalImagingLib.record.cohort_record import CohortRecord, existing_record
from MultimodalImagingLib.record.ownership import check_apart

if TYPE_CHECKING:
    from CIMLSegmentLib.results.evaluation import Evaluation


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `evaluate` command to its parser."""
    parser.add_argument("results", type=Path, help="output folder of `segment`")
    parser.add_argument(
        "--reference",
        type=Path,
        required=True,
        metavar="COHORT",
        help="cohort with labels, or folder of label maps that are named like the cases",
    )
    parser.add_argument(
        "--output", type=Path, help="where to write evaluation.csv and .json; default: the results"
    )
    parser.add_argument(
        "--count-missing",
        action="store_true",
        help="count cases without a result as empty predictions; else they are only listed",
    )
    parser.add_argument(
        "--record",
        type=Path,
        help="folder of the cohort's record, which says which cases are set aside for testing",
    )
    add_label_values_argument(parser)
    add_modality_argument(parser)


def add_label_values_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what the values of label maps are."""
    schemes = ", ".join(scheme.name for scheme in named_schemes())
    parser.add_argument(
        OPTION,
        default="",
        metavar="VALUE=LABEL,...",
        help="what the values of the label maps are, for example 3=ET,4=ignore or Tumor=lesion;"
        f" others=ignore for all else; or one of {schemes}",
    )


def add_case_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that names cases; `what` says what is done with them alone."""
    text = f"{what}; may be given several times"
    parser.add_argument("--case", action="append", default=[], metavar="NAME", help=text)


def run_evaluate(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `evaluate` command; returns the exit code 0.

    Raises:
        CohortError: If there is nothing to compare.
    """
    from rich.console import Console

    from CIMLSegmentLib.results.evaluation import evaluate_results
    from CIMLSegmentLib.results.evaluation_files import (
        check_evaluation_files,
        remarks,
        summary_tables,
        write_evaluation,
    )
    from CIMLSegmentLib.results.segmentation_result import read_results

    output = options.results if options.output is None else options.output
    check_can_hold_folders(output)
    check_evaluation_files(output)
    results = [result.case_id for result in read_results(options.results)]
    references, tests = find_references(
        options.reference,
        modality_rows(options),
        case_ids=results,
        record=options.record,
        reporter=reporter,
    )
    check_apart(output, [file.path for file in references.values()])
    evaluation = evaluate_results(
        options.results,
        references,
        count_missing=options.count_missing,
        label_values=options.label_values,
        set_aside=tests,
        reporter=reporter,
    )
    _tell_of_drafts(evaluation.by_role(), references, reporter)
    output.mkdir(parents=True, exist_ok=True)
    csv_file, json_file = write_evaluation(evaluation, output)
    for text in remarks(evaluation):
        reporter.info(text)
    if not getattr(options, "events", False):
        console = Console() if sys.stdout.isatty() else Console(width=100)
        for table in summary_tables(evaluation):
            console.print(table)
    reporter.result({"evaluation": str(json_file), "table": str(csv_file)})
    return 0


class References(NamedTuple):
    """What results are compared with.

    Attributes:
        labels: Label map per case.
        tests: Cases that the record sets aside for testing.
    """

    labels: Mapping[str, ImageFile]
    tests: frozenset[str]


def find_references(
    path: Path,
    rows: Sequence[ModalityPattern] = (),
    *,
    case_ids: Sequence[str] = (),
    record: Path | None = None,
    reporter: Reporter | None = None,
) -> References:
    """Find the label map of every case; one made here comes before the one that a cohort has.

    Args:
        path: A cohort with labels, or a folder of label maps that are named like the cases.
        rows: Rows that come before the cohort's table.
        case_ids: Cases that label maps are wanted for; files of others keep their own names.
        record: Folder of the cohort's record; `None` for the usual one, if it is there.
        reporter: Notified of files that could not be matched.

    Raises:
        CohortError: If there is no label map, or the record cannot be read.
    """
    try:
        cohort = find_cohort(path, patterns=patterns_for(path, rows))
    except CohortError:
        found = _labels_of_folder(path, case_ids, reporter or NullReporter())
        if not found:
            raise
        return References(found, _set_aside(existing_record(path, record)))
    found_record = existing_record(cohort.root, record)
    cases, tests = cohort.cases, frozenset[str]()
    if found_record is not None:
        cases = labelled_cases(cohort, found_record, None)
        tests = frozenset(read_evaluation_set(cohort, found_record).cases)
    labels = {case.case_id: case.label for case in cases if case.label is not None}
    if not labels:
        msg = (
            f"Expected label maps in {path}, found {counted(len(cohort.cases), 'case')}"
            " without any. Name the"
            " label files with --modality PATTERN=label, or give a folder of label maps that are"
            " named like the cases."
        )
        raise CohortError(msg)
    return References(labels, tests)


def _set_aside(record: CohortRecord | None) -> frozenset[str]:
    """Return the cases that a record sets aside, where only their label maps are known."""
    return frozenset(map(same_name, () if record is None else record.read_states().evaluation))


def _tell_of_drafts(
    parts: Mapping[CaseRole, Evaluation], references: Mapping[str, ImageFile], reporter: Reporter
) -> None:
    tests = parts.get(CaseRole.EVALUATION)
    names = [] if tests is None else dict.fromkeys(score.case_id for score in tests.scores)
    drafted = labels_from_drafts({name: references[name] for name in names})
    if drafted:
        reporter.warning(drafts_text(drafted))


def _labels_of_folder(
    path: Path, case_ids: Sequence[str], reporter: Reporter
) -> dict[str, ImageFile]:
    found = label_maps_in(path, case_ids)
    for problem in found.problems:
        tell = reporter.info if problem.severity == "info" else reporter.warning
        tell(str(problem))
    others = {stem(file): file for file in found.unused if file.parent == path}
    return {case: ImageFile(file) for case, file in sorted({**others, **found.labels}.items())}
