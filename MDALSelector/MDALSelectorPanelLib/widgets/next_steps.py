"""Two buttons of the labeling section: the next uncertain place, and the end of a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.selector_logic import MDALSelectorLogic
from MultimodalImagingLib.record.case_states import CaseState
from MultimodalSlicerLib.drafts import beganAs
from MultimodalSlicerLib.uncertain_places import UncertainPlaces

if TYPE_CHECKING:
    from slicer_types import UiForm


class NextSteps:
    """Shows where the model was undecided, and goes on to the training of a round.

    Attributes:
        places: The uncertain places of the draft that the open labels are, or began as.
    """

    def __init__(self, ui: UiForm, logic: MDALSelectorLogic) -> None:
        """Take the widgets of the `.ui` file."""
        self._ui, self._logic = ui, logic
        self.places = UncertainPlaces()
        self._shown = ("", "")

    def handlers(self) -> dict[str, Callable[[], None]]:
        """Return what the buttons do."""
        return {
            "nextPlaceButton": self.onNextPlaceButton,
            "endRoundButton": self.onEndRoundButton,
        }

    def onNextPlaceButton(self) -> None:
        """Show the next uncertain place in all views."""
        self.places.next(slicer.mrmlScene)
        self.update()

    def onEndRoundButton(self) -> None:
        """Go on with the cohort in the section Train of the other module."""
        with slicer.util.tryWithErrorDisplay(_("The training cannot be prepared.")):
            slicer.util.selectModule("CIMLSegment")
            slicer.util.getModuleWidget("CIMLSegment").cohort.beginRound(self._logic.files())

    def update(self) -> None:
        """Follow the open case, and say which place is shown."""
        self._follow()
        n, number = len(self.places.places), self.places.number
        text = _("Next uncertain place")
        if number:
            text = _("Next uncertain place ({number} of {n})").format(number=number, n=n)
        self._ui.nextPlaceButton.setText(text)

    def problems(self) -> dict[str, str]:
        """Say for both buttons why they cannot be pressed now; empty if they can."""
        self._follow()
        noPlace = _("The open labels are no draft of a model that said where it was undecided.")
        isLabelled = any(row.state is CaseState.LABELLED for row in self._logic.rows())
        noLabel = _("No case is labeled yet. Label the suggested cases first.")
        return {
            "nextPlaceButton": "" if self.places.places else noPlace,
            "endRoundButton": "" if isLabelled else noLabel,
        }

    def _follow(self) -> None:
        """Look for the places of the model once per case and draft: there may be many results."""
        labels, caseID = self._logic.loader.segmentation(), self._logic.loader.caseID
        began = "" if labels is None else beganAs(labels) or ""
        if (caseID, began) != self._shown:
            self._shown = (caseID, began)
            self.places.follow(self._logic.resultOf(caseID, began) if began else None)
