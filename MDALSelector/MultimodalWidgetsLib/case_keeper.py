"""Ticks while a case is open, in whichever module: counts its seconds, and keeps unsaved work."""

from __future__ import annotations

import logging

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.open_case import openCaseOf
from MultimodalWidgetsLib.signal import Signal

TICK_MS = 1000
KEEP_S = 120
logger = logging.getLogger(__name__)


class CaseKeeper:
    """Looks after the case that is open in the application.

    Attributes:
        ticked: Emits nothing more, every second and whenever work was kept.
        kept: Emits nothing more, whenever work was kept and the record told.
    """

    def __init__(self) -> None:
        self.ticked, self.kept = Signal(), Signal()
        self._nPanels = self._nTicks = 0
        self._problem = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self.tick)

    @property
    def problem(self) -> str:
        """Why work could not be kept, and what the record could not be told; mostly empty."""
        sentences = (self._problem, openCaseOf(slicer.mrmlScene).notes.problem)
        return " ".join(filter(None, sentences))

    def start(self) -> None:
        """Tick as long as there is a panel, of which this is one more."""
        self._nPanels += 1
        self._timer.start()

    def stop(self) -> None:
        """Tick no more, if this was the last panel."""
        self._nPanels -= 1
        if not self._nPanels:
            self._timer.stop()

    def tick(self) -> None:
        """Count the time since the last tick; now and then, keep unsaved work."""
        session = openCaseOf(slicer.mrmlScene).session
        if session is not None:
            session.time.tick(isActive=slicer.app.activeWindow() is not None)
        self._nTicks += 1
        if self._nTicks * TICK_MS >= KEEP_S * 1000:
            self.keep()
        else:
            self.ticked.emit()

    def keep(self) -> None:
        """Keep unsaved work now, unless a case is being opened."""
        self._nTicks = 0
        case = openCaseOf(slicer.mrmlScene)
        if case.isOpening:
            return
        self._problem = ""
        try:
            case.keep()
        except (CrossModalError, ValueError, RuntimeError, OSError) as error:
            logger.exception("Unsaved work was not kept")
            text = _("Your unsaved work could not be kept: {error} Save it now.")
            self._problem = text.format(error=error)
        self.ticked.emit()
        self.kept.emit()


def caseKeeper() -> CaseKeeper:
    """Return the one that looks after the open case."""
    if not _keepers:
        _keepers.append(CaseKeeper())
    return _keepers[0]


_keepers: list[CaseKeeper] = []
