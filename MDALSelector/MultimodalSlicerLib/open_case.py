"""The case that is open in a scene: one owner for both modules of its nodes, views and changes.

Must not import Qt. Whoever opens or closes a case asks the owner of the scene (`openCaseOf`), so
that both modules know the same case, and neither loses what was edited in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalSlicerLib.case_labels import CaseLabels
from MultimodalSlicerLib.case_layout import CaseLayout
from MultimodalSlicerLib.cohort_nodes import letGoOfFileIfChanged
from MultimodalSlicerLib.label_contents import SegmentContent, areAlike, contentsOf
from MultimodalSlicerLib.node_observer import NodeObserver
from MultimodalSlicerLib.patience import Breathe
from MultimodalSlicerLib.segment_editor import leaveSegmentEditors
from MultimodalSlicerLib.volume_nodes import removeNode

VIEW_PREFIX = "CrossModal"
_OWNER = "_crossModalOpenCase"


class OpenCase(CaseLabels):
    """Opens and closes cases, with their views and labels.

    Attributes:
        layout: Its views, side by side.
        aboutToClose: Called before the nodes of a case go.
        sceneCloses: Called before the scene is closed, while labels have unsaved changes.
        offered: Results of single cases that were segmented in this scene, by their image files.
        isOpening: Whether a case is being opened or closed just now, with events handled meanwhile.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        super().__init__(scene)
        self.layout = CaseLayout(scene, VIEW_PREFIX)
        self.aboutToClose: list[Callable[[], None]] = []
        self.sceneCloses: Callable[[], None] = lambda: None
        self.isOpening = False
        self.offered: dict[str, Path] = {}
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
            self.notes.inTurn(self.session.claim, self.breathe)
        return volumes

    def close(self) -> None:
        """Remove what was opened; the views are as they were before."""
        wasOpening, self.isOpening = self.isOpening, True
        try:
            self._leaveViews()
            self.loader.close()
        finally:
            self.isOpening = wasOpening
        self._takeOver()

    def addResult(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Let a result go with the case, unless the user edits it."""
        self._results[node.GetID()] = contentsOf(node)

    def _takeOver(self) -> None:
        """Know and follow what is open now."""
        self._images.follow(self.loader.volumes().values())
        self._followLabels()

    def _leaveViews(self) -> None:
        self._noteIfSaved()
        self._endSession()
        self.notes.tell(self.breathe)
        for call in tuple(self.aboutToClose):
            call()
        leaveSegmentEditors(self._scene, self.loader.nodes())
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
        self.notes.tellLater()
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
