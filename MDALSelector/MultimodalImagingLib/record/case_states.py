"""What the record knows of cases: states, claims, the evaluation set, and the labels saved here.

All of it is one file, so that a change is there as a whole or not at all. An entry is a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.json_entry import json_value

FORMAT_VERSION = 2
_READ_VERSIONS = (1, 2)


class CaseState(StrEnum):
    """What has been done about labeling a case."""

    UNLABELLED = "unlabelled"
    SUGGESTED = "suggested"
    IN_PROGRESS = "in progress"
    LABELLED = "labelled"
    SKIPPED = "skipped"
    CHECK_PAIRING = "check pairing"
    CONFIRMED = "confirmed"


@dataclass(frozen=True)
class StateEntry:
    """The state of one case, who set it, and when.

    Attributes:
        state: The state.
        by: Login name of the user who set it.
        at: UTC time in ISO 8601.
        note: Why, in words, or what the label began as; may be empty.
        former: The state before this one.
    """

    state: CaseState
    by: str
    at: str
    note: str = ""
    former: CaseState = CaseState.UNLABELLED


@dataclass(frozen=True)
class Claim:
    """A case that a reader has open.

    Attributes:
        reader: Who reads.
        by: Login name.
        host: Name of the computer.
        since: UTC time in ISO 8601.
        touched: The last sign of life, in the same form.
        purpose: What for: `label` or `re-read`.
    """

    reader: str
    by: str
    host: str
    since: str
    touched: str
    purpose: str = "label"


@dataclass(frozen=True)
class SavedLabel:
    """A label that a reader has saved.

    Attributes:
        case_id: The case.
        reader: Who made it.
        path: The file, relative to the record's folder, with forward slashes.
        sha256: Checksum of the file as it was saved.
        at: UTC time in ISO 8601.
        looking_s: Seconds that the case was open.
        drawing_s: Seconds of these in which the label changed.
        began: The model whose draft it began as; empty if it began empty.
        is_blinded: Whether the reader did not see an earlier label of the case.
        changed_voxels: Voxels of the draft that were changed; `None` without a draft.
        draft_dice: Dice between draft and label; `None` without a draft.
    """

    case_id: str
    reader: str
    path: str
    sha256: str
    at: str
    looking_s: float = 0.0
    drawing_s: float = 0.0
    began: str = ""
    is_blinded: bool = False
    changed_voxels: int | None = None
    draft_dice: float | None = None


@dataclass(frozen=True)
class MadeMap:
    """Which label map of a case was made here, and from what.

    Attributes:
        sha256s: Checksums of the file: of the newest, and of the one before, for a crash may have
            come between noting and writing.
        source: The label that it was made from, relative to the record's folder.
        source_sha256: Checksum of that label.
    """

    sha256s: tuple[str, ...]
    source: str
    source_sha256: str


@dataclass(frozen=True)
class CaseStates:
    """The states of all cases that have one.

    Attributes:
        entries: Entry per case; a case without one is unlabeled.
        revision: Grows with every change; 0 when nothing was ever written.
        claims: Claim per case that somebody has open; see `claims.is_live`.
        evaluation: Per case that is set aside for testing, the group that it was drawn from.
        labels: Per case, the labels saved here, by the key of their file (`label_key`).
        maps: Per case, the label map made here.
    """

    entries: Mapping[str, StateEntry]
    revision: int
    claims: Mapping[str, Claim] = field(default_factory=dict)
    evaluation: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, SavedLabel]] = field(default_factory=dict)
    maps: Mapping[str, MadeMap] = field(default_factory=dict)

    def of(self, case_id: str) -> CaseState:
        """Return the state of a case."""
        entry = self.entries.get(case_id)
        return CaseState.UNLABELLED if entry is None else entry.state


def utc_now() -> str:
    """Return the time in ISO 8601; to the millisecond, which tells one save from the next."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def states_text(states: CaseStates) -> str:
    """Return the content of the file."""
    labels = {
        case: {key: _plain_label(label) for key, label in found.items()}
        for case, found in states.labels.items()
    }
    parts = {
        "cases": {case: vars(entry) for case, entry in states.entries.items()},
        "claims": {case: vars(claim) for case, claim in states.claims.items()},
        "evaluation": states.evaluation,
        "labels": labels,
        "maps": {case: vars(made) for case, made in states.maps.items()},
    }
    head = f'{{\n"format": {FORMAT_VERSION},\n"revision": {states.revision}'
    return (
        ",\n".join([head, *(f'"{name}": {_lines(part)}' for name, part in parts.items())]) + "\n}\n"
    )


