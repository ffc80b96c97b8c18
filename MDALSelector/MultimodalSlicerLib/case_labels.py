"""The labels of the open case: what they begin as, what of them is not saved, keeping and saving.

Must not import Qt.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.cohort_nodes import labelFile
from MultimodalSlicerLib.drafts import (
    DraftWatch,
    becomeLabels,
    beginsFreely,
    fillFromResult,
    isDraft,
    makeEmpty,
    markAsEmpty,
)
from MultimodalSlicerLib.known_labels import KnownLabels
from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents, writeLabels
from MultimodalSlicerLib.label_sets import NewLabels, addEmptySegments
from MultimodalSlicerLib.labeling_session import LabelingSession, sessionOf
from MultimodalSlicerLib.patience import Breathe, noBreath
from MultimodalSlicerLib.record_notes import RecordNotes
from MultimodalSlicerLib.volume_nodes import gridFromNode


class CaseLabels:
    """Knows what of the labels of the open case is not saved, keeps it, and saves it.

    Attributes:
        loader: The nodes of the case.
        breathe: Handles events, but none of the user's.
        session: The reader at the case; `None` where there is no place for labels.
        newLabels: What empty labels of the next case hold.
        notes: What the record is still to be told.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self.loader = CaseLoader(scene)
        self.breathe: Breathe = noBreath
        self.session: LabelingSession | None = None
        self.newLabels = NewLabels()
        self.notes = RecordNotes()
        self._known = KnownLabels()
        self._drafts = DraftWatch()
        self._isKeeping = False

    def segmentationForEditing(self) -> slicer.vtkMRMLSegmentationNode:
        """Return the labels of the case, made if needed.

        Raises:
            ValueError: If no case is open.
        """
        isNew = self.loader.segmentation() is None
        node = self.loader.segmentationForEditing()
        if isNew:
            self._makeEmpty(node)
        return node

    def beginWithResult(self, file: Path, model: str, primary: str) -> None:
        """Make the labels a draft, as long as nobody has made any.

        Args:
            file: The segmentation of a result of the case.
            model: Name of its model.
            primary: Modality whose grid it has.

        Raises:
            ValueError: If no case is open, or if the file cannot be read.
        """
        node = self.segmentationForEditing()
        if not beginsFreely(node):
            return
        image = self.loader.volumes().get(primary)
        if image is not None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(image)
        fillFromResult(node, file, model)
        self._takeForKnown(node)

    def beginEmpty(self) -> None:
        """Make the labels empty, if they are a draft that nobody has edited."""
        node = self.loader.segmentation()
        if node is not None and isDraft(node):
            makeEmpty(node)
            self._makeEmpty(node)

    def _makeEmpty(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        addEmptySegments(node, self.newLabels, self.loader.volumes())
        markAsEmpty(node)
        self._takeForKnown(node)

    def keep(self) -> None:
        """Keep unsaved changes in the record, and give a sign of life of the reader.

        What the record could not be told before is told now.

        Raises:
            CrossModalError: If they cannot be written.
        """
        if self._isKeeping:
            return
        self._isKeeping = True
        try:
            session = self.session
            if session is not None:
                self.notes.inTurn(session.claim, self.breathe)
                if session is self.session and session.hasNewWork:
                    self._keepWork(session)
        finally:
            self._isKeeping = False
        self.notes.tell(self.breathe)

    def _keepWork(self, session: LabelingSession) -> None:
        node = self.loader.segmentation()
        if node is not None and not isDraft(node) and self.hasUnsavedChanges():
            session.keep(node, self.breathe)

    def discard(self) -> None:
        """Give up what is not saved, as the user wants, also in the record."""
        if self.session is not None:
            self.session.discard()
            self.notes.tell(self.breathe)

    def takeOverKept(self) -> None:
        """Replace the labels by the work that a session before did not save.

        What was drawn meanwhile is kept before, and offered in its turn.

        Raises:
            ValueError: If no case is open, or the work cannot be read.
            CrossModalError: If what was drawn cannot be kept. The labels are then unchanged.
        """
        node = self.segmentationForEditing()
        if self.session is not None:
            self._keepWork(self.session)
            self.session.kept.takeOver(node)

    def _takeForKnown(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        self._known.note(node, contentsOf(node), isStored=False)
        self._follow(node)

    def _follow(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self._drafts.follow(node, self._known.contents)
        if self.session is not None:
            self.session.follow(node)

    def hasUnsavedChanges(self) -> bool:
        """Tell whether the labels differ from those that were opened and from those on disk."""
        node = self.loader.segmentation()
        if node is None or not node.GetModifiedSinceRead():
            return False
        return not areAlike(contentsOf(node), self._known.contents)

    def save(self) -> Path:
        """Write the labels into the record of their cohort, and read them again.

        Returns:
            The file.

        Raises:
            ValueError: If no labels are open, or there is no place for them.
            CrossModalError: If the file cannot be written, or if it holds labels that were not
                opened here. It is then unchanged.
        """
        node = self.loader.segmentation()
        if node is None:
            raise ValueError(_("No labels are open. Load a case first."))
        file = labelFile(node)
        if file is None or not file.parent.is_dir():
            text = _(
                "There is no record in which the labels of {case} could be kept. Save them with"
                " Slicer's Save, or choose a folder for the record under Advanced."
            )
            raise ValueError(text.format(case=self.loader.caseID))
        self._checkNotOthers(node, file)
        self._known.note(node, writeLabels(node, file, self.breathe))
        if isDraft(node):
            becomeLabels(node)
        if self.session is not None:
            self._noteSaved(self.session, node, file)
            self.notes.tell(self.breathe)
        return file

    def saveCopy(self, folder: Path) -> Path:
        """Write the labels into another folder, as a way out when they cannot be saved.

        Raises:
            ValueError: If no labels are open.
            CrossModalError: If the file cannot be written.
        """
        node = self.loader.segmentation()
        if node is None:
            raise ValueError(_("No labels are open. Load a case first."))
        name = self._scene.PercentEncode(self.loader.caseID)
        numbers = (f"-{number}" if number else "" for number in count())
        files = (folder / f"{name}{number}.seg.nrrd" for number in numbers)
        file = next(file for file in files if not file.exists())
        writeLabels(node, file, self.breathe)
        return file

    def _checkNotOthers(self, node: slicer.vtkMRMLSegmentationNode, file: Path) -> None:
        """Refuse to replace labels that another person or program has written meanwhile."""
        if not file.is_file() or self._known.wasSavedSince(node, file):
            return
        if self._known.isLeftBehind(file):
            return
        there = readContents(self._scene, file)
        if any(areAlike(there, known) for known in (self._known.stored, contentsOf(node))):
            return
        text = _(
            "The labels of {case} in {file} were changed by someone else since they were opened."
            " Save yours under another name with Slicer's Save, then compare the two."
        )
        raise CrossModalError(text.format(case=self.loader.caseID, file=file))

    def endReading(self) -> None:
        """Note what was saved and release the case, as the application ends."""
        self._noteIfSaved()
        self._endSession()
        self.notes.tell(noBreath)

    def _followLabels(self) -> None:
        """Know and follow the labels that are open now."""
        labels = self.loader.segmentation()
        if not self._known.isAbout(labels):
            self._known.note(labels, () if labels is None else contentsOf(labels))
        if self.session is not None and self.session.caseID != self.loader.caseID:
            self._endSession()
            self.notes.tellLater()
        if self.session is None:
            self.session = sessionOf(self.loader.caseID, self._place(), self.notes)
        self._follow(labels)

    def _place(self) -> Path | None:
        """Return the file in which the labels of the open case belong; `None` if there is none."""
        nodes = [*self.loader.volumes().values(), self.loader.segmentation()]
        return next((labelFile(node) for node in nodes if node is not None), None)

    def _endSession(self) -> None:
        """Release the case; work that was kept stays if labels are gone that nobody saved.

        Who calls it lets the record be told.
        """
        session, self.session = self.session, None
        if session is not None:
            isThere = self.loader.segmentation() is not None
            session.end(isWorkLost=isThere and not self.hasUnsavedChanges())

    def _noteIfSaved(self) -> None:
        """Note for the record that Slicer's Save has written the labels."""
        node = self.loader.segmentation()
        file = None if node is None else labelFile(node)
        if node is None or file is None or self.session is None:
            return
        if self._known.wasSavedSince(node, file):
            self._noteSaved(self.session, node, file)

    def _noteSaved(
        self, session: LabelingSession, node: slicer.vtkMRMLSegmentationNode, file: Path
    ) -> None:
        """Note for the record that labels were saved, and their map on the primary's grid."""
        session.saved(node, file)
        volumes = self.loader.volumes()
        primary = volumes.get(self.newLabels.primary) or next(iter(volumes.values()), None)
        if primary is not None:
            session.writeMap(gridFromNode(primary), self.newLabels.values)
