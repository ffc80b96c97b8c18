"""Keys of the labeling section, while the module is shown.

None of them is taken by Segment Editor (letters, numbers, Space, Esc, Ctrl+Z, Ctrl+Y) or by the
menus of Slicer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt
import slicer
from slicer.i18n import tr as _

SAVE_NEXT, SAVE, NEXT, PREVIOUS, SKIP, UNDO = (
    *("Ctrl+Return", "Ctrl+Shift+S", "Ctrl+N", "Ctrl+Shift+N", "Ctrl+K", "Ctrl+U"),
)
_ALSO = {SAVE_NEXT: ("Ctrl+Enter",)}  # the key of the number pad


class Shortcuts:
    """Presses buttons by keys."""

    def __init__(self, buttons: Mapping[str, qt.QPushButton]) -> None:
        """Know the buttons; no key is taken yet.

        Args:
            buttons: Button by key.
        """
        self._buttons = buttons
        self._taken: list[qt.QShortcut] = []

    def install(self) -> None:
        """Take the keys."""
        self.remove()
        parent = slicer.util.mainWindow()
        for key, button in self._buttons.items():
            for name in (key, *_ALSO.get(key, ())):
                shortcut = qt.QShortcut(qt.QKeySequence(name), parent)
                shortcut.connect("activated()", _pressed(button))
                self._taken.append(shortcut)

    def remove(self) -> None:
        """Give the keys back."""
        for shortcut in self._taken:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._taken = []


def shortcutsText() -> str:
    """List the keys."""
    keys = {
        _("Save and next"): SAVE_NEXT,
        _("Save"): SAVE,
        _("Open next"): NEXT,
        _("Previous"): PREVIOUS,
        _("Skip"): SKIP,
        _("Undo"): UNDO,
    }
    return ", ".join(f"{what}: {_native(key)}" for what, key in keys.items())


def _native(key: str) -> str:
    return str(qt.QKeySequence(key).toString(qt.QKeySequence.NativeText))


def _pressed(button: qt.QPushButton) -> Callable[[], None]:
    """Press a button as a click would, with its animation; not while it is disabled or hidden."""

    def press() -> None:
        if button.enabled and button.visible:
            button.click()

    return press
