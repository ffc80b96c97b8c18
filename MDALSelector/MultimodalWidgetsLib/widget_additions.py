"""What `ctkPathLineEdit`s need beyond what they do by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PATH_SIGNALS = ("currentPathChanged(QString)", "validInputChanged(bool)")


def followPath(edit: Any, changed: Callable[[str], None]) -> None:
    """Call a function with the path whenever it changes, also when the field was emptied.

    A `ctkPathLineEdit` tells paths only. That it was emptied shows in its input, which is not
    valid any more.
    """

    def tell(_value: object) -> None:
        changed(edit.currentPath)

    for signal in PATH_SIGNALS:
        edit.connect(signal, tell)


def rememberPath(edit: Any) -> None:
    """Offer the path again next time, without a signal: the field is emptied for a moment."""
    wasBlocked = edit.blockSignals(True)
    edit.addCurrentPathToHistory()
    edit.blockSignals(wasBlocked)
