"""The history of a record: what was done, by whom and when; lines are only ever added.

A line is written with one call at the end of the file and synced, by one process at a time: network
drives do not keep two that write at the end of a file from writing to the same place. A crash may
leave a part of a line, which is never read as an event; the next one begins on a line of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.environment import same_name, user_name
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.atomic_files import explained_writing
from MultimodalImagingLib.record.case_states import utc_now
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.record_folders import RecordFolders

FILE_NAME = "history.jsonl"
EVENTS = (
    *("opened", "closed", "autosaved", "saved", "skipped", "unskipped", "confirmed"),
    *("claimed", "released", "evaluation-chosen", "consensus"),
    *("trained", "segmented", "selected", "imported", "exported"),
)
_LOCK_WAIT_S = 5.0
_LOCK_SILENCE_S = 60.0  # writing a line takes milliseconds
_ADVICE = (
    "Only this line of the history is missing; labels and states are kept. Free space or get"
    " permission to write there."
)


@dataclass(frozen=True)
class HistoryEvent:
    """One line of the history.

    Attributes:
        at: UTC time in ISO 8601.
        reader: Who reads; empty if that is not known.
        by: Login name.
        event: What was done, one of `EVENTS`.
        case: The case; empty for what concerns several.
        details: More, by name; what `json` takes.
    """

    at: str
    reader: str
    by: str
    event: str
    case: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


def append_event(
    record: RecordFolders,
    event: str,
    case: str = "",
    *,
    reader: str = "",
    details: Mapping[str, object] | None = None,
) -> HistoryEvent:
    """Add an event to the history.

    Raises:
        CrossModalError: If the file cannot be written.
        ValueError: If the event is not one of `EVENTS`.
    """
    if event not in EVENTS:
        msg = f"Expected one of {', '.join(EVENTS)}, got {event!r}."
        raise ValueError(msg)
    found = HistoryEvent(utc_now(), reader, user_name(), event, same_name(case), details or {})
    append_events(record, [found])
    return found


def append_events(record: RecordFolders, events: list[HistoryEvent]) -> None:
    """Add events as they are, with one call.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    path = record.folder / FILE_NAME
    lines = [json.dumps(vars(e), sort_keys=True, ensure_ascii=False) + "\n" for e in events]
    lock, what = record.folder / "history.lock", f"The history {path}"
    with (
        explained_writing(what, _ADVICE),
        locked(lock, wait_s=_LOCK_WAIT_S, silent_for_s=_LOCK_SILENCE_S, what=what),
    ):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o666)
        try:
            begin = b"" if _ends_with_a_line(descriptor) else b"\n"
            _write_all(descriptor, begin + "".join(lines).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_history(record: RecordFolders) -> tuple[HistoryEvent, ...]:
    """Read all events, in the order in which they were written.

    Raises:
        CohortError: If the file cannot be opened.
    """
    return _read(record)[0]


def history_problem(record: RecordFolders) -> str:
    """Say how many lines of the history cannot be read; empty if all can.

    Raises:
        CohortError: If the file cannot be opened.
    """
    n_bad = _read(record)[1]
    if not n_bad:
        return ""
    return (
        f"{counted(n_bad, 'line')} of {record.folder / FILE_NAME} cannot be read, as a crash leaves"
        " them; the other lines are used."
    )


def _read(record: RecordFolders) -> tuple[tuple[HistoryEvent, ...], int]:
    path = record.folder / FILE_NAME
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return (), 0
    except OSError as error:
        msg = f"The history {path} cannot be read: {error.strerror}. Check the rights of the file."
        raise CohortError(msg) from error
    found = [_event(line) for line in lines if line.strip()]
    events = tuple(event for event in found if event is not None)
    return events, len(found) - len(events)


def history_event(content: Mapping[str, Any]) -> HistoryEvent:
    """Read one event.

    Raises:
        TypeError: If something is missing, or has another type.
    """
    event = HistoryEvent(**content)
    texts = (event.at, event.reader, event.by, event.event, event.case)
    if not all(isinstance(text, str) for text in texts) or not isinstance(event.details, dict):
        msg = "it is no event"
        raise TypeError(msg)
    return event


def _event(line: bytes) -> HistoryEvent | None:
    try:
        return history_event(json_value(line))
    except (ValueError, TypeError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:  # one call, but on a disk that is nearly full
        data = data[os.write(descriptor, data) :]


def _ends_with_a_line(descriptor: int) -> bool:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size == 0:
        return True
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"
