"""One reader at the case that is open: claim, seconds, unsaved work, and what the record is told.

Must not import Qt. Labels are saved whatever becomes of the rest: what the record is to be told
waits in `RecordNotes` until it can be written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import slicer

from MultimodalImagingLib.cohorts.label_maps import write_label_map
from MultimodalImagingLib.cohorts.labelled_cases import record_of_label
from MultimodalImagingLib.cohorts.reader_labels import label_of_file
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, SavedLabel
from MultimodalImagingLib.record.claims import ClaimedError
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.locks import LockedError
from MultimodalImagingLib.record.readers import BLINDED_MARK
from MultimodalSlicerLib.autosave import Autosave
from MultimodalSlicerLib.drafts import beganAs, origin
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.patience import Breathe
from MultimodalSlicerLib.reader import currentReader
from MultimodalSlicerLib.reading_time import ReadingTime
from MultimodalSlicerLib.record_notes import RecordNotes

logger = logging.getLogger(__name__)
_BEFORE_WORK = (CaseState.UNLABELLED, CaseState.SUGGESTED, CaseState.CONFIRMED)


class LabelingSession:
    """What is known of one reader at one case.

    Attributes:
        caseID: The case.
        record: The record of its cohort.
        reader: Who reads.
        time: The seconds.
        kept: The unsaved work.
        claimProblem: Why the case could not be claimed; empty if it was.
        remark: What the user should know of the label map that was written; may be empty.
    """

    def __init__(self, caseID: str, record: CohortRecord, key: str, notes: RecordNotes) -> None:
        """Begin; nothing is written.

        Args:
            caseID: The case.
            record: The record of its cohort.
            key: The reader, with the mark of a blinded reading if it is one.
            notes: Gets what the record is to be told; who ends something here lets it tell.
        """
        self.caseID, self.record, self._notes = caseID, record, notes
        self.reader, mark, _end = key.partition(BLINDED_MARK)
        self._isBlinded = bool(mark)
        self.time = ReadingTime()
        self.kept = Autosave(record, caseID, key)
        self.claimProblem = self.remark = ""
        self._nEdits = self._nKept = 0
        self._isWriting = False
        segmentation = slicer.vtkSegmentation
        events = (
            segmentation.SourceRepresentationModified,
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
        )
        self._edits = NodeObserver(events, self._onEdited)

    @property
    def isBlinded(self) -> bool:
        """Whether the case is read again without the earlier label."""
        return self._isBlinded

    @property
    def hasNewWork(self) -> bool:
        """Whether the labels were changed since they were kept, saved or opened."""
        return self._nKept != self._nEdits

    def follow(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Count the changes of labels from now on."""
        self._edits.follow(() if node is None else (node,))
        self.time.interrupt()

    def claim(self) -> None:
        """Claim the case, or give a sign of life."""
        try:
            purpose = "re-read" if self._isBlinded else "label"
            self.record.claim(self.caseID, self.reader, purpose=purpose)
        except ClaimedError as error:
            self.claimProblem = str(error)
        except (CrossModalError, OSError) as error:
            logger.warning("Case %s could not be claimed: %s", self.caseID, error)
        else:
            self.claimProblem = ""

    def keep(self, node: slicer.vtkMRMLSegmentationNode, breathe: Breathe) -> Path | None:
        """Keep labels with unsaved changes, unless nothing was changed since.

        Returns:
            The file; `None` if there was nothing to do.

        Raises:
            CrossModalError: If the file cannot be written.
        """
        if not self.hasNewWork:
            return None
        nEdits = self._nEdits
        with self._writing(breathe) as breatheMeanwhile:
            file = self.kept.write(node, breatheMeanwhile)
        self._nKept = nEdits
        self._tell(lambda: append_event(self.record, "autosaved", self.caseID, reader=self.reader))
        self._changeState(_BEFORE_WORK, CaseState.IN_PROGRESS)
        return file

    def saved(self, node: slicer.vtkMRMLSegmentationNode, file: Path) -> None:
        """Let the record be told that labels were saved, with the seconds that they took."""
        times, began, note = self.time.take(), beganAs(node) or "", origin(node)
        made: list[SavedLabel] = []

        def tell() -> None:
            if self.record.folder.is_dir() and not file.is_file():
                logger.warning("The saved labels of %s are gone: the record is not told", file)
                return
            if not made:
                label = new_saved_label(
                    self.caseID, self.reader, file, self.record, is_blinded=self._isBlinded
                )
                looking, drawing = round(times.looking_s, 1), round(times.drawing_s, 1)
                made.append(replace(label, looking_s=looking, drawing_s=drawing, began=began))
            try:
                note_saved_label(self.record, made[0], note=note)
            except CrossModalError:
                if self._isNoted(made[0]):  # but the history could not be written
                    made[0] = replace(made[0], looking_s=0.0, drawing_s=0.0)
                raise

        self._tell(tell)
        self.forgetKept()

    def _isNoted(self, label: SavedLabel) -> bool:
        """Tell whether the record knows a label, so that its seconds are not to be added again."""
        known = self.record.read_states().labels.get(self.caseID, {}).values()
        return any(
            (one.path, one.sha256) == (label.path, label.sha256) and one.at >= label.at
            for one in known
        )

    def writeMap(self, grid: Grid, values: Mapping[str, int] | None) -> None:
        """Let the label map be written that programs without segmentations read.

        Args:
            grid: Grid of the primary image.
            values: Number by name of a segment; `None` for those of the file.
        """

        def write() -> None:
            try:
                written = write_label_map(self.caseID, self.record, grid, values)
            except LockedError:
                raise
            except (CrossModalError, OSError) as error:
                self.remark = str(error)
            else:
                self.remark = " ".join(written.remarks)

        self._tell(write)

    def forgetKept(self) -> None:
        """Delete the unsaved work of this session: it is saved, or the user wants to lose it."""
        with suppress(OSError):
            self.kept.remove()
        self._nKept = self._nEdits

    def discard(self) -> None:
        """Lose the unsaved work, as the user wants; the case has its former state again."""
        self.forgetKept()
        self._nEdits += 1  # what is still in the scene is kept again if the case stays open
        self._changeState((CaseState.IN_PROGRESS,), None)

    def end(self, *, isWorkLost: bool) -> None:
        """Release the case.

        Args:
            isWorkLost: Whether nothing is left to be kept.
        """
        self._edits.follow(())
        if isWorkLost:
            self.forgetKept()
        if not self.claimProblem:
            self._tell(self._release)

    def _release(self) -> None:
        if self.record.folder.is_dir():  # else the claim times out by itself
            self.record.release(self.caseID, self.reader)

    def _changeState(self, expected: tuple[CaseState, ...], state: CaseState | None) -> None:
        """Give the case a state, or its former one, if it has one of those that are expected."""

        def change() -> None:
            states: CaseStates = self.record.read_states()
            if states.of(self.caseID) in expected:
                new = state or states.entries[self.caseID].former
                changes = {self.caseID: new}
                self.record.change_states(
                    changes, seen_revision=states.revision, reader=self.reader
                )

        self._tell(change)

    def _tell(self, tell: Callable[[], object]) -> None:
        self._notes.add(self.record, self.caseID, tell)

    @contextmanager
    def _writing(self, breathe: Breathe) -> Iterator[Breathe]:
        """Count no change that writing makes by itself: it splits overlapping segments up."""

        def breatheMeanwhile() -> None:
            self._isWriting = False
            breathe()
            self._isWriting = True

        self._isWriting = True
        try:
            yield breatheMeanwhile
        finally:
            self._isWriting = False

    def _onEdited(self, _node: object, _event: object) -> None:
        if not self._isWriting:
            self._nEdits += 1
            self.time.edited()


def sessionOf(caseID: str, place: Path | None, notes: RecordNotes) -> LabelingSession | None:
    """Return a session at a case whose labels belong in a file; `None` if that is in no record.

    A scene of an earlier version may hold labels that belong in a file without a reader's name.
    """
    if place is None or not caseID:
        return None
    found = label_of_file(place)
    if found is not None:
        return LabelingSession(caseID, *found, notes)
    record = record_of_label(place)
    return None if record is None else LabelingSession(caseID, record, currentReader(), notes)
