"""The command `mdal-selector classes`: cohorts whose label is a class per case. Needs no torch."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from MDALSelectorLib.commands.opening import opened_cohort
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_labels import new_class_label, save_class_label
from MultimodalImagingLib.cohorts.class_table import (
    KnownClasses,
    known_classes,
    write_class_table,
)
from MultimodalImagingLib.cohorts.given_classes import (
    given_texts,
    meant_classes,
    read_class_table,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.class_task import (
    ClassTask,
    read_class_task,
    read_task_file,
    remove_class_task,
    task_of_names,
    write_class_task,
)
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.ownership import check_apart
from MultimodalImagingLib.record.readers import default_reader


def add_classes_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `classes` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--names", metavar="A,B", help="the classes that a case can have")
    task.add_argument(
        "--task",
        type=Path,
        metavar="FILE",
        help="JSON with `classes` (names, or objects with name, color and value) and `question`",
    )
    task.add_argument(
        "--from-cohort",
        action="store_true",
        help="take the names in the column `class` of the manifest, or in classes.csv",
    )
    task.add_argument(
        "--remove", action="store_true", help="make it a cohort to segment again; classes stay"
    )
    parser.add_argument(
        "--import",
        dest="table",
        type=Path,
        metavar="FILE",
        help="read classes from a CSV file with the columns case (or uid) and class",
    )
    parser.add_argument("--reader", help="who gave the imported classes (default: login name)")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write all classes as .csv or .json"
    )
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
    add_modality_argument(parser)


def run_classes(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `classes` command; returns the exit code 0.

    Raises:
        UsageError: If the cohort has no classes and none are given.
    """
    cohort, record = opened_cohort(options, reporter)
    if options.remove:
        remove_class_task(record)
        reporter.info("The cohort is one to segment again. Classes that were given are kept.")
        return 0
    task = _task(options, cohort, record)
    if options.table is not None:
        _import(options.table, options.reader or default_reader(), (cohort, record, task), reporter)
    known = known_classes(cohort, record, task)
    case_ids = [case.case_id for case in cohort.cases]
    for problem in known.problems:
        reporter.warning(problem)
    if options.export is not None:
        check_apart(options.export, cohort.files, option="--export")
        write_class_table(options.export, known, task, case_ids)
    reporter.result(_content(known, task, len(case_ids), options.export))
    return 0


def _task(options: argparse.Namespace, cohort: Cohort, record: CohortRecord) -> ClassTask:
    """Return the task that is asked for, which is kept, or else the one that is kept."""
    kept = read_class_task(record)
    wanted = None
    if options.names is not None:
        wanted = task_of_names(options.names.split(","))
    elif options.task is not None:
        wanted = read_task_file(options.task)
    elif options.from_cohort:
        wanted = task_of_names(sorted({*given_texts(cohort).values()}))
    if wanted is None and kept is None:
        msg = (
            "Expected the classes of the cohort, found none in its record. Give them with --names,"
            " --task, or --from-cohort."
        )
        raise UsageError(msg)
    if wanted is None or wanted == kept:
        return kept or wanted  # type: ignore[return-value]
    used = {} if kept is None else Counter(known_classes(cohort, record, kept).labels.names)
    write_class_task(record, wanted, used=used)
    return wanted


def _import(
    table: Path, reader: str, place: tuple[Cohort, CohortRecord, ClassTask], reporter: Reporter
) -> None:
    """Save the classes of a table as those of a reader; what this reader gave before stays."""
    cohort, record, task = place
    texts = read_class_table(table)
    found = meant_classes(texts, task, [case.case_id for case in cohort.cases])
    for problem in found.problems:
        reporter.warning(problem)
    labels = known_classes(cohort, record, task).labels
    own = {case: label.name for case in found.of_case if (label := labels.by(case, reader))}
    other = sorted(case for case, name in own.items() if found.of_case[case] != name)
    if other:
        reporter.warning(
            f"{reader} gave {counted(len(other), 'case')} another class before, which is kept:"
            f" {listed(other)}. Change them in the panel, or import as another --reader."
        )
    new = {case: name for case, name in found.of_case.items() if case not in own}
    reporter.stage("Save classes", len(new))
    for case_id, name in new.items():
        save_class_label(record, new_class_label(case_id, reader, name))
        reporter.advance()


def _content(
    known: KnownClasses, task: ClassTask, n_cases: int, export: Path | None
) -> dict[str, object]:
    counts = Counter(known.of_case.values())
    content: dict[str, object] = {"classes": {name: counts[name] for name in task.names}}
    content["without a class"] = n_cases - len(known.of_case)
    content["by readers"] = _per_reader(known)
    content["disputed"] = list(known.labels.disputed)
    return content if export is None else {**content, "table": str(export)}


def _per_reader(known: KnownClasses) -> dict[str, int]:
    readers: Iterable[str] = (
        label.reader for own in known.labels.of_case.values() for label in own
    )
    return dict(sorted(Counter(readers).items()))
