"""Going through the places of a draft where the model was most undecided. Must not import Qt."""

from __future__ import annotations

from pathlib import Path

import slicer

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.draft_uncertainty import UncertainPlace, read_draft


class UncertainPlaces:
    """The places of one case, the most uncertain first; after the last comes the first again.

    Attributes:
        places: The places; none where nothing says.
        number: Which of them was shown last, from 1; 0 before.
    """

    def __init__(self) -> None:
        self.places: tuple[UncertainPlace, ...] = ()
        self.number = 0
        self._folder: Path | None = None

    def follow(self, folder: Path | None) -> None:
        """Take over the places of a result; the one that was shown last stays if it is the same.

        Args:
            folder: Folder of the result; `None` without one.
        """
        if folder == self._folder:
            return
        self._folder, self.number = folder, 0
        self.places = () if folder is None else _places(folder)

    def next(self, scene: slicer.vtkMRMLScene) -> UncertainPlace | None:
        """Show the next place in all slice views; `None` if there is none."""
        if not self.places:
            return None
        place = self.places[self.number % len(self.places)]
        self.number = self.number % len(self.places) + 1
        jumpToPosition(scene, place.position_mm)
        return place


def jumpToPosition(scene: slicer.vtkMRMLScene, position_mm: tuple[float, float, float]) -> None:
    """Show a position (LPS, mm) in the middle of every slice view, and put the crosshair there."""
    x, y, z = position_mm
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(-x, -y, z)
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        scene.GetNthNodeByClass(number, "vtkMRMLSliceNode").JumpSliceByCentering(-x, -y, z)


def _places(folder: Path) -> tuple[UncertainPlace, ...]:
    try:
        found = read_draft(folder).uncertainty
    except CrossModalError:  # a result of the time before, or damaged: it has no places to go to
        return ()
    return () if found is None else found.places