def parse_states(text: str) -> CaseStates:
    """Read the content of the file.

    Raises:
        ValueError: If it is not what this program writes.
        KeyError: As above.
        TypeError: As above.
        AttributeError: As above.
    """
    content = json_value(text)
    if content["format"] not in _READ_VERSIONS:
        known = " and ".join(map(str, _READ_VERSIONS))
        msg = f"format {content['format']!r}, this version reads {known}"
        raise ValueError(msg)
    revision = content["revision"]
    if not isinstance(content["cases"], dict) or not isinstance(revision, int):
        msg = "`cases` or `revision` is missing"
        raise TypeError(msg)
    return CaseStates(
        {same_name(case): state_entry(item) for case, item in content["cases"].items()},
        revision,
        {
            same_name(case): claim_from_json(item)
            for case, item in content.get("claims", {}).items()
        },
        {same_name(case): _text(item) for case, item in content.get("evaluation", {}).items()},
        {
            same_name(case): {key: saved_label(item, case) for key, item in found.items()}
            for case, found in content.get("labels", {}).items()
        },
        {same_name(case): _made(item) for case, item in content.get("maps", {}).items()},
    )


def state_entry(item: Mapping[str, str]) -> StateEntry:
    """Read one entry; one of an older version has neither note nor former state.

    Raises:
        ValueError: If there is no such state.
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    former = CaseState(item.get("former", CaseState.UNLABELLED))
    note = item.get("note", "")
    if not isinstance(note, str):
        msg = f"the note {note!r} is no text"
        raise TypeError(msg)
    return StateEntry(CaseState(item["state"]), item["by"], item["at"], note, former)


def claim_from_json(item: Mapping[str, str]) -> Claim:
    """Read one claim.

    Raises:
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    names = ("reader", "by", "host", "since", "touched", "purpose")
    return Claim(*(_text(item[name]) for name in names))


def saved_label(item: Mapping[str, Any], case_id: str) -> SavedLabel:
    """Read a saved label.

    Raises:
        ValueError: If a number is out of range.
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    voxels, dice = item.get("changed_voxels"), item.get("draft_dice")
    return SavedLabel(
        same_name(case_id),
        _text(item["reader"]),
        _text(item["path"]),
        _text(item["sha256"]),
        _text(item["at"]),
        _seconds(item["looking_s"]),
        _seconds(item["drawing_s"]),
        _text(item["began"]),
        item["is_blinded"] is True,
        None if voxels is None else int(voxels),
        None if dice is None else float(dice),
    )


def _plain_label(label: SavedLabel) -> dict[str, object]:
    return {name: value for name, value in vars(label).items() if name != "case_id"}


def _lines(part: Mapping[str, object]) -> str:
    """Write an object with an entry per line: quick, and a change is the change of a line."""
    lines = [f"{_json(key)}: {_json(part[key])}" for key in sorted(part)]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _made(item: Mapping[str, Any]) -> MadeMap:
    sums = tuple(_text(value) for value in item["sha256s"])
    return MadeMap(sums, _text(item["source"]), _text(item["source_sha256"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"{value!r} is no text"
        raise TypeError(msg)
    return value


def _seconds(value: object) -> float:
    seconds = float(value)  # type: ignore[arg-type]
    if not math.isfinite(seconds) or seconds < 0:
        msg = f"{value!r} is no duration"
        raise ValueError(msg)
    return seconds
