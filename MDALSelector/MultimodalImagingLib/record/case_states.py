"""What the record knows of cases: states, claims, the evaluation set, and the labels saved here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


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
        sha256s: Checksums that the file may have: the newest, and those before, for a crash may
            have come between noting and writing.
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
