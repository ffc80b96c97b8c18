"""Shows the seconds of the open case, and whether its unsaved work is kept."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MultimodalSlicerLib.open_case import OpenCase
from MultimodalSlicerLib.reading_time import IDLE_S, ReadingTimes
from MultimodalWidgetsLib.case_keeper import caseKeeper
from MultimodalWidgetsLib.widget_additions import showText


class CaseClock:
    """Shows the time of the open case."""

    def __init__(self, case: OpenCase, label: qt.QLabel, warning: qt.QLabel) -> None:
        """Follow what looks after the open case.

        Args:
            case: The open case.
            label: Shows the times.
            warning: Says if work cannot be kept.
        """
        self._case, self._label, self._warning = case, label, warning
        label.toolTip = _(
            "Looking counts while the case is open and Slicer is the active window. Drawing counts"
            " between two changes of the labels; a pause of more than {s} s does not. Both are"
            " saved with the label."
        ).format(s=round(IDLE_S))
        showText(warning, "")
        caseKeeper().ticked.connect(self.show)
        self.show()

    def stop(self) -> None:
        """Show nothing more."""
        caseKeeper().ticked.disconnect(self.show)

    def show(self) -> None:
        """Show the times of the open case."""
        session = self._case.session
        times = ReadingTimes() if session is None else session.time.times
        text = _("Looking {looking}, drawing {drawing}")
        self._label.setText(
            text.format(looking=_clock(times.looking_s), drawing=_clock(times.drawing_s))
        )
        problem = caseKeeper().problem
        if problem != self._warning.text:
            showText(self._warning, problem)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
