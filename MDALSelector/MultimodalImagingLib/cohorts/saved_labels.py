"""Labels that readers have saved: noted in the record with checksum, times and origin."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from MultimodalImagingLib.cohorts.reader_labels import label_key
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, SavedLabel, utc_now
from MultimodalImagingLib.record.checksums import FileChecksums, file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.readers import CONSENSUS, checked_reader, spelling_of
from MultimodalImagingLib.record.shared_record import overlooked_text
from MultimodalImagingLib.record.state_changes import with_states

_CHECKSUMS = "labels"


def new_saved_label(
    case_id: str, reader: str, file: Path, record: CohortRecord, *, is_blinded: bool = False
) -> SavedLabel:
    """Describe a file that was just saved; times and origin are filled in with `replace`.

    Args:
        case_id: The case.
        reader: Who made it; `CONSENSUS` for a consensus.
        file: The file, as `reader_label_place` or `consensus_place` gives it.
        record: The cohort's record.
        is_blinded: Whether the reader did not see an earlier label.

    Raises:
        CohortError: If the file is not there, or is not in the record.
    """
    try:
        path = file.absolute().relative_to(record.folder.absolute()).as_posix()
        checksum = file_checksum(file)
    except (OSError, ValueError) as error:
        msg = (
            f"Expected the saved label of case {case_id} in the record {record.folder}, got {file}"
            f" ({error}). Save it again."
        )
        raise CohortError(msg) from error
    return SavedLabel(same_name(case_id), reader, path, checksum, utc_now(), is_blinded=is_blinded)


def note_saved_label(record: CohortRecord, saved: SavedLabel, *, note: str = "") -> CaseStates:
    """Note a label whose file is on disk: the case is labeled now.

    Args:
        record: The cohort's record.
        saved: The label; its times are those since the case was opened or saved before. They are
            added to what the record knows of this reader and case.
        note: What the entry of the case says, in words.

    Returns:
        The states as they are now.

    Raises:
        CrossModalError: If the record cannot be written; the message says where the label is.
    """
    is_consensus = saved.reader == CONSENSUS
    reader = saved.reader if is_consensus else checked_reader(saved.reader)
    key = label_key(reader, is_blinded=saved.is_blinded)

    def change(current: CaseStates) -> CaseStates:
        own = dict(current.labels.get(saved.case_id, {}))
        known = spelling_of(key, own)
        before = own.get(known)
        new = replace(saved, at=_later(saved.at, own.values()))
        own[known] = new if before is None else _added(new, before)
        labelled = with_states(current, {saved.case_id: CaseState.LABELLED}, note)
        return replace(labelled, labels={**current.labels, saved.case_id: own})

    try:
        states = record.update(change)
        details = {k: v for k, v in vars(saved).items() if k not in ("case_id", "reader", "at")}
        event = "consensus" if is_consensus else "saved"
        append_event(record, event, saved.case_id, reader=reader, details=details)
    except CrossModalError as error:
        file = record.folder / saved.path
        msg = f"The label of case {saved.case_id} is saved in {file}. But: {error}"
        raise type(error)(msg) from error
    return states


def saved_labels(record: CohortRecord) -> tuple[SavedLabel, ...]:
    """Return the labels that were noted, by case and reader.

    Raises:
        CohortError: If the record cannot be read.
    """
    return tuple(_all(record.read_states()))


def changed_elsewhere(record: CohortRecord) -> tuple[SavedLabel, ...]:
    """Return the labels whose files are not as they were saved here, or are gone.

    Files that did not change since the last call are not read again.

    Raises:
        CohortError: If the record cannot be read.
    """
    checksums = FileChecksums(record.cache / _CHECKSUMS, record.folder)
    labels = saved_labels(record)
    found = [label for label in labels if checksums.of(record.folder / label.path) != label.sha256]
    with suppress(CrossModalError, OSError):  # else they are only read again next time
        checksums.save()
    return tuple(found)


def record_remarks(cohort_root: Path, record: CohortRecord) -> Iterator[str]:
    """Yield a sentence for all that a user of the labels of a record should know.

    Args:
        cohort_root: The cohort's folder, or its CSV manifest.
        record: The record that is used.

    Raises:
        CohortError: If the record cannot be read.
    """
    text = overlooked_text(cohort_root, record)
    if text:
        yield text
    yield from edited_labels(record)


def edited_labels(record: CohortRecord) -> Iterator[str]:
    """Yield a sentence for each label that is not as it was saved, for all who use labels.

    Raises:
        CohortError: If the record cannot be read.
    """
    for label in changed_elsewhere(record):
        who = f"The label of {label.reader} for case {label.case_id}"
        if not (record.folder / label.path).exists():
            yield (
                f"{who}, saved at {label.at}, is not in the record any more ({label.path})."
                " Restore it from a backup, or label the case again."
            )
        else:
            yield (
                f"{who} was changed in another program since it was saved at {label.at}; it is"
                f" used as it is now ({label.path}). Open it and save it again if that is right."
            )


def _all(states: CaseStates) -> Iterator[SavedLabel]:
    for case_id in sorted(states.labels):
        yield from (label for _, label in sorted(states.labels[case_id].items()))


def _later(at: str, others: Collection[SavedLabel]) -> str:
    """Return a time after those of other labels, for the order is that in which they were saved.

    Clocks of two computers differ, and clocks are set back.
    """
    newest = max((_time(label.at) for label in others), default=None)
    if newest is None or _time(at) > newest:
        return at
    return (newest + timedelta(milliseconds=1)).isoformat(timespec="milliseconds")


def _time(at: str) -> datetime:
    """Read a time; what is none is earlier than all others."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _added(saved: SavedLabel, before: SavedLabel) -> SavedLabel:
    return replace(
        saved,
        looking_s=before.looking_s + saved.looking_s,
        drawing_s=before.drawing_s + saved.drawing_s,
    )
