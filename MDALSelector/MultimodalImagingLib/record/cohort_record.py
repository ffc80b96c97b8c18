"""The record of a cohort: where it lies, and what is done to the states of its cases.

`<cohort>/.crossmodal/` holds `cases.json` (states, claims, evaluation set, saved labels),
`history.jsonl`, `rounds.json`, `runs/`, `labels/`, `autosave/`, `models/`, `results/` and `cache/`.
The record of a cohort that is not writable lies elsewhere. Everything is written atomically, and of
two users who change states at the same time, the second gets an error.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.environment import home_folder, same_name, user_name
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.atomic_files import (
    explained_writing,
    is_writable_folder,
    write_text,
)
from MultimodalImagingLib.record.case_states import (
    CaseState,
    CaseStates,
    Claim,
    SavedLabel,
    StateEntry,
    utc_now,
)
from MultimodalImagingLib.record.claims import timed_out, with_claim, without_claim
from MultimodalImagingLib.record.history import append_event, read_history
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.ownership import RECORD_NAME
from MultimodalImagingLib.record.readers import checked_reader
from MultimodalImagingLib.record.record_folders import RecordFolders
from MultimodalImagingLib.record.rounds import read_rounds
from MultimodalImagingLib.record.state_changes import check_conflicts, events_of, with_states
from MultimodalImagingLib.record.states_file import parse_states, remember_states, states_text

__all__ = [
    "CaseState",
    "CaseStates",
    "Claim",
    "CohortRecord",
    "SavedLabel",
    "StateEntry",
    "default_record_folder",
    "open_record",
]
FOLDER_NAME = RECORD_NAME
FILE_NAME = "cases.json"
LOCK_WAIT_S = 5.0
LOCK_SILENCE_S = 60.0  # writing states takes milliseconds
_ADVICE = (
    "Labels and states that were saved before are unchanged. Make sure that the folder is there and"
    " may be written, and that its disk is not full; then try again."
)


@dataclass(frozen=True)
class CohortRecord(RecordFolders):
    """A cohort's record in a folder that exists and can be written."""

    def read_states(self) -> CaseStates:
        """Read the states of all cases.

        Raises:
            CohortError: If the file is not what this program writes, or the cohort is gone.
        """
        path = self.folder / FILE_NAME
        try:
            return parse_states(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if self.folder.name == FOLDER_NAME and not self.folder.parent.exists():
                msg = (  # not to be taken for a cohort of which nothing is labeled
                    f"The record {self.folder} cannot be read, because the folder of its cohort is"
                    " not there any more. Connect its disk, then try again."
                )
                raise CohortError(msg) from None
            return CaseStates({}, 0)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = (
                f"Expected the states of the cases in {path}, but the file cannot be read"
                f" ({error}). Restore it from a backup, or move it away to start without states."
            )
            raise CohortError(msg) from error

    def update(self, change: Callable[[CaseStates], CaseStates]) -> CaseStates:
        """Change what the record knows of cases, while no other process does.

        Args:
            change: Gets what is known now and returns what shall be; its revision does not count.
                Nothing is written if it returns what it got, or raises.

        Raises:
            LockedError: If another process is writing now.
            CrossModalError: If the file cannot be written; the old one is then untouched.
        """
        path, what = self.folder / "cases.lock", f"The record {self.folder}"
        with (
            explained_writing(what, _ADVICE),
            locked(path, wait_s=LOCK_WAIT_S, silent_for_s=LOCK_SILENCE_S, what=what) as lock,
        ):
            current = self.read_states()
            changed = change(current)
            if changed is current:
                return current
            states = replace(changed, revision=current.revision + 1)
            text = states_text(states)
            lock.check()
            write_text(self.folder / FILE_NAME, text)
        remember_states(text, states)
        return states

    def change_states(
        self,
        changes: Mapping[str, CaseState],
        *,
        seen_revision: int | None = None,
        note: str = "",
        reader: str = "",
    ) -> CaseStates:
        """Set states and keep all others.

        Args:
            changes: New state per case.
            seen_revision: The revision on which the user decided; `None` to accept any.
            note: Why, in words.
            reader: Who decided, for the history.

        Returns:
            The states as they are now.

        Raises:
            CohortError: If another user changed one of these cases since.
            LockedError: If another process is writing now.
            CrossModalError: If a file cannot be written.
        """
        events: list[tuple[str, str]] = []

        def change(current: CaseStates) -> CaseStates:
            if seen_revision is not None and current.revision != seen_revision:
                check_conflicts(current, changes)
            events[:] = events_of(current, changes)
            return with_states(current, changes, note)

        states = self.update(change)
        for event, case_id in events:
            details = {"note": note} if note else {}
            append_event(self, event, case_id, reader=reader, details=details)
        return states

    def confirmed_cases(self) -> frozenset[str]:
        """Return the cases of which a user has confirmed that their images belong together.

        Raises:
            CohortError: If the record cannot be read.
        """
        entries = self.read_states().entries.items()
        now = {case for case, entry in entries if entry.state is CaseState.CONFIRMED}
        return frozenset(now | {e.case for e in read_history(self) if e.event == "confirmed"})

    def claim(self, case_id: str, reader: str, *, purpose: str = "label") -> Claim:
        """Take a case for a reader, or renew their claim. One that timed out is taken over.

        Raises:
            ClaimedError: If another reader has the case, or the same one on another computer.
            UsageError: If this can be no name of a reader.
            LockedError: If another process is writing now.
            CrossModalError: If a file cannot be written.
        """
        case_id, now, host = same_name(case_id), utc_now(), socket.gethostname()
        new = Claim(checked_reader(reader), user_name(), host, now, now, purpose)
        former: list[Claim | None] = []

        def change(current: CaseStates) -> CaseStates:
            former.append(current.claims.get(case_id))
            return with_claim(current, case_id, new)

        claim = self.update(change).claims[case_id]
        if claim is new:
            details = {"purpose": purpose, **timed_out(former[0])}
            append_event(self, "claimed", case_id, reader=new.reader, details=details)
        return claim

    def release(self, case_id: str, reader: str) -> None:
        """Give a case back that a reader has claimed, also on another computer.

        Raises:
            ClaimedError: If another reader has it.
            LockedError: If another process is writing now.
            CrossModalError: If a file cannot be written.
        """
        case_id = same_name(case_id)
        released: list[str] = []

        def change(current: CaseStates) -> CaseStates:
            found = without_claim(current, case_id, reader)
            if found is not current:
                released.append(current.claims[case_id].reader)
            return found

        self.update(change)
        for name in released:
            append_event(self, "released", case_id, reader=name)

    def set_evaluation(self, groups: Mapping[str, str], *, seed: int) -> CaseStates:
        """Set cases aside for testing, in addition to those that are.

        Args:
            groups: Per case, the group that it was drawn from.
            seed: Of the drawing, for the history.

        Raises:
            CohortError: If a model of an earlier round was trained on one of them.
            LockedError: If another process is writing now.
            CrossModalError: If a file cannot be written.
        """
        groups = {same_name(case): group for case, group in groups.items()}
        trained = {case for entry in read_rounds(self) for case in entry.labels}
        known = sorted(trained.intersection(groups))
        if known:
            msg = (
                f"{counted(len(known), 'case', 'was', 'were')} trained on in an earlier round and"
                f" cannot test a model any more: {listed(known)}. Choose others."
            )
            raise CohortError(msg)
        states = self.update(
            lambda current: replace(current, evaluation={**current.evaluation, **groups})
        )
        append_event(
            self,
            "evaluation-chosen",
            details={"seed": seed, "groups": dict(sorted(groups.items()))},
        )
        return states


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


def existing_record(cohort_root: Path, folder: Path | None = None) -> CohortRecord | None:
    """Return the record of a cohort if there is one; nothing is created.

    Args:
        cohort_root: The cohort's folder, or its CSV manifest.
        folder: Where the record is; `None` for the usual place.
    """
    chosen = folder
    with suppress(UsageError):  # no home folder: then there is no record elsewhere
        chosen = default_record_folder(cohort_root) if folder is None else folder
    return CohortRecord(chosen) if chosen is not None and chosen.is_dir() else None


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
