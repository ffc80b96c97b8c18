"""Asks before labels with unsaved changes go: when a case, the scene or Slicer is closed."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.open_case import OpenCase, openCaseOf

logger = logging.getLogger(__name__)


def mayLeave(case: OpenCase) -> bool:
    """Ask what becomes of unsaved changes, and save them if that is the answer.

    Returns:
        Whether the case may be closed: nothing was unsaved, or it was saved, or the user wants to
        lose it.
    """
    if not case.hasUnsavedChanges():
        return True
    answer = _ask(case, mayStay=True)
    if answer == qt.QMessageBox.Discard:
        case.discard()
        return True
    return answer == qt.QMessageBox.Save and _isSaved(case)


def guardLeaving() -> None:
    """Ask also before the scene of the application, or its main window, is closed."""
    case = openCaseOf(slicer.mrmlScene)
    case.sceneCloses = lambda: _leaveScene(case)
    if not _guards:
        _guards.append(_CloseGuard())


def endGuard() -> None:
    """Ask no more, as the panels go."""
    openCaseOf(slicer.mrmlScene).sceneCloses = lambda: None
    while _guards:
        _guards.pop().remove()


class _CloseGuard(qt.QObject):
    """Asks before the main window closes; releases the open case when the application ends."""

    def __init__(self) -> None:
        qt.QObject.__init__(self)
        slicer.app.connect("aboutToQuit()", _endReading)
        self._window = slicer.util.mainWindow()
        if self._window is not None:
            self._window.installEventFilter(self)

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        if event.type() != qt.QEvent.Close or mayLeave(openCaseOf(slicer.mrmlScene)):
            return False
        event.ignore()
        return True

    def remove(self) -> None:
        slicer.app.disconnect("aboutToQuit()", _endReading)
        if self._window is not None:
            self._window.removeEventFilter(self)


_guards: list[_CloseGuard] = []


def _endReading() -> None:
    openCaseOf(slicer.mrmlScene).endReading()


def _leaveScene(case: OpenCase) -> None:
    """A scene that closes cannot be kept open: only an explicit answer loses the labels."""
    if _ask(case, mayStay=False) == qt.QMessageBox.Discard:
        case.discard()
        return
    if _isSaved(case):
        return
    try:
        file = case.saveCopy(Path(slicer.app.temporaryPath))
    except (CrossModalError, ValueError, RuntimeError, OSError) as error:
        slicer.util.errorDisplay(str(error))
        return
    text = _("The labels of {case} are in {file} now. Move that file to a safe place.")
    slicer.util.errorDisplay(text.format(case=case.loader.caseID, file=file))


def _isSaved(case: OpenCase) -> bool:
    try:
        with slicer.util.tryWithErrorDisplay(_("The labels were not saved."), waitCursor=True):
            case.save()
    except (CrossModalError, ValueError, RuntimeError, OSError):
        logger.exception("Labels were not saved")
        return False
    return True


def _ask(case: OpenCase, *, mayStay: bool) -> int:
    stay = qt.QMessageBox.Cancel if mayStay else qt.QMessageBox.NoButton
    if slicer.app.testingEnabled():  # as `slicer.util` does: nobody is there to answer
        return int(stay)
    text = _("The labels of {case} have unsaved changes. Save them?")
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setIcon(qt.QMessageBox.Warning)
    box.setWindowTitle(_("Unsaved labels"))
    box.setText(text.format(case=case.loader.caseID))
    box.standardButtons = qt.QMessageBox.Save | qt.QMessageBox.Discard | stay
    box.button(qt.QMessageBox.Discard).setText(_("Don't save"))
    box.setDefaultButton(qt.QMessageBox.Save)
    box.setEscapeButton(qt.QMessageBox.Cancel if mayStay else qt.QMessageBox.Save)
    answer = int(box.exec_())
    box.deleteLater()
    return answer
