"""The name under which labels are saved; it can be changed while no case is open."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reader import currentReader, nameReader


class ReaderField:
    """Shows who reads the open case, or who reads the next one."""

    def __init__(self, edit: qt.QLineEdit, case: OpenCase) -> None:
        """Show the reader that was named last.

        Args:
            edit: The field.
            case: The open case.
        """
        self._edit, self._case = edit, case
        edit.setText(currentReader())
        edit.connect("editingFinished()", self.onEdited)

    def onEdited(self) -> None:
        """Keep the name of the reader."""
        with slicer.util.tryWithErrorDisplay(_("The name of the reader cannot be kept.")):
            self.take()

    def take(self) -> None:
        """Keep the name as it stands there, also if the field has the focus still.

        Raises:
            UsageError: If it cannot be the name of a reader. The former one stays.
        """
        if not self._case.loader.caseID and self._edit.text != currentReader():
            try:
                nameReader(self._edit.text)
            finally:
                self._edit.setText(currentReader())
        self.show()

    def show(self) -> None:
        """Show under which name the labels of the open case, or of the next one, are saved."""
        edit, session = self._edit, self._case.session
        isOpen = bool(self._case.loader.caseID)
        if isOpen or not edit.modified:  # what is being typed stays
            edit.setText(session.reader if isOpen and session is not None else currentReader())
        edit.setEnabled(not isOpen)
        edit.toolTip = (
            _("Close the case first: its labels are saved under this name.")
            if isOpen
            else _("Your labels are saved under this name. Initials or your login name will do.")
        )
