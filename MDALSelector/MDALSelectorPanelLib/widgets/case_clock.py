"""Ticks while a case is open: shows the seconds, and keeps unsaved work every two minutes."""

from __future__ import annotations

import logging

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reading_time import IDLE_S, ReadingTimes
from MultimodalWidgetsLib.widget_additions import showText

TICK_MS = 1000
KEEP_S = 120
logger = logging.getLogger(__name__)


class CaseClock:
    """Counts the time of the open case."""

    def __init__(self, case: OpenCase, label: qt.QLabel, warning: qt.QLabel) -> None:
        """Start.

        Args:
            case: The open case.
            label: Shows the times.
            warning: Says if work cannot be kept.
        """
        self._case, self._label, self._warning = case, label, warning
        self._nTicks = 0
        label.toolTip = _(
            "Looking counts while the case is open and Slicer is the active window. Drawing counts"
            " between two changes of the labels; a pause of more than {s} s does not. Both are"
            " saved with the label."
        ).format(s=round(IDLE_S))
        showText(warning, "")
        self.show()
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self.tick)
        self._timer.start()

    def stop(self) -> None:
        """Tick no more."""
        self._timer.stop()

    def tick(self) -> None:
        """Count the time since the last tick; now and then, keep unsaved work."""
        session = self._case.session
        if session is not None:
            session.time.tick(isActive=slicer.app.activeWindow() is not None)
            self._nTicks += 1
            if self._nTicks * TICK_MS >= KEEP_S * 1000:
                self.keep()
        self.show()

    def keep(self) -> None:
        """Keep unsaved work now."""
        self._nTicks = 0
        if self._case.isOpening:
            return
        try:
            self._case.keep()
        except (CrossModalError, ValueError, RuntimeError, OSError) as error:
            logger.exception("Unsaved work was not kept")
            text = _("Your unsaved work could not be kept: {error} Save it now.")
            showText(self._warning, text.format(error=error))
        else:
            showText(self._warning, "")

    def show(self) -> None:
        """Show the times of the open case."""
        session = self._case.session
        times = ReadingTimes() if session is None else session.time.times
        text = _("Looking {looking}, drawing {drawing}")
        self._label.setText(
            text.format(looking=_clock(times.looking_s), drawing=_clock(times.drawing_s))
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
