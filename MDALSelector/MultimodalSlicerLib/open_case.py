"""The case that is open in a scene: one owner for both modules of its nodes, views and changes.

Must not import Qt. Whoever opens or closes a case asks the owner of the scene (`openCaseOf`), so
that both modules know the same case, and neither loses what was edited in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalSlicerLib.case_layout import CaseLayout
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.cohort_nodes import labelFile, letGoOfFileIfChanged
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
from MultimodalSlicerLib.label_contents import (
    SegmentContent,
    areAlike,
    contentsOf,
    readContents,
    writeLabels,
)
from MultimodalSlicerLib.label_sets import NewLabels, addEmptySegments
from MultimodalSlicerLib.labeling_session import LabelingSession, sessionOf
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.patience import Breathe, inThread, noBreath
from MultimodalSlicerLib.volume_nodes import gridFromNode, removeNode

VIEW_PREFIX = "CrossModal"
_OWNER = "_crossModalOpenCase"


class OpenCase:
    """Opens and closes cases, and knows what of them is not saved.

    Attributes:
        loader: Its nodes.
        layout: Its views, side by side.
        aboutToClose: Called before the nodes of a case go.
        sceneCloses: Called before the scene is closed, while labels have unsaved changes.
        breathe: Handles events, but none of the user's; set by `handleEventsBy`.
        offered: Results of single cases that were segmented in this scene, by their image files.
        session: The reader at the case; `None` where there is no place for labels.
        newLabels: What empty labels of the next case hold.
        isOpening: Whether a case is being opened just now, with events handled meanwhile.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self.loader = CaseLoader(scene)
        self.layout = CaseLayout(scene, VIEW_PREFIX)
        self.aboutToClose: list[Callable[[], None]] = []
        self.sceneCloses: Callable[[], None] = lambda: None
        self.isOpening = False
        self.breathe: Breathe = noBreath
        self.offered: dict[str, Path] = {}
        self.session: LabelingSession | None = None
        self.newLabels = NewLabels()
        self._known = KnownLabels()
        self._drafts = DraftWatch()
        self._isKeeping = False
        self._results: dict[str, tuple[SegmentContent, ...]] = {}
        events = (slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, "ModifiedEvent")
        self._images = NodeObserver(events, self._onImageChanged)
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeRemoved)
        scene.AddObserver(scene.StartCloseEvent, self._onSceneStartClose)
        scene.AddObserver(scene.EndCloseEvent, self._onSceneChanged)
        scene.AddObserver(scene.EndImportEvent, self._onSceneChanged)
        self._takeOver()

    def handleEventsBy(self, breathe: Breathe) -> None:
        """Set what handles events, but none of the user's, while files are read or written."""
        self.loader.breathe = self.layout.breathe = self.breathe = breathe

    def open(
        self,
        caseID: str,
        images: Mapping[str, ImageFile],
        label: ImageFile | None = None,
        *,
        place: Path | None = None,
    ) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Open a case in place of the one before; the views are as they were before that one.

        Args:
            caseID: The case.
            images: File per modality.
            label: Its labels, if there are any.
            place: The file in which its labels are to be saved; `None` if there is no place.

        Returns:
            The images by modality.

        Raises:
            ValueError: If a file is absent or cannot be read, or if a case is being opened already.
                The scene is then unchanged.
        """
        if self.isOpening:
            text = _("Another case is being opened. Open {case} when that one is there.")
            raise ValueError(text.format(case=caseID))
        self.isOpening = True
        try:
            volumes = self.loader.open(
                caseID, images, label, place=place, beforeClosing=self._leaveViews
            )
        finally:
            self.isOpening = False
        self._takeOver()
        if self.session is not None:
            inThread(self.session.claim, self.breathe)
        return volumes

    def close(self) -> None:
        """Remove what was opened; the views are as they were before."""
        self._leaveViews()
        self.loader.close()
        self._takeOver()

    def addResult(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Let a result go with the case, unless the user edits it."""
        self._results[node.GetID()] = contentsOf(node)

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

        Raises:
            CrossModalError: If they cannot be written.
        """
        session, node = self.session, self.loader.segmentation()
        if session is None or self._isKeeping:
            return
        self._isKeeping = True
        try:
            inThread(session.claim, self.breathe)
            isWork = node is not None and session.hasNewWork and not isDraft(node)
            if isWork and self.hasUnsavedChanges():
                session.keep(node, self.breathe)
        finally:
            self._isKeeping = False

    def discard(self) -> None:
        """Give up what is not saved, as the user wants, also in the record."""
        if self.session is not None:
            self.session.discard()

    def takeOverKept(self) -> None:
        """Replace the labels by the work that a session before did not save.

        Raises:
            ValueError: If no case is open, or the work cannot be read.
        """
        node = self.segmentationForEditing()
        if self.session is not None:
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
            self.session.saved(node, file)
            self._writeMap(self.session)
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

    def _takeOver(self) -> None:
        """Know and follow what is open now."""
        labels = self.loader.segmentation()
        if not self._known.isAbout(labels):
            self._known.note(labels, () if labels is None else contentsOf(labels))
        self._images.follow(self.loader.volumes().values())
        if self.session is None or self.session.caseID != self.loader.caseID:
            self._endSession()
            self.session = sessionOf(self.loader.caseID, self._place())
        self._follow(labels)

    def _place(self) -> Path | None:
        """Return the file in which the labels of the open case belong; `None` if there is none."""
        nodes = [*self.loader.volumes().values(), self.loader.segmentation()]
        return next((labelFile(node) for node in nodes if node is not None), None)

    def _endSession(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.end(isWorkLost=not self.hasUnsavedChanges())

    def _noteIfSaved(self) -> None:
        """Note in the record that Slicer's Save has written the labels."""
        node = self.loader.segmentation()
        file = None if node is None else labelFile(node)
        if node is None or file is None or self.session is None:
            return
        if self._known.wasSavedSince(node, file):
            self.session.saved(node, file)
            self._writeMap(self.session)

    def _writeMap(self, session: LabelingSession) -> None:
        """Write the label map of the case beside its label, on the grid of the primary image."""
        volumes = self.loader.volumes()
        primary = volumes.get(self.newLabels.primary) or next(iter(volumes.values()), None)
        if primary is not None:
            grid, values = gridFromNode(primary), self.newLabels.values
            inThread(partial(session.writeMap, grid, values), self.breathe)

    def _leaveViews(self) -> None:
        self._noteIfSaved()
        self._endSession()
        for call in tuple(self.aboutToClose):
            call()
        self.layout.restore()
        self._removeResults()

    def _removeResults(self) -> None:
        results, self._results = self._results, {}
        for identity, contents in results.items():
            node = self._scene.GetNodeByID(identity)
            if node is not None and areAlike(contentsOf(node), contents):
                removeNode(node)

    def _onImageChanged(self, image: Any, _event: object) -> None:
        """Keep Slicer's Save from writing an image that was changed into the cohort."""
        if image.GetScene() is self._scene:
            letGoOfFileIfChanged(image)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(
        self, _caller: object, _event: object, node: slicer.vtkMRMLNode | None
    ) -> None:
        if node is not None:
            self._known.noteRemoval(node)

    def _onSceneStartClose(self, _caller: object, _event: object) -> None:
        if self.hasUnsavedChanges():
            self.sceneCloses()
        self._noteIfSaved()
        self._endSession()
        self.offered.clear()
        self.layout.restore()

    def _onSceneChanged(self, _caller: object, _event: object) -> None:
        self._results = {}
        self._takeOver()
        self.layout.follow()


def openCaseOf(scene: slicer.vtkMRMLScene) -> OpenCase:
    """Return the owner of the case that is open in a scene; it lives and goes with the scene."""
    owner = getattr(scene, _OWNER, None)
    if not isinstance(owner, OpenCase):
        owner = OpenCase(scene)
        setattr(scene, _OWNER, owner)
    return owner
