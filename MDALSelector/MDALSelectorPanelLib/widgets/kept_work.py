"""Offers work that was not saved before Slicer ended, in the panel; nothing is replaced unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.autosave import timeOf
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalWidgetsLib.signal import Signal

if TYPE_CHECKING:
    from slicer_types import UiForm


class KeptWork:
    """A question with two answers, shown while there is something to be answered.

    Attributes:
        noted: Emitted when the record was told that the work is given up.
    """

    def __init__(self, ui: UiForm, case: OpenCase) -> None:
        """Take the widgets of the `.ui` file."""
        self.noted = Signal()
        self._frame, self._label, self._case = ui.keptFrame, ui.keptLabel, case
        ui.takeKeptButton.connect("clicked()", self.onTakeKeptButton)
        ui.dropKeptButton.connect("clicked()", self.onDropKeptButton)
        self.update()

    def update(self) -> None:
        """Ask if the open case has such work."""
        session = self._case.session
        file = None if session is None else session.kept.leftBehind
        self._frame.setVisible(file is not None)
        text = (
            "" if file is None else _("Labels of {case} that were not saved on {time} were kept.")
        )
        time = "" if file is None else timeOf(file)
        self._label.setText(text.format(case=self._case.loader.caseID, time=time))

    def leaveScene(self) -> None:
        """Ask nothing any more: the scene is closed; the work is offered with its case again."""
        self._frame.setVisible(False)
        self._label.setText("")

    def onTakeKeptButton(self) -> None:
        """Go on with that work."""
        with slicer.util.tryWithErrorDisplay(_("The work cannot be taken over."), waitCursor=True):
            self._case.takeOverKept()
        self.update()

    def onDropKeptButton(self) -> None:
        """Delete that work."""
        session = self._case.session
        with slicer.util.tryWithErrorDisplay(_("The work cannot be deleted.")):
            if session is not None:
                session.kept.giveUp()
                if not session.kept.folder.is_dir():  # nobody's work is left: nothing is begun
                    self._case.discard()
                self.noted.emit()
        self.update()
