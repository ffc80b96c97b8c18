"""Exports of a record: a new folder with all that it knows, and with the labels themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from MDALSelectorLib.exchange.record_content import RecordContent, write_content
from MDALSelectorLib.exchange.record_merge import copy_label
from MDALSelectorLib.exchange.record_settings import take_over_settings
from MultimodalImagingLib.cohorts.class_labels import class_files
from MultimodalImagingLib.cohorts.label_maps import is_foreign
from MultimodalImagingLib.cohorts.reader_labels import (
    folder_name,
    label_files,
    label_key,
    plain_name,
)
from MultimodalImagingLib.cohorts.saved_labels import saved_labels
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import explained_writing
from MultimodalImagingLib.record.atomic_folder import new_folder
from MultimodalImagingLib.record.case_states import CaseStates, SavedLabel
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event, read_history
from MultimodalImagingLib.record.readers import BLINDED_MARK
from MultimodalImagingLib.record.rounds import read_rounds

_SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")


def content_of(record: CohortRecord) -> RecordContent:
    """Read all that a record knows; label files that nobody noted are among its labels.

    Raises:
        CohortError: If the record cannot be read.
    """
    states = record.read_states()
    labels = sorted(_labels(record, states), key=lambda label: (label.case_id, label.path))
    return RecordContent(
        states.entries,
        states.claims,
        states.evaluation,
        tuple(labels),
        read_history(record),
        read_rounds(record),
    )


def export_record(record: CohortRecord, output: Path, reporter: Reporter) -> RecordContent:
    """Write all that a record knows into a new folder, with copies of the labels.

    Args:
        record: The record.
        output: The folder; it must not hold anything.
        reporter: Told of labels that were changed in another program since they were saved.

    Raises:
        UsageError: If the folder exists already.
        CrossModalError: If it cannot be written.
    """
    content = content_of(record)
    for label in _gone(record, content):
        reporter.warning(
            f"The label of {label.reader} for case {label.case_id} was saved at {label.at}, but"
            f" {label.path} is not in the record any more. Restore it from a backup."
        )
    reporter.stage("Copy labels", len(content.labels))
    labels = []
    with (
        new_folder(output) as folder,
        explained_writing(str(output), "Free space, then try again."),
    ):
        for label in content.labels:
            copy = folder / label.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy_label(record.folder / label.path, copy)
            labels.append(_as_it_is(label, copy, reporter))
            reporter.advance()
        content = replace(content, labels=tuple(labels))
        write_content(folder, content)
        take_over_settings(CohortRecord(folder), record)
    append_event(record, "exported", details={"labels": len(labels), "folder": output.name})
    return content


def _gone(record: CohortRecord, content: RecordContent) -> list[SavedLabel]:
    there = {label.path for label in content.labels}
    return [label for label in saved_labels(record) if label.path not in there]


def _as_it_is(label: SavedLabel, copy: Path, reporter: Reporter) -> SavedLabel:
    """Return a label with the checksum of the copy, which may have been edited elsewhere."""
    checksum = file_checksum(copy)
    if checksum != label.sha256:
        reporter.warning(
            f"The label of {label.reader} for case {label.case_id} was changed in another program"
            " since it was saved; it is exported as it is now."
        )
    return replace(label, sha256=checksum)


def _labels(record: CohortRecord, states: CaseStates) -> Iterator[SavedLabel]:
    """Yield the label files of a record, as they were noted where they were."""
    if not record.labels.is_dir():
        return
    known = (*states.entries, *states.labels, *states.maps)
    folders = {folder_name(case): case for case in known}
    files = {plain_name(case): case for case in known}
    for path in record.labels.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            case_id = folders.get(path.name) or unquote(path.name)
            yield from _of_case(case_id, record, states)
        elif path.name.endswith(_SUFFIXES):
            name = path.name[: -len(_suffix(path))]
            case_id = files.get(name) or unquote(name)
            made = states.maps.get(case_id)
            if made is None or is_foreign(path, made):
                yield _unnoted(case_id, "", path, record)


def _of_case(case_id: str, record: CohortRecord, states: CaseStates) -> Iterator[SavedLabel]:
    noted = states.labels.get(case_id, {})
    files = label_files(case_id, record) | class_files(case_id, record)
    for key, file in files.items():
        yield noted.get(key) or _unnoted(case_id, key, file, record)


def _unnoted(case_id: str, key: str, file: Path, record: CohortRecord) -> SavedLabel:
    reader = key.split(BLINDED_MARK, maxsplit=1)[0]
    return SavedLabel(
        case_id,
        reader,
        file.relative_to(record.folder).as_posix(),
        file_checksum(file),
        datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds"),
        is_blinded=key != "" and key == label_key(reader, is_blinded=True),
    )


def _suffix(file: Path) -> str:
    return next(suffix for suffix in _SUFFIXES if file.name.endswith(suffix))
