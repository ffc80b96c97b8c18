"""How much of each draft was changed: compared after saving, and noted with the saved label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.draft_changes import DraftChanges, draft_changes
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.case_states import CaseStates, SavedLabel
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.draft_uncertainty import Draft, read_drafts

SUFFIX = ".seg.nrrd"  # of labels; a class has none to compare
SEGMENTATION = f"segmentation{SUFFIX}"


def note_changes(record: CohortRecord, reporter: Reporter) -> CaseStates:
    """Compare saved labels with the drafts that they began as, and note it in the record.

    That is not done while a label is saved, which must be quick. Labels whose draft is gone, and
    files that were changed since they were saved, are left as they are.

    Args:
        record: The record.
        reporter: Notified of every label that is compared, and of those that cannot be.

    Returns:
        The states as they are now.

    Raises:
        CohortError: If the record cannot be read.
        LockedError: If another process is writing now.
        CrossModalError: If it cannot be written.
    """
    states = record.read_states()
    todo = [
        label
        for of_case in states.labels.values()
        for label in of_case.values()
        if label.began and label.draft_dice is None and label.path.endswith(SUFFIX)
    ]
    if not todo:
        return states
    reporter.stage("Compare labels with their drafts", len(todo))
    drafts = _drafts(record)
    found: dict[tuple[str, str, str], DraftChanges] = {}
    for label in todo:
        changes = _changes(label, _began_as(label, drafts.get(label.case_id, ())), record, reporter)
        if changes is not None:
            found[_key(label)] = changes
        reporter.advance()
    return record.update(lambda current: _noted(current, found)) if found else states


def _key(label: SavedLabel) -> tuple[str, str, str]:
    return label.case_id, label.path, label.sha256


def _drafts(record: CohortRecord) -> dict[str, list[Draft]]:
    """Return all drafts of a record by case; each is read once."""
    found: dict[str, list[Draft]] = {}
    for folder in sorted(path for path in record.results.glob("*") if path.is_dir()):
        for draft in read_drafts(folder).values():
            found.setdefault(draft.case_id, []).append(draft)
    return found


def _began_as(label: SavedLabel, drafts: Iterable[Draft]) -> Draft | None:
    """Return the draft of the model that a label names, after the name of its task."""
    names = (label.began, label.began.rsplit(" ", 1)[-1])
    return next((draft for draft in drafts if draft.model in names), None)


def _changes(
    label: SavedLabel, draft: Draft | None, record: CohortRecord, reporter: Reporter
) -> DraftChanges | None:
    file = record.folder / label.path
    try:
        if draft is None or file_checksum(file) != label.sha256:
            return None
        return draft_changes(draft.folder / SEGMENTATION, file)
    except (CohortError, OSError) as error:
        reporter.warning(
            f"The label of case {label.case_id} by {label.reader} could not be compared with its"
            f" draft: {error}"
        )
        return None


def _noted(current: CaseStates, found: Mapping[tuple[str, str, str], DraftChanges]) -> CaseStates:
    labels = {
        case: {key: _with_changes(label, found) for key, label in of_case.items()}
        for case, of_case in current.labels.items()
    }
    return current if labels == current.labels else replace(current, labels=labels)


def _with_changes(
    label: SavedLabel, found: Mapping[tuple[str, str, str], DraftChanges]
) -> SavedLabel:
    changes = found.get(_key(label))
    if changes is None:
        return label
    return replace(label, changed_voxels=changes.changed_voxels, draft_dice=changes.dice)
