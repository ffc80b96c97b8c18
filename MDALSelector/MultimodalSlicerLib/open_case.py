"""The case that is open in a scene: one owner for both modules of its nodes, views and changes.

Must not import Qt. Whoever opens or closes a case asks the owner of the scene (`openCaseOf`), so
that both modules know the same case, and neither loses what was edited in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.checksums import file_state
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
    noteSaved,
)
from MultimodalSlicerLib.label_contents import (
    SegmentContent,
    areAlike,
    contentsOf,
    readContents,
    writeLabels,
)
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.patience import Breathe, noBreath
from MultimodalSlicerLib.volume_nodes import removeNode

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
        self._known = _Known()
        self._drafts = DraftWatch()
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
            markAsEmpty(node)
            self._takeForKnown(node)
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
            self._takeForKnown(node)

    def _takeForKnown(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        self._known.note(node, contentsOf(node), isStored=False)
        self._drafts.follow(node, self._known.contents)

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
        noteSaved(node, file)
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
        self._drafts.follow(labels, self._known.contents)

    def _noteIfSaved(self) -> None:
        """Note in the record that Slicer's Save has written the labels."""
        node = self.loader.segmentation()
        file = None if node is None else labelFile(node)
        if node is not None and file is not None and self._known.wasSavedSince(node, file):
            noteSaved(node, file)

    def _leaveViews(self) -> None:
        self._noteIfSaved()
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
        self.offered.clear()
        self.layout.restore()

    def _onSceneChanged(self, _caller: object, _event: object) -> None:
        self._results = {}
        self._takeOver()
        self.layout.follow()


class _Known:
    """The labels as they were opened or saved.

    Attributes:
        contents: What they held.
        stored: What their file holds, as far as this window has seen it; labels that are begun anew
            after a deletion in the scene may replace it.
    """

    def __init__(self) -> None:
        self.contents: tuple[SegmentContent, ...] = ()
        self.stored: tuple[SegmentContent, ...] = ()
        self._node: slicer.vtkMRMLSegmentationNode | None = None
        self._storedAt = 0
        self._leftBehind: list[int] = []

    def note(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        contents: tuple[SegmentContent, ...],
        *,
        isStored: bool = True,
    ) -> None:
        """Take labels as they are now, with what they hold, for known."""
        self._node, self.contents = node, contents
        self._storedAt = 0 if node is None else _storedAt(node)
        if isStored:
            self.stored = contents

    def noteRemoval(self, node: slicer.vtkMRMLNode) -> None:
        """Remember the file that Slicer's Save wrote of labels that are about to be removed.

        Slicer has taken the segments out of them by then.
        """
        file = labelFile(node) if node is self._node else None
        if file is not None and file.is_file() and self.wasSavedSince(node, file):
            self._leftBehind, self.stored = file_state(file), ()

    def isLeftBehind(self, file: Path) -> bool:
        """Tell whether a file is as Slicer's Save wrote it of labels that were then removed."""
        return file_state(file) == self._leftBehind

    def isAbout(self, node: slicer.vtkMRMLSegmentationNode | None) -> bool:
        """Tell whether these are the labels that are known."""
        return node is self._node

    def wasSavedSince(self, node: slicer.vtkMRMLSegmentationNode, file: Path) -> bool:
        """Tell whether Slicer's Save has written them to a file since."""
        storage = node.GetStorageNode()
        isHere = storage is not None and Path(storage.GetFullNameFromFileName()) == file
        return isHere and _storedAt(node) > self._storedAt


def _storedAt(node: slicer.vtkMRMLSegmentationNode) -> int:
    storage = node.GetStorageNode()
    return 0 if storage is None else int(storage.GetStoredTime().GetMTime())


def openCaseOf(scene: slicer.vtkMRMLScene) -> OpenCase:
    """Return the owner of the case that is open in a scene; it lives and goes with the scene."""
    owner = getattr(scene, _OWNER, None)
    if not isinstance(owner, OpenCase):
        owner = OpenCase(scene)
        setattr(scene, _OWNER, owner)
    return owner
