"""The record of a cohort: where it lies, and the state of every case.

`<cohort>/.crossmodal/` holds `cases.json` (states), `runs/`, `labels/`, `models/` and `cache/`. The
record of a cohort that is not writable lies elsewhere. Everything is written atomically, and
of two users who change states at the same time, the second gets an error.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.environment import home_folder, same_name, user_name
from MultimodalImagingLib.record.atomic_files import is_writable_folder, write_json
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.ownership import RECORD_NAME

FOLDER_NAME = RECORD_NAME
FORMAT_VERSION = 1
LOCK_WAIT_S = 5.0
LOCK_SILENCE_S = 60.0  # writing states takes milliseconds


class CaseState(StrEnum):
    """What has been done about labeling a case."""

    UNLABELLED = "unlabelled"
    SUGGESTED = "suggested"
    IN_PROGRESS = "in progress"
    LABELLED = "labelled"
    SKIPPED = "skipped"
    CHECK_PAIRING = "check pairing"


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
class CaseStates:
    """The states of all cases that have one.

    Attributes:
        entries: Entry per case; a case without one is unlabeled.
        revision: Grows with every change; 0 when nothing was ever written.
    """

    entries: Mapping[str, StateEntry]
    revision: int

    def of(self, case_id: str) -> CaseState:
        """Return the state of a case."""
        entry = self.entries.get(case_id)
        return CaseState.UNLABELLED if entry is None else entry.state


@dataclass(frozen=True)
class CohortRecord:
    """A cohort's record in a folder that exists and can be written.

    Attributes:
        folder: The record's own folder.
    """

    folder: Path

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again; may be deleted at any time."""
        return self.folder / "cache"

    @property
    def labels(self) -> Path:
        """Folder of the labels that were made here."""
        return self.folder / "labels"

    @property
    def models(self) -> Path:
        """Folder of the models that were trained here."""
        return self.folder / "models"

    @property
    def results(self) -> Path:
        """Folder of results, with a folder per model in it."""
        return self.folder / "results"

    def new_run_folder(self, name: str) -> Path:
        """Create the next numbered folder for a run, for example `runs/003-DiverseMD`."""
        runs = self.folder / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name[:3]) for path in runs.iterdir() if path.name[:3].isdigit()]
        number = max(numbers, default=0) + 1
        while True:
            folder = runs / f"{number:03d}-{name}"
            try:
                folder.mkdir()
            except FileExistsError:  # another run of the same second
                number += 1
            else:
                return folder

    def read_states(self) -> CaseStates:
        """Read the states of all cases.

        Raises:
            CohortError: If the file is not what this program writes.
        """
        path = self.folder / "cases.json"
        if not path.exists():
            return CaseStates({}, 0)
        try:
            content = json_value(path.read_text(encoding="utf-8"))
            return _parse_states(content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = (
                f"Expected the states of the cases in {path}, but the file cannot be read"
                f" ({error}). Restore it from a backup, or move it away to start without states."
            )
            raise CohortError(msg) from error

    def change_states(
        self,
        changes: Mapping[str, CaseState],
        *,
        seen_revision: int | None = None,
        note: str = "",
    ) -> CaseStates:
        """Set states and keep all others.

        Args:
            changes: New state per case.
            seen_revision: The revision on which the user decided; `None` to accept any.
            note: Why, in words.

        Returns:
            The states as they are now.

        Raises:
            CohortError: If another user changed one of these cases since.
            LockedError: If another process is writing now.
        """
        path, what = self.folder / "cases.lock", f"The record {self.folder}"
        with locked(path, wait_s=LOCK_WAIT_S, silent_for_s=LOCK_SILENCE_S, what=what):
            current = self.read_states()
            if seen_revision is not None and current.revision != seen_revision:
                self._refuse_conflicts(current, changes)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            entries = dict(current.entries)
            for case_id, state in changes.items():
                new, before = CaseState(state), current.entries.get(case_id)
                former = current.of(case_id)
                if before is not None and before.state is new:
                    former = before.former
                entries[case_id] = StateEntry(new, user_name(), now, note, former)
            states = CaseStates(entries, current.revision + 1)
            cases = {case_id: asdict(entry) for case_id, entry in entries.items()}
            content = {"format": FORMAT_VERSION, "revision": states.revision, "cases": cases}
            write_json(self.folder / "cases.json", content)
        return states

    def _refuse_conflicts(self, current: CaseStates, changes: Mapping[str, CaseState]) -> None:
        for case_id, state in changes.items():
            entry = current.entries.get(case_id)
            if entry is not None and entry.state != state:
                msg = (
                    f"Case {case_id} was set to '{entry.state}' by {entry.by} at {entry.at}, after"
                    f" this view was opened. Refresh the list, then set '{state}' again if needed."
                )
                raise CohortError(msg)


def open_record(cohort_root: Path, *, folder: Path | None = None) -> CohortRecord:
    """Find or create the record of a cohort.

    Args:
        cohort_root: The cohort's folder, or its CSV manifest.
        folder: Where the record shall be; `None` for `<cohort>/.crossmodal`, or for a cohort that
            cannot be written, a folder of its name under `~/.crossmodal/cohorts`.

    Raises:
        UsageError: If the folder cannot be created or written.
    """
    chosen = folder if folder is not None else default_record_folder(cohort_root)
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"The record folder {chosen} cannot be created ({error.strerror}). Choose another with"
            " --record."
        )
        raise UsageError(msg) from error
    if not is_writable_folder(chosen):
        msg = f"The record folder {chosen} is not writable. Choose another with --record."
        raise UsageError(msg)
    return CohortRecord(chosen)


def default_record_folder(cohort_root: Path) -> Path:
    """Return where the record of a cohort lies unless the user chose a folder.

    Raises:
        UsageError: If the cohort may not be written and the user has no home folder.
    """
    root = cohort_root if cohort_root.is_dir() else cohort_root.parent
    inside = root / FOLDER_NAME
    if is_writable_folder(inside if inside.is_dir() else root):
        return inside
    home = home_folder()
    if home is None:
        msg = (
            f"The cohort {root} may not be written, and this user has no home folder in which its"
            " record could lie. Choose a folder for it with --record."
        )
        raise UsageError(msg)
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:8]
    return home / FOLDER_NAME / "cohorts" / f"{root.resolve().name}-{digest}"


def _parse_states(content: dict[str, object]) -> CaseStates:
    if content["format"] != FORMAT_VERSION:
        msg = f"format {content['format']!r}, this version reads {FORMAT_VERSION}"
        raise ValueError(msg)
    cases, revision = content["cases"], content["revision"]
    if not isinstance(cases, dict) or not isinstance(revision, int):
        msg = "`cases` or `revision` is missing"
        raise TypeError(msg)
    entries = {same_name(case_id): _parse_entry(item) for case_id, item in cases.items()}
    return CaseStates(entries, revision)


def _parse_entry(item: Mapping[str, str]) -> StateEntry:
    """Read one entry; one of an older version has neither note nor former state."""
    former = CaseState(item.get("former", CaseState.UNLABELLED))
    note = item.get("note", "")
    if not isinstance(note, str):
        msg = f"the note {note!r} is no text"
        raise TypeError(msg)
    return StateEntry(CaseState(item["state"]), item["by"], item["at"], note, former)
