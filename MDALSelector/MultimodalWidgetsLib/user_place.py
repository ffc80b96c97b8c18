"""Where the user is: how far a panel or a table is scrolled, and what a key would do next."""

from __future__ import annotations

from typing import Any

import qt

TRIES, PAUSE_MS = 40, 25  # a panel that is shown again gets its height a moment later
STEADY = 4  # times that the place must hold: the height may change once more


class PanelPlace:
    """Keeps how far a panel is scrolled while another module is shown."""

    def __init__(self, panel: qt.QWidget) -> None:
        """Follow the widget of a module."""
        self._panel, self._value, self._triesLeft = panel, 0, 0
        self._held = 0

    def keep(self) -> None:
        """Note the place, before the panel goes."""
        bar = self._bar()
        if bar is not None and not self._triesLeft:
            self._value = bar.value
        self._triesLeft = 0

    def bringBack(self) -> None:
        """Scroll to the place that was noted, once the panel has its height."""
        self._triesLeft, self._held = TRIES if self._value else 0, 0
        qt.QTimer.singleShot(0, self._scroll)

    def _scroll(self) -> None:
        bar = self._bar() if self._triesLeft else None  # the panel may be gone with the module
        if bar is None:
            return
        self._triesLeft -= 1
        self._held = self._held + 1 if bar.value == self._value else 0
        bar.setValue(self._value)
        if self._held >= STEADY:
            self._triesLeft = 0
        else:
            qt.QTimer.singleShot(PAUSE_MS, self._scroll)

    def _bar(self) -> Any:
        """The vertical scroll bar of the area that the panel lies in; `None` outside of one."""
        widget = self._panel.parentWidget()
        while widget is not None and not hasattr(widget, "verticalScrollBar"):
            widget = widget.parentWidget()
        return None if widget is None else widget.verticalScrollBar()


def disableKeepingFocus(button: qt.QWidget, resting: qt.QWidget) -> None:
    """Disable a button; a key that is pressed next never reaches the button beside it.

    Qt would give the focus to the next one, whatever that does.

    Args:
        button: The button.
        resting: Gets the focus if the button had it; a key does no harm there.
    """
    if button.enabled and button.hasFocus():
        resting.setFocus()
    button.setEnabled(False)
