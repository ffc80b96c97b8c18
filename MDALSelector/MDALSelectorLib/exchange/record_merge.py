"""Imports: what others know is added to a record; what differs is named and left as it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from MDALSelectorLib.exchange.record_content import RecordContent
from MDALSelectorLib.exchange.record_settings import take_over_settings
from MultimodalImagingLib.cohorts.class_labels import (
    class_key,
    class_label_place,
    is_class_file,
)
from MultimodalImagingLib.cohorts.reader_labels import (
    consensus_place,
    label_key,
    reader_label_place,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import atomic_path, explained_writing
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, SavedLabel, StateEntry
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import (
    HistoryEvent,
    append_event,
    append_events,
    read_history,
)
from MultimodalImagingLib.record.readers import CONSENSUS, spelling_of
from MultimodalImagingLib.record.rounds import append_round, read_rounds, write_rounds

REPLACE = "--replace"
_ADVICE = "Labels that were there before are unchanged. Free space, then import again."
# States that a selection sets by itself: what a person decided comes before.
_OPEN = (CaseState.UNLABELLED, CaseState.SUGGESTED)
ValueT = TypeVar("ValueT")


@dataclass
class Merged:
    """What an import did.

    Attributes:
        n_labels: Labels that were added.
        n_states: Cases whose state was added.
        n_events: Lines of the history that were added.
        conflicts: What differs and was left as it is, full sentences.
        replaced: What was replaced because the user asked for it, full sentences.
    """

    n_labels: int = 0
    n_states: int = 0
    n_events: int = 0
    conflicts: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


def merge_content(
    record: CohortRecord, content: RecordContent, folder: Path, *, may_replace: bool
) -> Merged:
    """Add what an export holds to a record.

    Label files come first, then what is known of them, so that a crash leaves no note of a label
    that is not there. Importing again goes on where it stopped.

    Args:
        record: The record.
        content: The export.
        folder: Its folder, with the label files.
        may_replace: Whether the export wins where both differ; a label that is replaced is kept
            in the folder `replaced` of the record.

    Raises:
        UsageError: If the export names a reader or file that cannot be.
        CrossModalError: If a file cannot be written.
    """
    merged = Merged()
    merge = _Merge(record, merged, may_replace=may_replace)
    merged.conflicts += take_over_settings(record, CohortRecord(folder))
    labels = [label for label in content.labels if merge.takes_label(label, folder)]
    record.update(lambda current: merge.states(current, content, labels))
    merge.add_history(content)
    merge.add_rounds(content)
    details = {"labels": merged.n_labels, "conflicts": len(merged.conflicts)}
    append_event(record, "imported", details={**details, "folder": folder.name})
    return merged


class _Merge:
    def __init__(self, record: CohortRecord, merged: Merged, *, may_replace: bool) -> None:
        self._record, self._merged, self._may_replace = record, merged, may_replace

    def takes_label(self, label: SavedLabel, folder: Path) -> bool:
        """Copy a label file, unless another one is there; returns whether it is to be noted."""
        place, source = self._place(label), _inside(folder, label.path)
        who = f"The label of {label.reader or 'an earlier version'} for case {label.case_id}"
        if place.is_file() and file_checksum(place) == label.sha256:
            return bool(label.reader)
        if not source.is_file() or file_checksum(source) != label.sha256:
            self._merged.conflicts.append(
                f"{who} was not imported: {label.path} of the export is missing or damaged."
                " Export it again."
            )
            return False
        if place.is_file() and not self._wins(who, "another label", "another one"):
            return False
        with explained_writing(str(place), _ADVICE):
            if place.is_file():
                self._keep_aside(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(place) as unfinished:
                copy_label(source, unfinished)
        self._merged.n_labels += 1
        return bool(label.reader)

    def states(
        self, current: CaseStates, content: RecordContent, labels: list[SavedLabel]
    ) -> CaseStates:
        """Return states with what the export knows."""
        claims = {**content.claims, **current.claims}
        evaluation = dict(current.evaluation)
        trained = {case for entry in read_rounds(self._record) for case in entry.labels}
        for case, group in content.evaluation.items():
            if case not in evaluation and case in trained:
                self._merged.conflicts.append(
                    f"Case {case} is set aside for testing in the export, but a model was trained"
                    " on it here; it stays a training case."
                )
            elif case not in evaluation or self._differs(
                f"The group of case {case} for testing", evaluation[case], group
            ):
                evaluation[case] = group
        entries = self._entries(current, content)
        merged = replace(current, entries=entries, claims=claims, evaluation=evaluation)
        return replace(merged, labels=self._labels(current, labels))

    def add_history(self, content: RecordContent) -> None:
        """Add the events that are not there yet."""
        known = {_identity(event) for event in read_history(self._record)}
        new = [event for event in content.history if _identity(event) not in known]
        if new:
            append_events(self._record, new)
        self._merged.n_events = len(new)

    def add_rounds(self, content: RecordContent) -> None:
        """Add the rounds that are not there yet."""
        known = {entry.number: entry for entry in read_rounds(self._record)}
        for entry in content.rounds:
            older = known.get(entry.number)
            if older is None:
                append_round(self._record, entry)
            elif self._differs(f"Round {entry.number}", older, entry):
                known[entry.number] = entry
                write_rounds(self._record, tuple(known[n] for n in sorted(known)))

    def _entries(self, current: CaseStates, content: RecordContent) -> dict[str, StateEntry]:
        entries = dict(current.entries)
        is_here = {label.case_id: False for label in content.labels}
        for label in content.labels:
            is_here[label.case_id] |= self._place(label).is_file()
        for case, new in content.entries.items():
            old = entries.get(case)
            if new.state is CaseState.LABELLED and not is_here.get(case, True):
                continue  # its label was not imported, which was said: it is still to be labeled
            if old == new or (old is not None and _is_less(new, old)):
                continue
            if (
                old is None
                or _is_less(old, new)
                or self._differs(f"The state of case {case}", _said(old), _said(new))
            ):
                entries[case] = new
                self._merged.n_states += 1
        return entries

    def _labels(
        self, current: CaseStates, labels: list[SavedLabel]
    ) -> dict[str, Mapping[str, SavedLabel]]:
        found = dict(current.labels)
        for label in labels:
            place = self._place(label)
            own = found.get(label.case_id, {})
            key = label_key(label.reader, is_blinded=label.is_blinded)
            key = class_key(place) if is_class_file(label.path) else spelling_of(key, own)
            path = place.relative_to(self._record.folder).as_posix()
            noted = replace(label, path=path)
            if key not in own or own[key].sha256 != label.sha256:
                found[label.case_id] = {**own, key: noted}
        return found

    def _place(self, label: SavedLabel) -> Path:
        if not label.reader:  # of an earlier version: its name is that of the case
            return self._record.labels / Path(label.path).name
        if is_class_file(label.path):
            return class_label_place(label.case_id, label.reader, self._record)
        if label.reader == CONSENSUS:
            return consensus_place(label.case_id, self._record)
        return reader_label_place(
            label.case_id, label.reader, self._record, is_blinded=label.is_blinded
        )

    def _keep_aside(self, place: Path) -> None:
        folder = self._record.folder / "replaced" / place.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{file_checksum(place)[:8]}-{place.name}"
        with atomic_path(copy) as unfinished:
            shutil.copyfile(place, unfinished)

    def _differs(self, what: str, here: ValueT, there: ValueT) -> bool:
        """Name a difference; returns whether the export wins."""
        return here != there and self._wins(what, f"'{here}'", f"'{there}'")

    def _wins(self, what: str, here: str, there: str) -> bool:
        if self._may_replace:
            self._merged.replaced.append(f"{what} was {here} here and is {there} now.")
        else:
            self._merged.conflicts.append(
                f"{what} is {here} here and {there} in the export; it was left as it is. Compare"
                f" the two; {REPLACE} takes that of the export."
            )
        return self._may_replace


def copy_label(source: Path, target: Path) -> None:
    """Copy a file with the time at which it was written, for that may tell which label counts."""
    shutil.copyfile(source, target)
    written = source.stat().st_mtime_ns
    os.utime(target, ns=(written, written))


def _is_less(one: StateEntry, other: StateEntry) -> bool:
    """Tell whether nothing is lost if one entry gives way to another."""
    if one.state in _OPEN:
        return other.state not in _OPEN or one.at <= other.at
    is_told = one.state is CaseState.LABELLED or one.note in ("", other.note)
    return one.state is other.state and is_told and one.at <= other.at


def _said(entry: StateEntry) -> str:
    note = f": {entry.note}" if entry.note else ""
    return f"{entry.state}{note} ({entry.by}, {entry.at})"


def _inside(folder: Path, path: str) -> Path:
    """Return a file of an export; its path comes from a file that anybody may have written.

    Raises:
        UsageError: If it leads out of the folder.
    """
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        msg = (
            f"The export names the file {path!r}, which is not in its folder {folder}. Export the"
            " record again."
        )
        raise UsageError(msg)
    return file


def _identity(event: HistoryEvent) -> str:
    return json.dumps(vars(event), sort_keys=True)
